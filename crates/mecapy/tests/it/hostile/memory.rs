//! How much memory an attack takes while it goes on.

use std::fs;

use super::Fortress;

/// The most memory that the server takes during `work`, in KiB beyond what it
/// takes before.
pub(crate) fn memory_of(fortress: &Fortress, work: impl FnOnce()) -> u64 {
    let process = format!("/proc/{}", fortress.server.pid());
    let read = |name: &str| -> u64 {
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // Forgets the highest mark so far.
    fs::write(format!("{process}/clear_refs"), "5").unwrap();
    let before = read("VmRSS:");
    work();
    read("VmHWM:").saturating_sub(before)
}
