//! Filters of system calls.

use domain::Text;

use crate::doctor::facts::Host;
use crate::doctor::means::Means;
use crate::doctor::{Check, Finding, Problem};

/// What the sandbox's filters answer with.
const NEEDED: [&str; 2] = ["kill_process", "errno"];

pub(in crate::doctor) fn check(host: &Host, _: &Means) -> Finding {
    let actions: Vec<&str> = host.seccomp_actions.split_whitespace().collect();
    let lacking: Vec<&str> =
        NEEDED.into_iter().filter(|action| !actions.contains(action)).collect();
    if lacking.is_empty() {
        let (en, fr) = match host.status("Seccomp") {
            Some("2") => (
                "; this process is filtered itself, as in a container",
                " ; ce processus est lui-même filtré, comme dans un conteneur",
            ),
            _ => ("", ""),
        };
        let found = Text::new(
            format!("filters with {}{en}", NEEDED.join(", ")),
            format!("filtres avec {}{fr}", NEEDED.join(", ")),
        );
        return Finding::new(Check::Seccomp, found, Vec::new());
    }
    let (found, missing) = match (host.status("Seccomp"), actions.is_empty()) {
        (None, true) => (
            Text::new("not in this kernel", "absent de ce noyau"),
            Text::new(
                "this kernel was built without seccomp filters, or hides them",
                "ce noyau a été compilé sans filtres seccomp, ou les cache",
            ),
        ),
        (_, true) => (
            Text::new("actions not seen", "actions invisibles"),
            Text::new(
                "/proc/sys/kernel/seccomp/actions_avail can't be read",
                "/proc/sys/kernel/seccomp/actions_avail ne peut pas être lu",
            ),
        ),
        (_, false) => (
            Text::same(actions.join(", ")),
            Text::new(
                format!("the kernel's filters lack {}", lacking.join(", ")),
                format!("il manque aux filtres du noyau : {}", lacking.join(", ")),
            ),
        ),
    };
    let remedy = Text::new(
        "use a kernel with CONFIG_SECCOMP_FILTER=y and a whole /proc, as every distribution's is; in a container, use runc or crun",
        "utilisez un noyau avec CONFIG_SECCOMP_FILTER=y et un /proc complet, comme ceux des distributions ; dans un conteneur, utilisez runc ou crun",
    );
    Finding::new(Check::Seccomp, found, vec![Problem::error(missing, remedy)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::doctor::systems;

    #[test]
    fn filters_need_both_actions() {
        let mut host = systems::debian_12_root();
        let status = |host: &Host| check(host, &Means::default()).status();
        assert_eq!(status(&host), Status::Ok);
        host.seccomp_actions = "kill_thread trap errno trace allow".into();
        let finding = check(&host, &Means::default());
        assert_eq!(finding.problems[0].missing.en, "the kernel's filters lack kill_process");
        host.seccomp_actions.clear();
        assert_eq!(status(&host), Status::Failed);
        host.status.clear();
        assert!(check(&host, &Means::default()).problems[0].missing.fr.contains("sans filtres"));
    }
}
