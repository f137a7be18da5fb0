//! The user ids that sandboxes are given: root's own range, or a user's
//! subordinate ids.

use std::ops::Range;

use domain::Text;

use crate::doctor::facts::{Host, MapProgram};
use crate::doctor::means::Means;
use crate::doctor::{Check, Finding, Problem};

/// How many ids sandboxes share.
const IDS: u64 = 65_536;

pub(in crate::doctor) fn check(host: &Host, means: &Means) -> Finding {
    if host.uid == 0 { of_root(host) } else { of_user(host, means) }
}

/// Root takes a range far from everybody's, which must be there and be free.
fn of_root(host: &Host) -> Finding {
    let first = u64::from(host.first_uid);
    let range = first..first + IDS;
    let shown = format!("{}–{}", range.start, range.end - 1);
    let mut problems = Vec::new();
    // An absent map says nothing; what else is missing then does.
    let lacks = |map: &str| !map.is_empty() && !mapped(map).any(|ids| holds(&ids, &range));
    if lacks(&host.uid_map) || lacks(&host.gid_map) {
        problems.push(Problem::error(
            Text::new(
                format!("this root is one of a user namespace, which has no ids {shown} (/proc/self/uid_map, gid_map)"),
                format!("ce root est celui d’un espace de noms user, qui n’a pas les identifiants {shown} (/proc/self/uid_map, gid_map)"),
            ),
            Text::new(
                "run as the machine's own root, or in a container without a user namespace (Podman: as root, without `--userns`)",
                "lancez MecaPy avec le root de la machine, ou dans un conteneur sans espace de noms user (Podman : en root, sans `--userns`)",
            ),
        ));
    }
    for (file, owner) in takers(host, &range) {
        problems.push(Problem::warning(
            Text::new(
                format!("{file} gives {owner} ids of {shown}, which sandboxes run under: its processes and theirs could signal each other"),
                format!("{file} donne à {owner} des identifiants de {shown}, ceux des bacs à sable : leurs processus pourraient s’envoyer des signaux"),
            ),
            Text::new(
                format!("give {owner} other ids in {file}"),
                format!("donnez d’autres identifiants à {owner} dans {file}"),
            ),
        ));
    }
    let found = match problems.is_empty() {
        true => Text::new(
            format!("root; sandboxes use {shown}, which are nobody's"),
            format!("root ; les bacs à sable utilisent {shown}, qui ne sont à personne"),
        ),
        false => Text::new(
            format!("root; sandboxes would use {shown}"),
            format!("root ; les bacs à sable utiliseraient {shown}"),
        ),
    };
    Finding::new(Check::UidMaps, found, problems)
}

fn holds(outer: &Range<u64>, inner: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Whoever has ids of the range, with the file that says so.
fn takers<'a>(host: &'a Host, range: &Range<u64>) -> Vec<(&'static str, &'a str)> {
    let mut takers = Vec::new();
    for (file, text) in [("/etc/passwd", &host.passwd), ("/etc/group", &host.group)] {
        takers.extend(text.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let id: u64 = fields.nth(1)?.parse().ok()?;
            range.contains(&id).then_some((file, name))
        }));
    }
    for (file, text) in [("/etc/subuid", &host.subuid), ("/etc/subgid", &host.subgid)] {
        let ranges = subordinate(text);
        takers.extend(
            ranges
                .filter(|(_, ids)| ids.start < range.end && range.start < ids.end)
                .map(|(name, _)| (file, name)),
        );
    }
    takers
}

/// A user needs subordinate ids, and the two programs that map them.
fn of_user(host: &Host, means: &Means) -> Finding {
    let number = host.uid.to_string();
    let user = host.user().unwrap_or(&number);
    let owns = |name: &str| name == user || name == number;
    let has =
        |text: &str| subordinate(text).any(|(name, ids)| owns(name) && ids.end - ids.start >= IDS);
    let mut problems = Vec::new();
    let lacking: Vec<&str> = [("/etc/subuid", &host.subuid), ("/etc/subgid", &host.subgid)]
        .into_iter()
        .filter_map(|(file, text)| (!has(text)).then_some(file))
        .collect();
    if !lacking.is_empty() {
        let range = free(host);
        let range = format!("{}-{}", range.start, range.end - 1);
        problems.push(
            Problem::error(
                Text::new(
                    format!(
                        "the user {user} has no 65,536 subordinate ids in {}",
                        lacking.join(" and ")
                    ),
                    format!(
                        "l’utilisateur {user} n’a pas 65 536 identifiants subordonnés dans {}",
                        lacking.join(" et ")
                    ),
                ),
                Text::new(
                    "run as root, or give it some:",
                    "lancez MecaPy en root, ou donnez-lui-en :",
                ),
            )
            .run([means
                .as_root(&format!("usermod --add-subuids {range} --add-subgids {range} {user}"))]),
        );
    }
    problems.extend(no_programs(host, means));
    for program in [&host.newuidmap, &host.newgidmap] {
        problems.extend(lacks_rights(program, means));
    }
    if host.status("NoNewPrivs") == Some("1") {
        problems.push(Problem::error(
            Text::new(
                "this process can't gain rights (no_new_privs), so newuidmap can't work",
                "ce processus ne peut pas acquérir de droits (no_new_privs) : newuidmap ne peut pas agir",
            ),
            Text::new(
                "start it without that: in a service NoNewPrivileges=no, in a container without `no-new-privileges`",
                "démarrez-le sans cela : dans un service NoNewPrivileges=no, dans un conteneur sans `no-new-privileges`",
            ),
        ));
    }
    let found = match problems.is_empty() {
        true => Text::new(
            format!("{user}, with subordinate ids"),
            format!("{user}, avec des identifiants subordonnés"),
        ),
        false => {
            Text::new(format!("{user}, who is not root"), format!("{user}, qui n’est pas root"))
        }
    };
    Finding::new(Check::UidMaps, found, problems)
}

