//! The wall clock: a date of our time, steady, and set by the network.

use domain::{Text, Timestamp};

use crate::doctor::facts::Clock;
use crate::doctor::means::Means;
use crate::doctor::{Check, Finding, Problem};

/// 2025-01-01T00:00:00Z; this program is younger.
const OLDEST: Timestamp = Timestamp(1_735_689_600_000_000);
/// How far the wall clock may be from the steady one after the checks.
const JUMP_US: i64 = 1_000_000;

pub(in crate::doctor) fn check(clock: &Clock, means: &Means) -> Finding {
    let now = clock.now.to_string();
    let shown = now.get(..19).unwrap_or(&now);
    let (en, fr) = match clock.synchronised {
        Some(true) => ("set by the network", "réglée par le réseau"),
        Some(false) => ("not set by the network", "non réglée par le réseau"),
        None => ("whether the network sets it can't be seen", "réglage par le réseau non visible"),
    };
    let found = Text::new(format!("{shown} UTC, {en}"), format!("{shown} UTC, {fr}"));
    let mut problems = Vec::new();
    if clock.now < OLDEST {
        problems.push(
            Problem::error(
                Text::new(
                    format!("expected a date from 2025 on, found {shown} UTC; every time that is stored would be wrong, and HTTPS fails"),
                    format!("une date à partir de 2025 était attendue, trouvé : {shown} UTC ; toutes les heures enregistrées seraient fausses, et HTTPS échoue"),
                ),
                Text::new("set the clock:", "réglez l’horloge :"),
            )
            .run([set(means)]),
        );
    }
    let jump_us = clock.wall_us - clock.steady_us;
    if jump_us.abs() > JUMP_US {
        let seconds = jump_us / 1_000_000;
        problems.push(Problem::warning(
            Text::new(
                format!("the clock jumped by {seconds:+} s while the checks ran"),
                format!("l’horloge a sauté de {seconds:+} s pendant les contrôles"),
            ),
            Text::new(
                "let one program alone set the clock, little by little (systemd-timesyncd or chrony)",
                "laissez un seul programme régler l’horloge, peu à peu (systemd-timesyncd ou chrony)",
            ),
        ));
    }
    if clock.synchronised == Some(false) && problems.is_empty() {
        problems.push(
            Problem::warning(
                Text::new(
                    "nothing keeps the clock right; times of tasks and of other machines drift apart",
                    "rien ne tient l’horloge à l’heure ; elle s’écarte de celle des autres machines",
                ),
                Text::new(
                    "have the network set it:",
                    "faites-la régler par le réseau :",
                ),
            )
            .run([set(means)]),
        );
    }
    Finding::new(Check::Clock, found, problems)
}

fn set(means: &Means) -> String {
    means.as_root("timedatectl set-ntp true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::doctor::systems;

    fn of(clock: Clock) -> Finding {
        check(&clock, &Means::default())
    }

    #[test]
    fn a_clock_that_is_set_or_can_not_be_seen_to_be_is_good() {
        let clock = systems::good_clock();
        assert_eq!(of(clock).status(), Status::Ok);
        assert_eq!(of(clock).found.en, "2026-01-01T00:00:00 UTC, set by the network");
        assert_eq!(of(Clock { synchronised: None, ..clock }).status(), Status::Ok);
        let unset = of(Clock { synchronised: Some(false), ..clock });
        assert_eq!(unset.status(), Status::Warning);
        assert_eq!(unset.problems[0].commands, ["sudo timedatectl set-ntp true"]);
    }

    #[test]
    fn a_date_before_this_program_was_written_is_a_fault() {
        let clock = Clock { now: Timestamp(0), ..systems::good_clock() };
        assert_eq!(of(clock).status(), Status::Failed);
        assert!(of(clock).problems[0].missing.fr.contains("1970-01-01T00:00:00 UTC"));
    }

    #[test]
    fn a_clock_that_jumps_either_way_is_warned_of() {
        let clock = systems::good_clock();
        let jumped = of(Clock { wall_us: clock.steady_us - 61_000_000, ..clock });
        assert_eq!(jumped.problems[0].missing.en, "the clock jumped by -61 s while the checks ran");
        assert_eq!(of(Clock { wall_us: clock.steady_us + 900_000, ..clock }).status(), Status::Ok);
    }
}
