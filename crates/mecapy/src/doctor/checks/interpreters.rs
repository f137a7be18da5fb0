//! The Pythons that functions can ask for.

use std::collections::HashSet;

use domain::Text;
use domain::manifest::PythonVersion;

use crate::doctor::facts::{Python, Pythons};
use crate::doctor::means::Means;
use crate::doctor::{Check, Finding, Problem};

pub(in crate::doctor) fn check(pythons: &Pythons, means: &Means) -> Finding {
    let mut problems = Vec::new();
    if pythons.found.is_empty() {
        problems.push(none(pythons, means));
    } else if let Some(wanted) = pythons.wanted
        && pythons.default.is_none()
    {
        problems.push(
            Problem::error(
                Text::new(
                    format!("MECAPY_DEFAULT_PYTHON is {wanted}, which was not found, so functions that ask for no version can't run"),
                    format!("MECAPY_DEFAULT_PYTHON vaut {wanted}, introuvable : les fonctions qui ne demandent pas de version ne peuvent pas s’exécuter"),
                ),
                Text::new(
                    "set it to one of those below, or fetch that one:",
                    "choisissez l’un de ceux ci-dessous, ou récupérez celui-là :",
                ),
            )
            .run([fetch(pythons, &[wanted])]),
        );
    }
    problems.extend(pythons.skipped.iter().map(|(path, reason)| {
        let shown = path.display();
        Problem::warning(
            Text::new(
                format!("{shown} is not used: {}", reason.en),
                format!("{shown} n’est pas utilisé : {}", reason.fr),
            ),
            Text::new(
                "mend or remove it, or take it out of MECAPY_PYTHONS; shims don't count, name the real program",
                "réparez-le ou retirez-le, y compris de MECAPY_PYTHONS ; les relais (shims) ne comptent pas, nommez le vrai programme",
            ),
        )
    }));
    let mut finding = Finding::new(Check::Interpreters, found(pythons), problems);
    finding.details = details(pythons);
    finding
}

fn found(pythons: &Pythons) -> Text {
    let default = pythons.default.and_then(|at| pythons.found.get(at));
    let minors: HashSet<PythonVersion> = pythons.found.iter().map(|python| python.minor).collect();
    match (minors.len(), default) {
        (0, _) => Text::new("no Python from 3.9 to 3.13", "aucun Python de 3.9 à 3.13"),
        (1, Some(python)) => Text::new(
            format!("1 version found, {}", python.version),
            format!("1 version trouvée, {}", python.version),
        ),
        (count, Some(python)) => Text::new(
            format!("{count} versions found, {} by default", python.version),
            format!("{count} versions trouvées, {} par défaut", python.version),
        ),
        (count, None) => Text::new(
            format!("{count} versions found, none by default"),
            format!("{count} versions trouvées, aucune par défaut"),
        ),
    }
}

/// A line for each version that was found, the first one of it, and one for
/// those that were not.
fn details(pythons: &Pythons) -> Vec<Text> {
    let first = |minor| pythons.found.iter().position(|python| python.minor == minor);
    let (there, absent): (Vec<_>, Vec<_>) =
        PythonVersion::SUPPORTED.into_iter().partition(|minor| first(*minor).is_some());
    if there.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<Text> = there
        .into_iter()
        .filter_map(first)
        .map(|at| {
            let used = &pythons.found[at];
            let same = pythons.found.iter().skip(at + 1).filter(|one| one.minor == used.minor);
            line(used, pythons.default == Some(at), &same.collect::<Vec<_>>())
        })
        .collect();
    if !absent.is_empty() {
        let list = absent.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let command = fetch(pythons, &absent);
        lines.push(Text::new(
            format!("{list}: none; only functions that ask for it need one: {command}"),
            format!(
                "{list} : aucun ; seules les fonctions qui le demandent en ont besoin : {command}"
            ),
        ));
    }
    lines
}

/// The interpreter that is used of a version, and those that are not.
fn line(python: &Python, default: bool, unused: &[&Python]) -> Text {
    let Python { minor, version, executable } = python;
    let shown = executable.display();
    let (en, fr) = if default { (" (default)", " (par défaut)") } else { ("", "") };
    let mut line = Text::new(
        format!("{minor}: {version} {shown}{en}"),
        format!("{minor} : {version} {shown}{fr}"),
    );
    if !unused.is_empty() {
        let one = |python: &&Python| format!("{} {}", python.version, python.executable.display());
        let list = unused.iter().map(one).collect::<Vec<_>>().join(", ");
        line.en += &format!("; not used: {list}");
        line.fr += &format!(" ; inutilisés : {list}");
    }
    line
}

