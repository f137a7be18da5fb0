//! What people read when their requirements can't be installed.

use domain::manifest::PythonVersion;
use environment::{Error, Interpreters, Log};
use test_support::wheels::{Index, Wheel};

use crate::fixture::{Fixture, request, told};

async fn refused(fixture: &Fixture, requirements: &[&str]) -> Error {
    let environments = fixture.open().await;
    environments.lock(&request(requirements), &Log::silent()).await.unwrap_err()
}

/// The interpreters of this machine, as the requests above meet them.
async fn interpreters(fixture: &Fixture) -> (PythonVersion, Interpreters) {
    let found = Interpreters::discover(&fixture.settings.pythons).await;
    (found.default().unwrap().minor, found)
}

#[tokio::test]
async fn a_version_without_a_wheel_names_those_that_would_do() {
    let fixture = Fixture::with_pypi();
    let (python, found) = interpreters(&fixture).await;
    // The first NumPy with a wheel for each Python, and one before it with
    // the Pythons that it has wheels for.
    let (pin, next, others) = match python.minor() {
        9 => ("1.18.0", "1.19.3", vec![]),
        10 => ("1.20.0", "1.21.2", vec!["3.9"]),
        11 => ("1.22.0", "1.23.2", vec!["3.9", "3.10"]),
        12 => ("1.24.0", "1.26.0", vec!["3.9", "3.10", "3.11"]),
        _ => ("1.26.0", "2.1.0", vec!["3.9", "3.10", "3.11", "3.12"]),
    };
    let error = refused(&fixture, &[&format!("numpy=={pin}")]).await;
    assert!(error.is_the_authors());
    let (code, en, fr) = told(&error).remove(0);
    assert_eq!(code, "requirement_no_wheel");
    let starts = format!(
        "there is no wheel of `numpy=={pin}` for Python {python}; those that can be installed on \
         {python} go from {next} to "
    );
    assert!(en.starts_with(&starts) && en.contains(&format!(", the next one is {next}")), "{en}");
    let starts = format!(
        "il n'y a pas de wheel de `numpy=={pin}` pour Python {python} ; celles installables sur \
         {python} vont de {next} à "
    );
    assert!(fr.starts_with(&starts) && fr.contains(&format!(", la suivante est {next}")), "{fr}");
    let others: Vec<&str> =
        others.into_iter().filter(|minor| found.get(minor.parse().unwrap()).is_ok()).collect();
    if let Some((last, before)) = others.split_last() {
        let list = |or: &str| match before {
            [] => (*last).to_owned(),
            _ => format!("{} {or} {last}", before.join(", ")),
        };
        let ends = format!(
            "; `numpy=={pin}` can be installed with `runtime.python_version` {}",
            list("or")
        );
        assert!(en.ends_with(&ends), "{en}");
        let ends = format!(
            " ; `numpy=={pin}` est installable avec `runtime.python_version` {}",
            list("ou")
        );
        assert!(fr.ends_with(&ends), "{fr}");
    }
}

#[tokio::test]
async fn every_requirement_at_fault_is_reported_with_its_position() {
    let requirements = ["six", "docopt", "numpy==99.0", "mecapy-no-such-package", "math"];
    let fixture = Fixture::with_pypi();
    let (python, _) = interpreters(&fixture).await;
    let error = refused(&fixture, &requirements).await;
    let Error::Requirements { problems } = &error else { panic!("{error:?}") };
    let positions: Vec<_> = problems.iter().map(|problem| problem.requirement).collect();
    assert_eq!(positions, [Some(1), Some(2), Some(3), Some(4)]);
    let told = told(&error);
    assert_eq!(
        told[0],
        (
            "requirement_source_only".to_owned(),
            "`docopt` is published as source code only, and only wheels are installed, as \
             building from source would run its code; require another package, or have a wheel \
             of it put on your own package index"
                .to_owned(),
            "`docopt` n'est publié que sous forme de sources, or seuls les wheels sont installés, \
             car construire depuis les sources exécuterait son code ; choisissez un autre paquet, \
             ou faites-en déposer un wheel sur votre index"
                .to_owned(),
        )
    );
    let (code, en, fr) = &told[1];
    assert_eq!(code, "requirement_no_version");
    let starts = format!(
        "there is no version `numpy==99.0` on the package index; those that can be installed on \
         {python} go from "
    );
    assert!(en.starts_with(&starts), "{en}");
    let starts = format!(
        "il n'y a pas de version `numpy==99.0` sur l'index ; celles installables sur {python} \
         vont de "
    );
    assert!(fr.starts_with(&starts), "{fr}");
    assert_eq!(
        told[2],
        (
            "requirement_unknown_package".to_owned(),
            "there is no package `mecapy-no-such-package` on the package index: check its \
             spelling; the name to install may differ from the one to import"
                .to_owned(),
            "le paquet `mecapy-no-such-package` n'existe pas sur l'index : vérifiez \
             l'orthographe ; le nom à installer peut différer de celui à importer"
                .to_owned(),
        )
    );
}

