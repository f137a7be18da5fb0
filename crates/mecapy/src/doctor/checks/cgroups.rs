//! Control groups: which generation keeps the limits, and whether groups can
//! be made.

use std::path::{Path, PathBuf};

use domain::Text;

use crate::doctor::facts::Host;
use crate::doctor::means::Means;
use crate::doctor::{Check, Finding, Problem, mounts};

/// The controllers that the sandbox's limits need in v2.
const V2: [&str; 3] = ["memory", "cpu", "pids"];
/// The same in v1, where times are counted by a controller of their own.
const V1: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];

/// Where groups can be made.
#[derive(Debug)]
pub(in crate::doctor) struct Places {
    /// This process's own group in the unified hierarchy.
    v2: Option<PathBuf>,
    /// The hierarchy of each controller of [`V1`].
    v1: [Option<PathBuf>; 4],
}

impl Places {
    /// From the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`.
    pub(in crate::doctor) fn of(mountinfo: &str, own: &str) -> Self {
        let mounts = mounts::all(mountinfo);
        let hierarchy = |controller: &str| {
            mounts
                .iter()
                .find(|m| m.kind == "cgroup" && m.options.split(',').any(|o| o == controller))
                .map(|mount| mount.point.clone())
        };
        let v2 = mounts.iter().find(|mount| mount.kind == "cgroup2").map(|mount| {
            let path = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
            // A server that runs already has moved itself out of the way.
            let path = path.strip_suffix("/mecapy-supervisor").unwrap_or(path);
            let below = path.strip_prefix(mount.root).unwrap_or(path);
            mount.point.join(below.trim_start_matches('/'))
        });
        Self { v2, v1: V1.map(hierarchy) }
    }

    /// Every folder that has to be looked at.
    pub(in crate::doctor) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.v2.iter().chain(self.v1.iter().flatten()).map(PathBuf::as_path)
    }
}

pub(in crate::doctor) fn check(host: &Host, means: &Means) -> Finding {
    let places = Places::of(&host.mountinfo, &host.own_cgroup);
    let in_v2 = places.v2.as_deref().map(|base| (base, host.cgroup(base)));
    let lacking_v2 = |controllers: &str| -> Vec<&str> {
        let listed: Vec<&str> = controllers.split_whitespace().collect();
        V2.into_iter().filter(|name| !listed.contains(name)).collect()
    };
    let lacking_v1: Vec<&str> =
        V1.into_iter().zip(&places.v1).filter(|(_, at)| at.is_none()).map(|(n, _)| n).collect();
    if let Some((base, folder)) = &in_v2
        && lacking_v2(&folder.controllers).is_empty()
    {
        let found = Text::new(
            format!("v2 with memory, cpu, pids, at {}", base.display()),
            format!("v2 avec memory, cpu, pids, dans {}", base.display()),
        );
        let problem = (!folder.writable).then(|| not_writable_v2(host, means, base));
        return Finding::new(Check::Cgroups, found, problem.into_iter().collect());
    }
    if lacking_v1.is_empty() {
        let found = match in_v2 {
            Some(_) => {
                Text::new("hybrid: memory, cpu, pids in v1", "hybrides : memory, cpu, pids en v1")
            }
            None => Text::new("v1 with memory, cpu, pids", "v1 avec memory, cpu, pids"),
        };
        let problem = match host.uid {
            0 => {
                let locked = places.v1.iter().flatten().find(|at| !host.cgroup(at).writable);
                locked.map(|folder| not_writable_v1(host, means, folder))
            }
            _ => Some(v1_is_roots(host)),
        };
        return Finding::new(Check::Cgroups, found, problem.into_iter().collect());
    }
    let some_v1 = lacking_v1.len() < V1.len();
    match in_v2 {
        Some((base, folder)) if !some_v1 => {
            lacks(host, means, base, &lacking_v2(&folder.controllers))
        }
        _ => nowhere(host, &lacking_v1),
    }
}

