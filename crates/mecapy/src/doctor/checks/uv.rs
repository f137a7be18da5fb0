//! The program that installs packages.

use domain::Text;

use crate::doctor::facts::{NoUv, Uv};
use crate::doctor::{Check, Finding, Problem};

pub(in crate::doctor) fn check(uv: &Uv) -> Finding {
    let missing = match &uv.found {
        Ok((program, version)) => {
            let found = Text::same(format!("{version} {}", program.display()));
            return Finding::new(Check::Uv, found, Vec::new());
        }
        Err(NoUv::Bad(reason)) => reason.clone(),
        Err(NoUv::Nowhere(looked)) => {
            let places: Vec<_> = looked.iter().map(|path| path.display().to_string()).collect();
            let places = places.join(", ");
            match (uv.named, places.is_empty()) {
                (true, _) => Text::new(
                    format!("MECAPY_UV names {places}, and no program is there"),
                    format!("MECAPY_UV nomme {places}, et il n’y a pas de programme à cet endroit"),
                ),
                (false, false) => Text::new(
                    format!("no program is at {places}"),
                    format!("aucun programme dans {places}"),
                ),
                (false, true) => Text::new("PATH is empty", "PATH est vide"),
            }
        }
    };
    let remedy = Text::new(
        "install it, then name it in MECAPY_UV where it is not on PATH:",
        "installez-le, puis nommez-le dans MECAPY_UV s’il n’est pas dans PATH :",
    );
    let found = match uv.found {
        Err(NoUv::Bad(_)) => Text::new("can't be used", "inutilisable"),
        _ => Text::new("not found", "introuvable"),
    };
    let install = environment::GET_UV.to_owned();
    Finding::new(Check::Uv, found, vec![Problem::error(missing, remedy).run([install])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    fn missing(found: NoUv, named: bool) -> String {
        let finding = check(&Uv { found: Err(found), named });
        assert_eq!(finding.status(), Status::Failed);
        finding.problems[0].missing.en.clone()
    }

    #[test]
    fn every_place_that_was_tried_is_told() {
        let looked = vec!["/usr/local/bin/uv".into(), "/usr/bin/uv".into()];
        assert_eq!(
            missing(NoUv::Nowhere(looked), false),
            "no program is at /usr/local/bin/uv, /usr/bin/uv"
        );
        assert_eq!(
            missing(NoUv::Nowhere(vec!["/nowhere/uv".into()]), true),
            "MECAPY_UV names /nowhere/uv, and no program is there"
        );
        assert_eq!(missing(NoUv::Nowhere(Vec::new()), false), "PATH is empty");
        assert_eq!(missing(NoUv::Bad(Text::same("too old")), false), "too old");
    }
}