fn index() -> Index {
    Index::start(&[
        Wheel::new("core", "1.0"),
        Wheel::new("core", "2.0"),
        Wheel::new("old_app", "1.0").requires("core<2"),
        Wheel::new("new_app", "1.0").requires("core>=2"),
        Wheel::new("new_app", "0.9").requires("core"),
        Wheel::new("broken", "1.0").requires("absent>=1"),
        Wheel::new("windows", "1.0").tag("py3-none-win_amd64"),
    ])
    .unwrap()
}

#[tokio::test]
async fn conflicting_pins_are_told_as_facts_with_what_would_do() {
    let index = index();
    let fixture = Fixture::with_index(&index);
    assert_eq!(
        told(&refused(&fixture, &["old-app==1.0", "new-app==1.0"]).await),
        [(
            "requirements_conflict".to_owned(),
            "the requirements can't be met together: you require `new-app==1.0` and \
             `old-app==1.0`; `new-app>=1.0` needs `core>=2`; `old-app` needs `core<2`; would do: `new-app==0.9` in place of `new-app==1.0`"
                .to_owned(),
            "les dépendances sont incompatibles entre elles : vous demandez `new-app==1.0` et \
             `old-app==1.0` ; `new-app>=1.0` a besoin de `core>=2` ; `old-app` a besoin de \
             `core<2` ; conviendrait : `new-app==0.9` à la place de \
             `new-app==1.0`"
                .to_owned(),
        )]
    );
    let (code, en, _) = told(&refused(&fixture, &["core<2", "core>=2"]).await).remove(0);
    assert_eq!(code, "requirements_conflict");
    assert!(en.contains("you require `core<2` and `core>=2`"), "{en}");
}

#[tokio::test]
async fn a_dependency_that_can_not_be_had_is_named() {
    let index = index();
    let (code, en, fr) = told(&refused(&Fixture::with_index(&index), &["broken"]).await).remove(0);
    assert_eq!(code, "requirement_unmet");
    assert!(
        en.starts_with("`broken` needs what can't be installed: ")
            && en.contains("there is no package `absent` on the index"),
        "{en}"
    );
    assert!(fr.contains("le paquet `absent` n'existe pas sur l'index"), "{fr}");
}

#[tokio::test]
async fn a_wheel_for_another_python_or_machine_is_not_called_a_source_package() {
    let index = index();
    let fixture = Fixture::with_index(&index);
    let (python, found) = interpreters(&fixture).await;
    let other = found.found().iter().map(|other| other.minor).find(|minor| *minor != python);
    let tag = other.map_or(8, PythonVersion::minor);
    index.add(&Wheel::new("elsewhere", "1.0").tag(&format!("cp3{tag}-cp3{tag}-linux_x86_64")));
    let rest = match other {
        Some(other) => {
            format!("`elsewhere` can be installed with `runtime.python_version` {other}")
        }
        None => "require another package".to_owned(),
    };
    assert_eq!(
        told(&refused(&fixture, &["elsewhere"]).await)[0].1,
        format!(
            "no version of `elsewhere` has a wheel for Python {python} on this machine; {rest}"
        )
    );
    assert_eq!(
        told(&refused(&fixture, &["windows"]).await)[0].2,
        format!(
            "aucune version de `windows` n'a de wheel pour Python {python} sur cette machine ; \
             choisissez un autre paquet"
        )
    );
}