/// The unified hierarchy, without some of the controllers.
fn lacks(host: &Host, means: &Means, base: &Path, lacking: &[&str]) -> Finding {
    let shown = base.display();
    let list = lacking.join(", ");
    let found = Text::new(format!("v2 without {list}"), format!("v2 sans {list}"));
    let missing = Text::new(
        format!("{shown} lists no controller {list}, so these limits can't be kept"),
        format!("{shown} n’a pas de contrôleur {list} : ces limites ne peuvent pas être tenues"),
    );
    let problem = match (host.uid, host.in_container, host.with_systemd) {
        (_, true, _) => Problem::error(missing, in_a_container()),
        (0, ..) => Problem::error(
            missing,
            Text::new(
                "hand the controllers down, and take `cgroup_disable=` off the kernel's command line (a Raspberry Pi needs `cgroup_enable=memory` on it):",
                "transmettez les contrôleurs, et retirez `cgroup_disable=` de la ligne de commande du noyau (un Raspberry Pi demande `cgroup_enable=memory`) :",
            ),
        )
        .run([match host.with_systemd {
            true => "systemd-run --pty -p Delegate=yes mecapy doctor".to_owned(),
            false => format!(
                "echo '+memory +cpu +pids' > {}/cgroup.subtree_control",
                base.parent().unwrap_or(base).display()
            ),
        }]),
        (_, _, true) => Problem::error(
            missing,
            Text::new(
                "have systemd delegate them to users, then log in again:",
                "faites-les déléguer aux utilisateurs par systemd, puis reconnectez-vous :",
            ),
        )
        .run([
            means.as_root("mkdir -p /etc/systemd/system/user@.service.d"),
            format!(
                "printf '[Service]\\nDelegate=cpu memory pids\\n' | {} /etc/systemd/system/user@.service.d/mecapy.conf",
                means.as_root("tee")
            ),
            means.as_root("systemctl daemon-reload"),
        ]),
        _ => Problem::error(missing, as_root()),
    };
    Finding::new(Check::Cgroups, found, vec![problem])
}

/// Neither generation has what is needed.
fn nowhere(host: &Host, lacking: &[&str]) -> Finding {
    let list = lacking.join(", ");
    let found = match lacking.len() == V1.len() {
        true => Text::new("none", "aucun"),
        false => Text::new(format!("v1 without {list}"), format!("v1 sans {list}")),
    };
    let missing = match lacking.len() == V1.len() {
        true => Text::new(
            "no control groups are mounted, so no limit can be kept",
            "aucun cgroup n’est monté : aucune limite ne peut être tenue",
        ),
        false => Text::new(
            format!(
                "there is no v1 hierarchy of {list}, and v2 does not list memory, cpu and pids"
            ),
            format!("il n’y a pas de hiérarchie v1 pour {list}, et v2 n’a pas memory, cpu et pids"),
        ),
    };
    let problem = match host.in_container {
        true => Problem::error(missing, in_a_container()),
        false => Problem::error(
            missing,
            Text::new(
                "mount the unified hierarchy, or let systemd do it (`systemd.unified_cgroup_hierarchy=1` on the kernel's command line):",
                "montez la hiérarchie unifiée, ou laissez faire systemd (`systemd.unified_cgroup_hierarchy=1` sur la ligne de commande du noyau) :",
            ),
        )
        .run(["mount -t cgroup2 cgroup2 /sys/fs/cgroup".to_owned()]),
    };
    Finding::new(Check::Cgroups, found, vec![problem])
}

fn not_writable_v2(host: &Host, means: &Means, base: &Path) -> Problem {
    let shown = base.display();
    let missing = Text::new(
        format!("this user can't make groups in {shown}"),
        format!("cet utilisateur ne peut pas créer de groupes dans {shown}"),
    );
    match (host.uid, host.in_container, host.with_systemd) {
        (_, true, _) => Problem::error(missing, in_a_container()),
        (0, ..) => {
            Problem::error(missing, Text::new("mount them writable:", "montez-les en écriture :"))
                .run([means.as_root("mount -o remount,rw /sys/fs/cgroup")])
        }
        (_, _, true) => Problem::error(
            missing,
            Text::new(
                "run as root, or start MecaPy in a group that systemd delegates:",
                "lancez MecaPy en root, ou dans un groupe délégué par systemd :",
            ),
        )
        .run(["systemd-run --user --scope -p Delegate=yes mecapy doctor".to_owned()]),
        _ => Problem::error(missing, as_root()),
    }
}

