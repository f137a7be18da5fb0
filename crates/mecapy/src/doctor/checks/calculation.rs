//! The real calculation: the tension of an M20 bolt, which is exact.

use domain::Text;

use crate::console::duration;
use crate::doctor::facts::{Calculated, Calculation, Obstacle};
use crate::doctor::{Check, Finding, Problem};

/// 94,080 N on 245 mm², in MPa, as the sandbox must write it.
const STRESS: &str = "384.0";

pub(in crate::doctor) fn check(calculation: &Calculation) -> Finding {
    let (found, problem) = match calculation {
        Calculation::Tried(Ok(calculated)) => return of_result(calculated),
        Calculation::NoInterpreter => (
            Text::new("not run", "non exécuté"),
            Problem::error(
                Text::new(
                    "there is no interpreter to run it",
                    "aucun interpréteur pour l’exécuter",
                ),
                Text::new(
                    "mend the line of the interpreters first",
                    "remédiez d’abord à la ligne des interpréteurs",
                ),
            ),
        ),
        Calculation::Tried(Err(Obstacle::Unsupported { missing, remedy })) => (
            Text::new(
                "the sandbox can't be set up",
                "le bac à sable ne peut pas être mis en place",
            ),
            Problem::error(Text::same(missing), Text::same(remedy)),
        ),
        Calculation::Tried(Err(Obstacle::Failed(reason))) => (
            Text::new("failed", "échec"),
            Problem::error(
                reason.clone(),
                Text::new(
                    "mend the lines above that are marked, then try again; where none is, report this line",
                    "remédiez aux lignes marquées ci-dessus, puis réessayez ; s’il n’y en a pas, signalez cette ligne",
                ),
            ),
        ),
    };
    Finding::new(Check::Calculation, found, vec![problem])
}

fn of_result(calculated: &Calculated) -> Finding {
    let got = serde_json::from_str::<serde_json::Value>(&calculated.result)
        .ok()
        .and_then(|result| Some(result.get("stress")?.to_string()))
        .unwrap_or_else(|| calculated.result.clone());
    let Calculated { python, sandbox, template, run, .. } = calculated;
    let [sandbox, template, run] = [sandbox, template, run].map(|time| duration(*time));
    let found = Text::new(
        format!(
            "94080 N / 245 mm² = {got} MPa in {run} (sandbox {sandbox}, Python {python} {template})"
        ),
        format!(
            "94080 N / 245 mm² = {got} MPa en {run} (bac à sable {sandbox}, Python {python} {template})"
        ),
    );
    let wrong = (got != STRESS).then(|| {
        Problem::error(
            Text::new(
                format!("expected exactly {STRESS}, found {got}"),
                format!("exactement {STRESS} attendu, trouvé : {got}"),
            ),
            Text::new(
                format!("don't rely on Python {python} of this machine: install another one, and report this line"),
                format!("ne vous fiez pas au Python {python} de cette machine : installez-en un autre, et signalez cette ligne"),
            ),
        )
    });
    Finding::new(Check::Calculation, found, wrong.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::doctor::systems;

    fn of(result: &str) -> Finding {
        let Calculation::Tried(Ok(calculated)) = systems::calculated() else { panic!() };
        let calculated = Calculated { result: result.into(), ..calculated };
        check(&Calculation::Tried(Ok(calculated)))
    }

    #[test]
    fn only_the_exact_result_is_good() {
        let good = of(r#"{"stress":384.0}"#);
        assert_eq!(good.status(), Status::Ok);
        assert_eq!(
            good.found.en,
            "94080 N / 245 mm² = 384.0 MPa in 1.50 ms (sandbox 20.0 ms, Python 3.11.2 80.0 ms)"
        );
        for wrong in [r#"{"stress":384.00000000000006}"#, r#"{"stress":384}"#, "{}", "?"] {
            assert_eq!(of(wrong).status(), Status::Failed, "{wrong}");
        }
    }

    #[test]
    fn what_the_sandbox_says_is_told_as_it_is() {
        let finding = check(&Calculation::Tried(Err(Obstacle::Unsupported {
            missing: "the worker does not run as root".into(),
            remedy: "start it as root".into(),
        })));
        assert_eq!(finding.status(), Status::Failed);
        assert_eq!(finding.problems[0].missing.en, "the worker does not run as root");
        assert_eq!(finding.problems[0].remedy.en, "start it as root");
        assert_eq!(check(&Calculation::NoInterpreter).status(), Status::Failed);
    }
}
