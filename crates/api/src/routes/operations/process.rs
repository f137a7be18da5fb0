//! What this process takes, under the names that Prometheus' own libraries
//! use.

use std::fmt::Write as _;
use std::fs;

/// The kernel tells CPU time in hundredths of a second, on every machine that
/// this program runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measurements of this process in Prometheus' text format; those that the
/// kernel does not tell are left out.
pub(super) fn text() -> String {
    let mut text = String::new();
    let mut put = |name: &str, kind: &str, about: &str, value: Option<f64>| {
        if let Some(value) = value {
            let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}\n");
        }
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let boot = fs::read_to_string("/proc/stat").ok().and_then(|text| field(&text, "btime"));
    let started = ticks(&stat, 19).zip(boot).map(|(ticks, boot)| boot + ticks);
    let cpu = ticks(&stat, 11).zip(ticks(&stat, 12)).map(|(user, system)| user + system);
    let files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    put("process_cpu_seconds_total", "counter", "CPU time of the server, without runs.", cpu);
    put(
        "process_resident_memory_bytes",
        "gauge",
        "Memory of the server, without runs.",
        field(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024.0),
    );
    put("process_threads", "gauge", "Threads of the server.", field(&status, "Threads:"));
    put("process_open_fds", "gauge", "Open files of the server.", files);
    put("process_start_time_seconds", "gauge", "When the server started, since 1970.", started);
    text
}

/// A field of `/proc/self/stat` in seconds, counted behind the program's name:
/// that may hold blanks.
fn ticks(stat: &str, at: usize) -> Option<f64> {
    let rest = stat.rsplit_once(')')?.1;
    let ticks: f64 = rest.split_whitespace().nth(at)?.parse().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_measured_whatever_its_name() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 3 0 12345 0";
        assert_eq!(ticks(stat, 11), Some(2.5));
        assert_eq!(ticks(stat, 19), Some(123.45));
        assert_eq!(field("Name:\tx\nVmRSS:\t  100 kB\n", "VmRSS:"), Some(100.0));
        for name in ["process_cpu_seconds_total", "process_start_time_seconds"] {
            assert!(text().contains(&format!("\n{name} ")), "{}", text());
        }
    }
}
