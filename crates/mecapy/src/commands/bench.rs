//! `mecapy bench`: a closed loop of clients that measures the server.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::inputs::Inputs;
use crate::cli::values;
use crate::client::{Client, Execute, Task, segment};
use crate::console::{Console, duration};
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Function: `name`, `name@1.2.3`, `company:name` or its id
    pub function: String,
    /// The function's inputs, the same in every request.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Clients at the same time, each with a connection of its own; 1 unless given
    #[arg(long, value_name = "NUMBER", default_value_t = 1, hide_default_value = true,
          value_parser = values::whole::<u64>(1..=1024))]
    pub clients: u64,
    /// Requests in all, after the warm-up; 100 unless given
    #[arg(long, value_name = "NUMBER", default_value_t = 100, hide_default_value = true,
          value_parser = values::whole(1_u64..))]
    pub requests: u64,
    /// Requests before the measurement; one for each client unless given
    #[arg(long, value_name = "NUMBER", value_parser = values::whole(0_u64..))]
    pub warmup: Option<u64>,
}

/// What was measured; times in milliseconds from request to whole answer.
#[derive(Debug, Serialize)]
pub struct Measured {
    function: String,
    clients: u64,
    requests: u64,
    failures: u64,
    first_failure: Option<String>,
    elapsed_s: f64,
    throughput_per_s: f64,
    mean_ms: f64,
    min_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    warm: u64,
}

impl Bench {
    /// Measures and prints; every answer must be a completed calculation.
    ///
    /// # Errors
    /// When the server can't be reached or refuses the first request.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        let inputs = self.inputs.read(&client, console)?;
        let execute = Execute { inputs: &inputs, priority: None, timeout: None };
        let call = Call {
            body: serde_json::to_string(&execute).expect("inputs are JSON already"),
            path: format!("/functions/{}/execute?wait=60", segment(&self.function)),
            client,
        };
        // The first request shows what is wrong, if anything, in full.
        call.once().map_err(|refused| call.client.no_function(&self.function, refused))?;
        drive(&call, self.clients, self.warmup.unwrap_or(self.clients));
        let started = Instant::now();
        let outcome = drive(&call, self.clients, self.requests);
        let measured = self.measured(outcome, started.elapsed());
        if console.json {
            console.value(&measured);
        } else {
            show(console, &measured);
        }
        Ok(if measured.failures == 0 { Exit::Done } else { Exit::Failed })
    }

    fn measured(&self, outcome: Outcome, elapsed: Duration) -> Measured {
        let mut times = outcome.times;
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let count = times.len().max(1);
        #[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^53")]
        let (mean, throughput) = (
            times.iter().copied().map(ms).sum::<f64>() / count as f64,
            times.len() as f64 / elapsed.as_secs_f64(),
        );
        Measured {
            function: self.function.clone(),
            clients: self.clients,
            requests: self.requests,
            failures: outcome.failures,
            first_failure: outcome.first_failure,
            elapsed_s: elapsed.as_secs_f64(),
            throughput_per_s: throughput,
            mean_ms: mean,
            min_ms: ms(times.first().copied().unwrap_or_default()),
            p50_ms: ms(percentile(&times, 50)),
            p95_ms: ms(percentile(&times, 95)),
            p99_ms: ms(percentile(&times, 99)),
            max_ms: ms(times.last().copied().unwrap_or_default()),
            warm: outcome.warm,
        }
    }
}

struct Call {
    client: Client,
    path: String,
    body: String,
}

impl Call {
    fn once(&self) -> Result<Task, Failure> {
        let task: Task = self.client.post(&self.path, &self.body)?.read()?;
        if task.status == "completed" {
            return Ok(task);
        }
        let why = task.error.map_or(task.status, |error| error.sentence());
        Err(Failure::new(Exit::Failed, domain::Text::same(why)))
    }
}

#[derive(Default)]
struct Outcome {
    times: Vec<Duration>,
    failures: u64,
    warm: u64,
    first_failure: Option<String>,
}

/// `clients` threads share `requests` requests: each sends its next one when
/// its last one was answered.
fn drive(call: &Call, clients: u64, requests: u64) -> Outcome {
    let (next, all) = (AtomicU64::new(0), Mutex::new(Outcome::default()));
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut own = Outcome::default();
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    let started = Instant::now();
                    match call.once() {
                        Ok(task) => {
                            own.times.push(started.elapsed());
                            own.warm += u64::from(task.warm == Some(true));
                        }
                        Err(failure) => {
                            own.failures += 1;
                            own.first_failure.get_or_insert(failure.text.en);
                        }
                    }
                }
                let mut all = all.lock().expect("no client panics while it holds the lock");
                all.times.append(&mut own.times);
                all.failures += own.failures;
                all.warm += own.warm;
                if let Some(failure) = own.first_failure {
                    all.first_failure.get_or_insert(failure);
                }
            });
        }
    });
    all.into_inner().expect("no client panics while it holds the lock")
}

/// The nearest-rank percentile of sorted times.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn show(console: Console, measured: &Measured) {
    let time = |ms: f64| duration(Duration::from_secs_f64(ms / 1e3));
    let rows = [
        (console.t("requests", "requêtes"), measured.requests.to_string()),
        (console.t("clients", "clients"), measured.clients.to_string()),
        (console.t("failures", "échecs"), measured.failures.to_string()),
        (console.t("warm", "à chaud"), measured.warm.to_string()),
        (console.t("throughput", "débit"), format!("{:.1} /s", measured.throughput_per_s)),
        (console.t("mean", "moyenne"), time(measured.mean_ms)),
        (console.t("fastest", "minimum"), time(measured.min_ms)),
        ("p50", time(measured.p50_ms)),
        ("p95", time(measured.p95_ms)),
        ("p99", time(measured.p99_ms)),
        (console.t("slowest", "maximum"), time(measured.max_ms)),
    ]
    .map(|(word, value)| vec![word.to_owned(), value]);
    console.say(console.table(&rows, &[1]));
    if let Some(failure) = &measured.first_failure {
        console.note(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_of_the_nearest_rank() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
