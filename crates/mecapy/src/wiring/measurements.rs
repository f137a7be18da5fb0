//! What Prometheus finds at `/metrics`: names, meanings, and into which
//! buckets times fall.

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of times in seconds: from a warm run of a millisecond to the
/// longest that is no long-running one.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 300.0, 600.0,
];
/// Upper bounds of memory: from a megabyte to the most that a run may have.
const BYTES: &[f64] = &[1e6, 4e6, 16e6, 64e6, 128e6, 256e6, 512e6, 1024e6, 2048e6, 4096e6];

/// Every name and what it means. Labels have few and fixed values.
const NAMES: &[(&str, &str)] = &[
    ("mecapy_build_info", "1, with the version of the program."),
    ("mecapy_http_request_seconds", "Time to answer a request, by method, endpoint and status."),
    ("mecapy_problems_total", "Refused requests, by the problem's code."),
    ("mecapy_stage_seconds", "Time of a task's stages: accept, queue, startup, run, store."),
    ("mecapy_starts_total", "Runs by their start: warm, cold, or cached for none at all."),
    ("mecapy_tasks_ended_total", "Tasks that ended, by state."),
    ("mecapy_failures_total", "Attempts that failed, by the error's kind."),
    ("mecapy_run_cpu_seconds", "CPU time of a run's control group."),
    ("mecapy_run_peak_memory_bytes", "Most memory of a run's control group."),
    ("mecapy_queue_waiting", "Tasks that wait, by class."),
    ("mecapy_queue_running", "Tasks that run, by class."),
    ("mecapy_queue_oldest_seconds", "Age of the oldest task that waits, by class."),
    ("mecapy_workers", "Workers, by state: ready or draining."),
    ("mecapy_slots", "Tasks that may run at once."),
    ("mecapy_slots_free", "Slots that are free."),
    ("mecapy_templates", "Warm templates."),
    ("mecapy_templates_ready_runs", "Runs that stand ready on them."),
    ("mecapy_templates_memory_bytes", "Memory of the templates' control groups."),
    ("mecapy_part_up", "Whether a part answers: database, storage, workers."),
];

/// Begins to collect.
pub(super) fn collect() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES)
        })
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics can't be collected")?;
    for (name, about) in NAMES {
        // The exporter keeps one table of texts for all kinds.
        metrics::describe_gauge!(*name, *about);
    }
    metrics::gauge!("mecapy_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}
