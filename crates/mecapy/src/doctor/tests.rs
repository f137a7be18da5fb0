//! Whole reports on the texts of real systems.

use std::time::Duration;

use super::facts::{Calculation, Host};
use super::*;
use crate::console::Console;
use crate::settings::Variables;

fn refused() -> Calculation {
    Calculation::Tried(Err(Obstacle::Unsupported {
        missing: "no cgroup".into(),
        remedy: "mount them".into(),
    }))
}

fn report(host: Host, calculation: Calculation) -> Report {
    Report::of(&systems::facts(host, calculation))
}

fn marked(report: &Report) -> Vec<(&'static str, Status)> {
    report
        .findings
        .iter()
        .filter(|finding| finding.status() != Status::Ok)
        .map(|finding| (finding.check.name(), finding.status()))
        .collect()
}

#[test]
fn a_debian_server_is_good_for_root() {
    let report = report(systems::debian_12_root(), systems::calculated());
    assert_eq!(marked(&report), []);
    assert!(report.can_run());
    let names: Vec<_> = report.findings.iter().map(|finding| finding.check.name()).collect();
    assert_eq!(
        names,
        [
            "system",
            "cgroups",
            "namespaces",
            "seccomp",
            "uid_maps",
            "interpreters",
            "uv",
            "disk",
            "clock",
            "calculation"
        ]
    );
}

#[test]
fn a_user_of_ubuntu_is_told_of_control_groups_and_apparmor() {
    let report = report(systems::ubuntu_24_04_user(), refused());
    let failed = Status::Failed;
    assert_eq!(
        marked(&report),
        [("cgroups", failed), ("namespaces", failed), ("calculation", failed)]
    );
    assert!(!report.can_run());
}

#[test]
fn a_calculation_that_runs_outweighs_what_was_foreseen() {
    let report = report(systems::ubuntu_24_04_user(), systems::calculated());
    let warning = Status::Warning;
    assert_eq!(marked(&report), [("cgroups", warning), ("namespaces", warning)]);
    assert!(report.can_run());
}

#[test]
fn a_calculation_that_runs_makes_no_room_and_finds_no_uv() {
    let mut facts = systems::facts(systems::debian_12_root(), systems::calculated());
    let mut disk = systems::roomy_disk();
    disk.data.free_bytes = 1_000_000;
    facts.disk = Ok(disk);
    assert_eq!(marked(&Report::of(&facts)), [("disk", Status::Failed)]);
}

#[test]
fn a_container_without_control_groups_and_an_old_kernel_fail() {
    let failed = Status::Failed;
    assert_eq!(
        marked(&report(systems::container_without_cgroups(), refused())),
        [("cgroups", failed), ("calculation", failed)]
    );
    assert_eq!(
        marked(&report(systems::old_kernel(), refused())),
        [("system", failed), ("namespaces", failed), ("seccomp", failed), ("calculation", failed)]
    );
    assert_eq!(marked(&report(systems::wsl_2_root(), systems::calculated())), []);
}

#[test]
fn a_machine_that_gives_nothing_gets_a_finding_for_every_check() {
    let unseen = Unseen::Late(Duration::from_secs(5));
    let nothing = Facts {
        host: Err(unseen.clone()),
        pythons: Err(unseen.clone()),
        uv: Err(unseen.clone()),
        disk: Err(unseen.clone()),
        clock: Err(Unseen::Broken("a fault".into())),
        calculation: Err(unseen),
    };
    assert_eq!(Report::of(&nothing).count(Status::Failed), 10);
    // All files absent, as without /proc.
    assert!(!report(Host::default(), Calculation::NoInterpreter).can_run());
}

#[test]
fn below_a_line_stands_what_is_wrong_and_how_to_mend_it() {
    let report = report(systems::ubuntu_24_04_user(), refused());
    let shown = |lang| show::text(&report, Console::new(lang, false, &Variables::default()));
    let english = shown(domain::Lang::En);
    assert!(
        english.contains(
            "\n✗ cgroups       v2 with memory, cpu, pids, at /sys/fs/cgroup/user.slice/user-1000.slice/session-7.scope\n    \
             this user can't make groups in /sys/fs/cgroup/user.slice/user-1000.slice/session-7.scope\n    \
             → run as root, or start MecaPy in a group that systemd delegates:\n        \
             systemd-run --user --scope -p Delegate=yes mecapy doctor\n✗ namespaces    "
        ),
        "{english}"
    );
    assert!(english.contains("\n      3.11: 3.11.2 /usr/bin/python3.11 (default)\n"), "{english}");
    assert!(
        english.ends_with("\nCalculations can't run on this machine: 3 of 10 checks failed"),
        "{english}"
    );
    let french = shown(domain::Lang::Fr);
    assert!(french.starts_with("✓ système          Linux 6.8.0-51-generic sur x86_64"), "{french}");
    assert!(french.ends_with("3 contrôles sur 10 ont échoué"), "{french}");
}

#[test]
fn programs_get_one_object_with_every_check_and_a_summary() {
    let mut host = systems::debian_12_root();
    host.passwd += "build:x:1900000007:100::/:/bin/sh\n";
    let value = show::json(&report(host, systems::calculated()), domain::Lang::En);
    let map = &value["checks"][4];
    assert_eq!((&map["name"], &map["status"]), (&"uid_maps".into(), &"warning".into()));
    assert!(map["missing"].as_str().unwrap().starts_with("/etc/passwd gives build ids"));
    assert!(map["remedy"].as_str().unwrap().starts_with("give build other ids"));
    assert!(value["checks"][0]["missing"].is_null() && value["checks"][0]["remedy"].is_null());
    assert_eq!(value["summary"].to_string(), r#"{"can_run":true,"ok":9,"warnings":1,"failed":0}"#);
}
