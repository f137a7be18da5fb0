//! The kinds of namespaces, and whether this user may make them.

use domain::Text;

use crate::doctor::facts::Host;
use crate::doctor::means::Means;
use crate::doctor::{Check, Finding, Problem};

/// The kinds as `/proc/self/ns` names them, each with its kernel option and
/// the setting that bounds how many there may be.
const NEEDED: [(&str, &str, &str); 7] = [
    ("user", "CONFIG_USER_NS", "user.max_user_namespaces"),
    ("mnt", "CONFIG_NAMESPACES", "user.max_mnt_namespaces"),
    ("pid", "CONFIG_PID_NS", "user.max_pid_namespaces"),
    ("net", "CONFIG_NET_NS", "user.max_net_namespaces"),
    ("ipc", "CONFIG_IPC_NS", "user.max_ipc_namespaces"),
    ("uts", "CONFIG_UTS_NS", "user.max_uts_namespaces"),
    ("cgroup", "CONFIG_CGROUPS", "user.max_cgroup_namespaces"),
];

/// With fewer not even a few runs fit beside their templates.
const FEWEST: i64 = 16;

/// The kernel settings that this check looks at.
pub(in crate::doctor) fn sysctls() -> impl Iterator<Item = &'static str> {
    NEEDED.into_iter().map(|(.., setting)| setting).chain([UNPRIVILEGED, APPARMOR])
}

/// Debian's switch for users other than root.
const UNPRIVILEGED: &str = "kernel.unprivileged_userns_clone";
/// Ubuntu's: such namespaces then have no capabilities.
const APPARMOR: &str = "kernel.apparmor_restrict_unprivileged_userns";

pub(in crate::doctor) fn check(host: &Host, means: &Means) -> Finding {
    let there = |name: &str| host.namespaces.iter().any(|one| one == name);
    let names = |wanted: bool| NEEDED.iter().map(|n| n.0).filter(move |name| there(name) == wanted);
    if host.namespaces.is_empty() {
        return unseen(means);
    }
    let mut problems: Vec<Problem> = NEEDED
        .iter()
        .filter(|(name, ..)| !there(name))
        .map(|kind| absent(kind.0, kind.1))
        .collect();
    for (name, _, setting) in NEEDED {
        if let Some(most) = host.sysctl(setting).filter(|most| *most < FEWEST) {
            problems.push(too_few(name, setting, most, means));
        }
    }
    if host.uid != 0 {
        problems.extend(refused_to_users(host, means));
    }
    let found = Text::same(names(true).collect::<Vec<_>>().join(", "));
    Finding::new(Check::Namespaces, found, problems)
}

/// Every kernel has some, so what is missing is the view of them.
fn unseen(means: &Means) -> Finding {
    let missing = Text::new(
        "/proc/self/ns can't be read, so namespaces can't be seen or entered",
        "/proc/self/ns ne peut pas être lu : les espaces de noms ne sont ni visibles ni accessibles",
    );
    let problem = Problem::error(missing, Text::new("mount /proc:", "montez /proc :"))
        .run([means.as_root("mount -t proc proc /proc")]);
    Finding::new(Check::Namespaces, Text::new("not seen", "invisibles"), vec![problem])
}

fn absent(name: &str, option: &str) -> Problem {
    Problem::error(
        Text::new(
            format!("this kernel has no {name} namespaces"),
            format!("ce noyau n’a pas d’espaces de noms {name}"),
        ),
        Text::new(
            format!("use a kernel with {option}=y, as every distribution's is, and mount /proc"),
            format!(
                "utilisez un noyau avec {option}=y, comme ceux des distributions, et montez /proc"
            ),
        ),
    )
}

fn too_few(name: &str, setting: &str, most: i64, means: &Means) -> Problem {
    Problem::error(
        Text::new(
            format!("{setting} is {most}, and every run needs a {name} namespace of its own"),
            format!("{setting} vaut {most}, et chaque calcul demande un espace de noms {name}"),
        ),
        Text::new("allow more:", "autorisez-en plus :"),
    )
    .run(means.set(&format!("{setting}=65536")))
}

