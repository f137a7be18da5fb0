//! Which values are written to which files of a group, as pure functions.

use std::time::Duration;

use crate::wire::RunLimits;

/// The hierarchies a group has files in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Pids,
    Cpu,
    /// CPU time used; `cpuacct` on v1.
    Accounting,
}

/// One value for one file.
pub(super) type Write = (Controller, &'static str, String);

/// Limits swap on v2, where the kernel accounts for it.
pub(super) const SWAP: &str = "memory.swap.max";

const PERIOD_US: u64 = 100_000;
/// The kernel refuses shorter quotas.
const SHORTEST_QUOTA_US: u64 = 1_000;

/// What to write so that a v1 group goes from `now` (what was last written;
/// none for a new group) to `wanted`.
pub(super) fn limits_v1(now: Option<&RunLimits>, wanted: &RunLimits, swap: bool) -> Vec<Write> {
    let mut writes = Vec::new();
    let memory = wanted.memory_bytes;
    if now.map(|now| now.memory_bytes) != Some(memory) {
        let ram = (Controller::Memory, "memory.limit_in_bytes", memory.to_string());
        let both = (Controller::Memory, "memory.memsw.limit_in_bytes", memory.to_string());
        // The limit with swap may never be below the one without.
        let growing = now.is_some_and(|now| now.memory_bytes < memory);
        match (swap, growing) {
            (false, _) => writes.push(ram),
            (true, true) => writes.extend([both, ram]),
            (true, false) => writes.extend([ram, both]),
        }
    }
    if now.map(|now| now.pids) != Some(wanted.pids) {
        writes.push((Controller::Pids, "pids.max", wanted.pids.to_string()));
    }
    if now.map(|now| now.cpu_cores) != Some(wanted.cpu_cores) {
        writes.push((Controller::Cpu, "cpu.cfs_quota_us", quota_us(wanted.cpu_cores).to_string()));
    }
    if now.map(|now| now.low_priority) != Some(wanted.low_priority) {
        let shares = if wanted.low_priority { "16" } else { "1024" };
        writes.push((Controller::Cpu, "cpu.shares", shares.to_owned()));
    }
    writes
}

/// The same for v2.
pub(super) fn limits_v2(now: Option<&RunLimits>, wanted: &RunLimits) -> Vec<Write> {
    let mut writes = Vec::new();
    if now.is_none() {
        writes.push((Controller::Memory, SWAP, "0".to_owned()));
        writes.push((Controller::Memory, "memory.oom.group", "1".to_owned()));
    }
    if now.map(|now| now.memory_bytes) != Some(wanted.memory_bytes) {
        writes.push((Controller::Memory, "memory.max", wanted.memory_bytes.to_string()));
    }
    if now.map(|now| now.pids) != Some(wanted.pids) {
        writes.push((Controller::Pids, "pids.max", wanted.pids.to_string()));
    }
    if now.map(|now| now.cpu_cores) != Some(wanted.cpu_cores) {
        let quota = format!("{} {PERIOD_US}", quota_us(wanted.cpu_cores));
        writes.push((Controller::Cpu, "cpu.max", quota));
    }
    if now.map(|now| now.low_priority) != Some(wanted.low_priority) {
        let weight = if wanted.low_priority { "2" } else { "100" };
        writes.push((Controller::Cpu, "cpu.weight", weight.to_owned()));
    }
    writes
}

/// CPU time from `cpuacct.usage` (nanoseconds) or `cpu.stat` (`usage_usec`).
pub(crate) fn cpu_time(text: &str) -> Option<Duration> {
    match field(text, "usage_usec") {
        Some(microseconds) => Some(Duration::from_micros(microseconds)),
        None => text.trim().parse().ok().map(Duration::from_nanos),
    }
}

/// The highest use in bytes, a file of one number in both generations.
pub(crate) fn memory_peak(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Processes killed for memory, from `memory.oom_control` or `memory.events`.
pub(super) fn oom_kills(text: &str) -> u64 {
    field(text, "oom_kill").unwrap_or(0)
}

fn quota_us(cores: f64) -> u64 {
    // Float to integer casts saturate, so that no value of a caller overflows.
    ((cores * PERIOD_US as f64) as u64).max(SHORTEST_QUOTA_US)
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find_map(|(key, value)| (key == name).then(|| value.trim().parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(memory_bytes: u64) -> RunLimits {
        RunLimits { memory_bytes, pids: 64, cpu_cores: 1.5, low_priority: false }
    }

    fn files(writes: &[Write]) -> Vec<&str> {
        writes.iter().map(|(_, file, _)| *file).collect()
    }

    #[test]
    fn the_limit_with_swap_moves_first_when_growing_and_last_when_shrinking() {
        let (small, large) = (limits(1 << 20), limits(1 << 30));
        assert_eq!(
            files(&limits_v1(Some(&small), &large, true)),
            ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]
        );
        assert_eq!(
            files(&limits_v1(Some(&large), &small, true)),
            ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        );
    }

    #[test]
    fn a_reused_group_with_the_same_limits_needs_no_write() {
        assert!(limits_v1(Some(&limits(5)), &limits(5), true).is_empty());
        assert!(limits_v2(Some(&limits(5)), &limits(5)).is_empty());
    }

    #[test]
    fn a_new_v2_group_has_no_swap_and_dies_as_a_whole() {
        let writes = limits_v2(None, &limits(5));
        assert!(writes.contains(&(Controller::Memory, "memory.swap.max", "0".into())));
        assert!(writes.contains(&(Controller::Memory, "memory.oom.group", "1".into())));
        assert!(writes.contains(&(Controller::Cpu, "cpu.max", "150000 100000".into())));
    }

    #[test]
    fn counters_of_both_generations_are_read() {
        assert_eq!(cpu_time("1500\n"), Some(Duration::from_nanos(1500)));
        assert_eq!(cpu_time("usage_usec 7\nuser_usec 3\n"), Some(Duration::from_micros(7)));
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
        assert_eq!(oom_kills("low 0\noom 3\noom_kill 1\noom_group_kill 1\n"), 1);
    }
}
