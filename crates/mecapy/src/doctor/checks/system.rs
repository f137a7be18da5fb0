//! The kernel's release and the processor.

use domain::Text;

use crate::doctor::facts::Host;
use crate::doctor::means::Means;
use crate::doctor::{Check, Finding, Problem};

/// The oldest kernel with every call that the sandbox makes.
const OLDEST: (u32, u32) = (5, 14);
/// `memory.peak` of cgroup v2; before, a run's peak is what it held at its end.
const MEMORY_PEAK: (u32, u32) = (5, 19);
/// `/proc` for another pid namespace; before, preparing a run costs a fork more.
const PROC_FROM_OUTSIDE: (u32, u32) = (6, 18);

pub(in crate::doctor) fn check(host: &Host, _: &Means) -> Finding {
    let Host { release, machine, .. } = host;
    let known = version(release);
    let name = host.os("PRETTY_NAME").map(|name| format!(", {name}")).unwrap_or_default();
    // In v1 every kernel measures peaks.
    let unified = !host.mountinfo.contains(" - cgroup ");
    let (hint_en, hint_fr) = hint(known, unified);
    let found = Text::new(
        format!("Linux {release} on {machine}{name}{hint_en}"),
        format!("Linux {release} sur {machine}{name}{hint_fr}"),
    );
    let mut problems = Vec::new();
    if !matches!(machine.as_str(), "x86_64" | "aarch64") {
        problems.push(Problem::error(
            Text::new(
                format!("expected a processor x86_64 or aarch64, found {machine}"),
                format!("processeur x86_64 ou aarch64 attendu, trouvé : {machine}"),
            ),
            Text::new("use such a machine", "utilisez une telle machine"),
        ));
    }
    match known {
        // The kernel of WSL 1 is not Linux, whatever version it claims.
        _ if release.contains("-Microsoft") => problems.push(
            Problem::error(
                Text::new(
                    "WSL 1 has no Linux kernel, so nothing can be isolated",
                    "WSL 1 n’a pas de noyau Linux : rien ne peut y être isolé",
                ),
                Text::new(
                    "turn the distribution into one of WSL 2, in PowerShell:",
                    "passez la distribution à WSL 2, dans PowerShell :",
                ),
            )
            .run(["wsl --set-version <distribution> 2".to_owned()]),
        ),
        Some(version) if version < OLDEST => problems.push(old(release)),
        Some(_) => {}
        None => problems.push(Problem::warning(
            Text::new(
                format!("the kernel's release {release:?} is not understood; Linux 5.14 or newer is needed"),
                format!("la version du noyau « {release} » n’est pas comprise ; il faut Linux 5.14 ou plus récent"),
            ),
            Text::new(
                "see below whether the calculation runs",
                "voyez plus bas si le calcul s’exécute",
            ),
        )),
    }
    Finding::new(Check::System, found, problems)
}

fn old(release: &str) -> Problem {
    let problem = Problem::error(
        Text::new(
            format!("expected Linux 5.14 or newer, found {release}"),
            format!("Linux 5.14 ou plus récent attendu, trouvé : {release}"),
        ),
        Text::new(
            "install a newer kernel and restart; Debian 12, Ubuntu 22.04, RHEL 9 and later have one",
            "installez un noyau plus récent et redémarrez ; Debian 12, Ubuntu 22.04, RHEL 9 et les suivants en ont un",
        ),
    );
    match release.contains("WSL2") {
        true => problem.run(["wsl --update".to_owned()]),
        false => problem,
    }
}

/// What a newer kernel would give.
fn hint(version: Option<(u32, u32)>, unified: bool) -> (&'static str, &'static str) {
    match version {
        Some(version) if unified && (OLDEST..MEMORY_PEAK).contains(&version) => (
            " (5.19 would measure peaks of memory, 6.18 prepare runs faster)",
            " (5.19 mesurerait les pics de mémoire, 6.18 préparerait les calculs plus vite)",
        ),
        Some(version) if (OLDEST..PROC_FROM_OUTSIDE).contains(&version) => {
            (" (6.18 would prepare runs faster)", " (6.18 préparerait les calculs plus vite)")
        }
        _ => ("", ""),
    }
}

/// The first two numbers of a release such as `6.1.0-28-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::doctor::systems;

    fn on(release: &str, machine: &str) -> Finding {
        let host =
            Host { release: release.into(), machine: machine.into(), ..systems::debian_12_root() };
        check(&host, &Means::of(&host))
    }

    #[test]
    fn releases_of_real_kernels_are_understood() {
        assert_eq!(version("6.1.0-28-amd64"), Some((6, 1)));
        assert_eq!(version("5.15.167.4-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(version("5.14.0-503.el9.x86_64"), Some((5, 14)));
        assert_eq!(version("6.18-rc1"), Some((6, 18)));
        assert_eq!(version("rolling"), None);
    }

    #[test]
    fn a_kernel_is_good_from_5_14_on_and_what_newer_ones_give_is_told() {
        assert_eq!(on("5.13.19", "x86_64").status(), Status::Failed);
        let oldest = on("5.14.0-503.el9.x86_64", "aarch64");
        assert_eq!(oldest.status(), Status::Ok);
        assert!(oldest.found.en.contains("5.19 would measure peaks"), "{:?}", oldest.found);
        assert!(on("6.1.0-28-amd64", "x86_64").found.fr.contains("(6.18 préparerait"));
        assert!(!on("6.18.0", "x86_64").found.en.contains("would"));
        assert_eq!(on("rolling", "x86_64").status(), Status::Warning);
        assert_eq!(on("6.18.0", "riscv64").status(), Status::Failed);
    }

    #[test]
    fn wsl_1_is_no_linux_whatever_it_claims() {
        let finding = on("4.4.0-19041-Microsoft", "x86_64");
        assert_eq!(finding.status(), Status::Failed);
        assert_eq!(finding.problems[0].commands, ["wsl --set-version <distribution> 2"]);
        let old = on("5.10.16.3-microsoft-standard-WSL2", "x86_64");
        assert_eq!(old.problems[0].commands, ["wsl --update"]);
    }
}