fn refused_to_users(host: &Host, means: &Means) -> Vec<Problem> {
    let mut problems = Vec::new();
    if host.sysctl(UNPRIVILEGED) == Some(0) {
        problems.push(
            Problem::error(
                Text::new(
                    format!("{UNPRIVILEGED} is 0, so only root can make user namespaces"),
                    format!(
                        "{UNPRIVILEGED} vaut 0 : seul root peut créer des espaces de noms user"
                    ),
                ),
                Text::new(
                    "run as root, or allow them:",
                    "lancez MecaPy en root, ou autorisez-les :",
                ),
            )
            .run(means.set(&format!("{UNPRIVILEGED}=1"))),
        );
    }
    // A profile of its own may allow what is refused to all others.
    let unconfined = matches!(host.apparmor.trim_end_matches(['\n', '\0']), "" | "unconfined");
    if host.sysctl(APPARMOR) == Some(1) && unconfined {
        let program = host.program.display();
        problems.push(
            Problem::error(
                Text::new(
                    "AppArmor leaves user namespaces without rights, as Ubuntu does since 23.10",
                    "AppArmor prive les espaces de noms user de leurs droits, comme Ubuntu depuis 23.10",
                ),
                Text::new(
                    "run as root, or give this program a profile that allows them:",
                    "lancez MecaPy en root, ou donnez à ce programme un profil qui les autorise :",
                ),
            )
            .run([
                format!(
                    "printf 'abi <abi/4.0>,\\nprofile mecapy {program} flags=(unconfined) {{\\n  userns,\\n}}\\n' | {} /etc/apparmor.d/mecapy",
                    means.as_root("tee")
                ),
                means.as_root("apparmor_parser -r /etc/apparmor.d/mecapy"),
            ]),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::doctor::systems;

    fn of(host: &Host) -> Finding {
        check(host, &Means::of(host))
    }

    #[test]
    fn roots_namespaces_are_no_matter_of_what_users_may() {
        let mut host = systems::debian_12_root();
        host.sysctls.insert(UNPRIVILEGED, "0\n".into());
        host.sysctls.insert(APPARMOR, "1\n".into());
        assert_eq!(of(&host).status(), Status::Ok);
        host.uid = 1000;
        assert_eq!(of(&host).problems.len(), 2);
    }

    #[test]
    fn ubuntus_restriction_is_mended_by_a_profile_for_this_program() {
        let mut host = systems::ubuntu_24_04_user();
        let finding = of(&host);
        assert_eq!(finding.status(), Status::Failed);
        let commands = &finding.problems[0].commands;
        assert!(commands[0].contains("profile mecapy /opt/mecapy/mecapy flags=(unconfined)"));
        assert_eq!(commands[1], "sudo apparmor_parser -r /etc/apparmor.d/mecapy");
        host.apparmor = "mecapy (unconfined)\n".into();
        assert_eq!(of(&host).status(), Status::Ok);
    }

    #[test]
    fn a_kind_that_is_absent_or_bounded_to_none_is_named() {
        let mut host = systems::debian_12_root();
        host.namespaces.retain(|name| name != "user");
        host.sysctls.insert("user.max_net_namespaces", "0\n".into());
        let finding = of(&host);
        assert_eq!(finding.found.en, "mnt, pid, net, ipc, uts, cgroup");
        assert!(finding.problems[0].remedy.en.contains("CONFIG_USER_NS=y"));
        assert_eq!(
            finding.problems[1].commands,
            [
                "sysctl -w user.max_net_namespaces=65536",
                "echo user.max_net_namespaces=65536 | tee -a /etc/sysctl.d/60-mecapy.conf",
            ]
        );
    }

    #[test]
    fn without_proc_one_thing_is_missing_and_not_seven() {
        let mut host = systems::debian_12_root();
        host.namespaces.clear();
        let finding = of(&host);
        assert_eq!((finding.status(), finding.problems.len()), (Status::Failed, 1));
        assert_eq!(finding.problems[0].commands, ["mount -t proc proc /proc"]);
    }
}