fn none(pythons: &Pythons, means: &Means) -> Problem {
    let problem = Problem::error(
        Text::new(
            "no interpreter was found in MECAPY_PYTHONS, /usr/bin, /usr/local/bin, ~/.pyenv/versions and the data folder; shims don't count",
            "aucun interpréteur dans MECAPY_PYTHONS, /usr/bin, /usr/local/bin, ~/.pyenv/versions et le dossier de données ; les relais (shims) ne comptent pas",
        ),
        Text::new(
            "name one in MECAPY_PYTHONS=/path/to/python3.12, or install one, either of:",
            "nommez-en un dans MECAPY_PYTHONS=/chemin/de/python3.12, ou installez-en un, au choix :",
        ),
    );
    problem.run(means.install_python()).run([fetch(pythons, &[PythonVersion::PREFERRED])])
}

/// The command that fetches an interpreter to where MecaPy looks for them.
fn fetch(pythons: &Pythons, minors: &[PythonVersion]) -> String {
    let list = minors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let folder = pythons.managed.display();
    let mirror = pythons
        .mirror
        .as_ref()
        .map(|url| format!("UV_PYTHON_INSTALL_MIRROR={url} "))
        .unwrap_or_default();
    format!("{mirror}uv python install {list} --no-bin --install-dir {folder}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::doctor::systems;

    #[test]
    fn every_version_has_a_line_with_a_path_or_with_how_to_get_one() {
        let finding = check(&systems::two_pythons(), &Means::default());
        assert_eq!(finding.status(), Status::Ok);
        assert_eq!(finding.found.en, "2 versions found, 3.11.2 by default");
        let lines: Vec<&str> = finding.details.iter().map(|line| line.en.as_str()).collect();
        assert_eq!(
            lines,
            [
                "3.10: 3.10.13 /home/ada/.pyenv/versions/3.10.13/bin/python3.10",
                "3.11: 3.11.2 /usr/bin/python3.11 (default)",
                "3.9, 3.12, 3.13: none; only functions that ask for it need one: \
                 uv python install 3.9 3.12 3.13 --no-bin --install-dir /srv/mecapy/pythons",
            ]
        );
    }

    #[test]
    fn a_second_interpreter_of_a_version_is_named_as_unused() {
        let mut pythons = systems::two_pythons();
        let mut other = pythons.found[pythons.default.unwrap()].clone();
        (other.version, other.executable) = ("3.11.7".into(), "/opt/python3.11".into());
        pythons.found.push(other);
        let finding = check(&pythons, &Means::default());
        assert_eq!(finding.found.fr, "2 versions trouvées, 3.11.2 par défaut");
        assert_eq!(
            finding.details[1].en,
            "3.11: 3.11.2 /usr/bin/python3.11 (default); not used: 3.11.7 /opt/python3.11"
        );
        assert!(finding.details[1].fr.ends_with("; inutilisés : 3.11.7 /opt/python3.11"));
    }

    #[test]
    fn without_any_the_ways_to_get_one_are_named_for_this_system() {
        let means = Means::of(&systems::ubuntu_24_04_user());
        let none = Pythons {
            found: Vec::new(),
            default: None,
            mirror: Some("https://mirror.example/python".into()),
            ..systems::two_pythons()
        };
        let finding = check(&none, &means);
        assert_eq!(finding.status(), Status::Failed);
        assert_eq!(
            finding.problems[0].commands,
            [
                "sudo apt-get install python3",
                "UV_PYTHON_INSTALL_MIRROR=https://mirror.example/python uv python install 3.12 --no-bin --install-dir /srv/mecapy/pythons",
            ]
        );
    }

    #[test]
    fn a_default_that_is_not_there_is_a_fault_and_a_skipped_one_a_warning() {
        let mut pythons = systems::two_pythons();
        pythons.skipped.push(("/opt/shim".into(), Text::new("it may be a shim", "relais")));
        assert_eq!(check(&pythons, &Means::default()).status(), Status::Warning);
        (pythons.wanted, pythons.default) = ("3.13".parse().ok(), None);
        let finding = check(&pythons, &Means::default());
        assert_eq!(finding.status(), Status::Failed);
        assert!(finding.problems[0].missing.fr.contains("vaut 3.13, introuvable"));
    }
}
