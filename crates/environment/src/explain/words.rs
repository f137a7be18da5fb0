//! The sentences for requirements that can't be installed, each with a code
//! of its own.

use domain::manifest::PythonVersion;
use domain::{Fault, Text};

/// What the author could write instead.
pub(super) struct WouldDo {
    /// The oldest version that can be installed.
    pub(super) oldest: String,
    /// The newest version that can be installed.
    pub(super) newest: String,
    /// The next version after the one asked for.
    pub(super) nearest: Option<String>,
    /// The Python versions for which the requirement itself would do.
    pub(super) elsewhere: Vec<PythonVersion>,
}

pub(super) fn unknown(name: &str) -> Fault {
    let (en, fr) = match known_as(name) {
        Some(Known::Package(package)) => (
            format!("its package is called `{package}`"),
            format!("son paquet s'appelle `{package}`"),
        ),
        Some(Known::Standard) => (
            "it belongs to Python itself, so leave the requirement out".to_owned(),
            "il fait partie de Python, retirez donc la dépendance".to_owned(),
        ),
        None => (
            "check its spelling; the name to install may differ from the one to import".to_owned(),
            "vérifiez l'orthographe ; le nom à installer peut différer de celui à importer"
                .to_owned(),
        ),
    };
    Fault::error(
        "requirement_unknown_package",
        Text::new(
            format!("there is no package `{name}` on the package index: {en}"),
            format!("le paquet `{name}` n'existe pas sur l'index : {fr}"),
        ),
    )
}

enum Known {
    Package(&'static str),
    Standard,
}

/// The names that people import and that no package of that name provides.
fn known_as(name: &str) -> Option<Known> {
    Some(match name {
        "cv2" => Known::Package("opencv-python-headless"),
        "PIL" => Known::Package("pillow"),
        "sklearn" => Known::Package("scikit-learn"),
        "skimage" => Known::Package("scikit-image"),
        "yaml" => Known::Package("PyYAML"),
        "mpl_toolkits" => Known::Package("matplotlib"),
        "math" | "json" | "os" | "sys" | "datetime" | "csv" | "itertools" | "functools"
        | "collections" | "cmath" | "decimal" | "fractions" | "tempfile" | "io" => Known::Standard,
        _ => return None,
    })
}

pub(super) fn source_only(name: &str) -> Fault {
    let other = match known_as(name) {
        Some(Known::Package(package)) => {
            Text::new(format!("; require `{package}` instead"), format!(" ; demandez `{package}`"))
        }
        _ => Text::new(
            "; require another package, or have a wheel of it put on your own package index",
            " ; choisissez un autre paquet, ou faites-en déposer un wheel sur votre index",
        ),
    };
    Fault::error(
        "requirement_source_only",
        Text::new(
            format!(
                "`{name}` is published as source code only, and only wheels are installed, as \
                 building from source would run its code{}",
                other.en
            ),
            format!(
                "`{name}` n'est publié que sous forme de sources, or seuls les wheels sont \
                 installés, car construire depuis les sources exécuterait son code{}",
                other.fr
            ),
        ),
    )
}

pub(super) fn no_wheel_for_this(
    name: &str,
    python: PythonVersion,
    elsewhere: &[PythonVersion],
) -> Fault {
    let other = with_another_python(name, elsewhere)
        .unwrap_or_else(|| Text::new("; require another package", " ; choisissez un autre paquet"));
    Fault::error(
        "requirement_no_wheel",
        Text::new(
            format!(
                "no version of `{name}` has a wheel for Python {python} on this machine{}",
                other.en
            ),
            format!(
                "aucune version de `{name}` n'a de wheel pour Python {python} sur cette \
                 machine{}",
                other.fr
            ),
        ),
    )
}

pub(super) fn no_wheel(requirement: &str, python: PythonVersion, would_do: &WouldDo) -> Fault {
    let rest = alternatives(requirement, python, would_do);
    Fault::error(
        "requirement_no_wheel",
        Text::new(
            format!("there is no wheel of `{requirement}` for Python {python}{}", rest.en),
            format!("il n'y a pas de wheel de `{requirement}` pour Python {python}{}", rest.fr),
        ),
    )
}

pub(super) fn no_version(requirement: &str, python: PythonVersion, would_do: &WouldDo) -> Fault {
    let rest = alternatives(requirement, python, would_do);
    Fault::error(
        "requirement_no_version",
        Text::new(
            format!("there is no version `{requirement}` on the package index{}", rest.en),
            format!("il n'y a pas de version `{requirement}` sur l'index{}", rest.fr),
        ),
    )
}

fn alternatives(requirement: &str, python: PythonVersion, would_do: &WouldDo) -> Text {
    let WouldDo { oldest, newest, nearest, elsewhere } = would_do;
    let mut text = if oldest == newest {
        Text::new(
            format!("; the only one that can be installed on {python} is {newest}"),
            format!(" ; la seule installable sur {python} est {newest}"),
        )
    } else {
        Text::new(
            format!("; those that can be installed on {python} go from {oldest} to {newest}"),
            format!(" ; celles installables sur {python} vont de {oldest} à {newest}"),
        )
    };
    if let Some(nearest) = nearest.as_ref().filter(|nearest| *nearest != newest) {
        text.en.push_str(&format!(", the next one is {nearest}"));
        text.fr.push_str(&format!(", la suivante est {nearest}"));
    }
    if let Some(other) = with_another_python(requirement, elsewhere) {
        text.en.push_str(&other.en);
        text.fr.push_str(&other.fr);
    }
    text
}

fn with_another_python(what: &str, elsewhere: &[PythonVersion]) -> Option<Text> {
    let versions = |or: &str| {
        let mut names: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
        let last = names.pop()?;
        Some(if names.is_empty() { last } else { format!("{} {or} {last}", names.join(", ")) })
    };
    Some(Text::new(
        format!("; `{what}` can be installed with `runtime.python_version` {}", versions("or")?),
        format!(" ; `{what}` est installable avec `runtime.python_version` {}", versions("ou")?),
    ))
}

pub(super) fn needs_the_impossible(requirement: &str, facts: &Text) -> Fault {
    Fault::error(
        "requirement_unmet",
        Text::new(
            format!("`{requirement}` needs what can't be installed: {}", facts.en),
            format!("`{requirement}` a besoin de ce qui n'est pas installable : {}", facts.fr),
        ),
    )
}

pub(super) fn conflict(facts: &Text, mends: &[(String, String)]) -> Fault {
    let mut text = Text::new(
        format!("the requirements can't be met together: {}", facts.en),
        format!("les dépendances sont incompatibles entre elles : {}", facts.fr),
    );
    if mends.is_empty() {
        text.en.push_str("; change one of them");
        text.fr.push_str(" ; changez l'une d'elles");
    }
    for (index, (requirement, instead)) in mends.iter().enumerate() {
        let (en, fr) =
            if index == 0 { ("; would do", " ; conviendrait") } else { (", or", ", ou") };
        text.en.push_str(&format!("{en}: `{instead}` in place of `{requirement}`"));
        text.fr.push_str(&format!("{fr} : `{instead}` à la place de `{requirement}`"));
    }
    Fault::error("requirements_conflict", text)
}

pub(super) fn unclear(requirement: &str, facts: &Text) -> Fault {
    Fault::error(
        "requirement_unmet",
        Text::new(
            format!("`{requirement}` can't be installed: {}", facts.en),
            format!("`{requirement}` n'est pas installable : {}", facts.fr),
        ),
    )
}