fn no_programs(host: &Host, means: &Means) -> Option<Problem> {
    let absent = |program: &MapProgram| program.path.is_none();
    let (en, fr) = match (absent(&host.newuidmap), absent(&host.newgidmap)) {
        (false, false) => return None,
        (true, false) => ("newuidmap", "newuidmap"),
        (false, true) => ("newgidmap", "newgidmap"),
        (true, true) => ("newuidmap and newgidmap", "newuidmap et newgidmap"),
    };
    let missing = Text::new(
        format!("not found: {en}, needed to map subordinate ids"),
        format!("introuvable : {fr}, pour établir les identifiants subordonnés"),
    );
    let remedy = Text::new(
        "run as root, or install the package that has them:",
        "lancez MecaPy en root, ou installez le paquet qui les contient :",
    );
    Some(Problem::error(missing, remedy).run(means.install_uidmap()))
}

fn lacks_rights(program: &MapProgram, means: &Means) -> Option<Problem> {
    let path = program.path.as_ref().filter(|_| !program.privileged)?;
    let shown = path.display();
    let missing = Text::new(
        format!("{shown} is neither setuid root nor has it capabilities"),
        format!("{shown} n’est ni setuid root ni doté de capacités"),
    );
    let remedy = Text::new("give it its right back:", "rendez-lui son droit :");
    Some(Problem::error(missing, remedy).run([means.as_root(&format!("chmod u+s {shown}"))]))
}

/// Lines `name:first:count`, as subuid(5) describes them.
fn subordinate(text: &str) -> impl Iterator<Item = (&str, Range<u64>)> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next()?;
        let first: u64 = fields.next()?.parse().ok()?;
        let count: u64 = fields.next()?.parse().ok()?;
        Some((name, first..first.checked_add(count)?))
    })
}

/// The outer view of lines `inner outer count`, as user_namespaces(7)
/// describes them: the ids that this process can name.
fn mapped(text: &str) -> impl Iterator<Item = Range<u64>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (inner, _, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
        Some(inner..inner.checked_add(count)?)
    })
}

/// A range of subordinate ids that nobody has.
fn free(host: &Host) -> Range<u64> {
    let taken = subordinate(&host.subuid).chain(subordinate(&host.subgid));
    let first = taken.map(|(_, ids)| ids.end).fold(100_000, u64::max);
    first..first + IDS
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
    fn roots_range_must_be_nobodys() {
        let mut host = systems::debian_12_root();
        assert_eq!(of(&host).status(), Status::Ok);
        host.passwd += "build:x:1900000007:100::/:/bin/sh\n";
        host.subgid += "ada:1899999000:65536\n";
        let finding = of(&host);
        assert_eq!(finding.status(), Status::Warning);
        assert!(finding.problems[0].missing.en.starts_with("/etc/passwd gives build ids"));
        assert!(finding.problems[1].remedy.en.contains("give ada other ids in /etc/subgid"));
    }

    #[test]
    fn root_of_a_user_namespace_lacks_the_range() {
        let mut host = systems::debian_12_root();
        host.uid_map =
            "         0       1000          1\n         1     100000      65536\n".into();
        let finding = of(&host);
        assert_eq!(finding.status(), Status::Failed);
        assert_eq!(finding.problems.len(), 1);
        assert!(finding.problems[0].missing.en.contains("/proc/self/uid_map"));
    }

    #[test]
    fn a_user_needs_subordinate_ids_and_is_given_free_ones() {
        let mut host = systems::ubuntu_24_04_user();
        assert_eq!(of(&host).status(), Status::Ok);
        host.subuid = "grace:100000:65536\nada:165536:1000\n".into();
        host.subgid = "1000:300000:65536\n".into();
        let finding = of(&host);
        assert_eq!(finding.problems.len(), 1, "numbers name a user, too");
        assert_eq!(
            finding.problems[0].commands,
            ["sudo usermod --add-subuids 365536-431071 --add-subgids 365536-431071 ada"]
        );
    }

    #[test]
    fn the_programs_that_map_ids_must_be_there_with_their_rights() {
        let mut host = systems::ubuntu_24_04_user();
        host.newuidmap = MapProgram::default();
        host.newgidmap.privileged = false;
        let finding = of(&host);
        assert_eq!(finding.problems[0].commands, ["sudo apt-get install uidmap"]);
        assert_eq!(finding.problems[1].commands, ["sudo chmod u+s /usr/bin/newgidmap"]);
    }

    #[test]
    fn a_process_that_gains_no_rights_can_use_no_subordinate_ids() {
        let mut host = systems::ubuntu_24_04_user();
        host.status = "Name:\tmecapy\nNoNewPrivs:\t1\nSeccomp:\t0\n".into();
        assert!(of(&host).problems[0].missing.en.contains("no_new_privs"));
    }
}