fn not_writable_v1(host: &Host, means: &Means, folder: &Path) -> Problem {
    let shown = folder.display();
    let missing = Text::new(
        format!("no groups can be made in {shown}"),
        format!("aucun groupe ne peut être créé dans {shown}"),
    );
    if host.in_container {
        return Problem::error(missing, in_a_container());
    }
    Problem::error(missing, Text::new("mount it writable:", "montez-le en écriture :"))
        .run([means.as_root(&format!("mount -o remount,rw {shown}"))])
}

/// Without root the sandbox uses the unified hierarchy alone.
fn v1_is_roots(host: &Host) -> Problem {
    let missing = Text::new(
        "without root, limits need cgroup v2, and memory, cpu, pids are in v1 here",
        "sans root, les limites demandent les cgroups v2 ; ici memory, cpu, pids sont en v1",
    );
    let remedy = match host.in_container {
        true => Text::new(
            "run as root, or start the container on a machine with cgroup v2",
            "lancez MecaPy en root, ou démarrez le conteneur sur une machine avec les cgroups v2",
        ),
        false => Text::new(
            "run as root, or restart the machine with `systemd.unified_cgroup_hierarchy=1` on the kernel's command line",
            "lancez MecaPy en root, ou redémarrez la machine avec `systemd.unified_cgroup_hierarchy=1` sur la ligne de commande du noyau",
        ),
    };
    Problem::error(missing, remedy)
}

fn in_a_container() -> Text {
    Text::new(
        "run as root, in a container that was started with writable control groups of its own: `--privileged --cgroupns=private`",
        "lancez MecaPy en root, dans un conteneur démarré avec ses propres cgroups, en écriture : `--privileged --cgroupns=private`",
    )
}

fn as_root() -> Text {
    Text::new("run as root", "lancez MecaPy en root")
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
    fn the_unified_hierarchy_is_used_where_it_has_all_controllers() {
        let finding = of(&systems::debian_12_root());
        assert_eq!(finding.status(), Status::Ok);
        assert!(finding.found.en.starts_with("v2 with memory, cpu, pids, at /sys/fs/cgroup/"));
    }

    #[test]
    fn v1_keeps_the_limits_on_a_hybrid_machine() {
        let mut host = systems::wsl_2_root();
        let finding = of(&host);
        assert_eq!(
            (finding.status(), &*finding.found.en),
            (Status::Ok, "hybrid: memory, cpu, pids in v1")
        );
        host.uid = 1000;
        let finding = of(&host);
        assert_eq!(finding.status(), Status::Failed, "only root can use v1");
        assert!(finding.problems[0].remedy.en.contains("systemd.unified_cgroup_hierarchy=1"));
        host.uid = 0;
        host.cgroups.values_mut().for_each(|folder| folder.writable = false);
        assert_eq!(of(&host).problems[0].commands, ["mount -o remount,rw /sys/fs/cgroup/memory"]);
    }

    #[test]
    fn a_login_over_ssh_is_told_to_have_a_group_delegated() {
        let finding = of(&systems::ubuntu_24_04_user());
        assert_eq!(finding.status(), Status::Failed);
        assert_eq!(
            finding.problems[0].commands,
            ["systemd-run --user --scope -p Delegate=yes mecapy doctor"]
        );
    }

    #[test]
    fn a_user_without_the_cpu_controller_is_told_how_to_have_it() {
        let mut host = systems::ubuntu_24_04_user();
        for folder in host.cgroups.values_mut() {
            (folder.controllers, folder.writable) = ("memory pids\n".into(), true);
        }
        let finding = of(&host);
        assert_eq!(finding.found.en, "v2 without cpu");
        assert!(finding.problems[0].commands[1].contains("Delegate=cpu memory pids"));
    }

    #[test]
    fn a_container_without_control_groups_is_told_how_to_be_started() {
        let finding = of(&systems::container_without_cgroups());
        assert_eq!((finding.status(), &*finding.found.fr), (Status::Failed, "aucun"));
        assert!(finding.problems[0].remedy.fr.contains("--cgroupns=private"));
    }
}
