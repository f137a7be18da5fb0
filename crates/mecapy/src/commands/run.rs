//! `mecapy run FUNCTION key=value…`: run a function and print its result.

use std::time::{Duration, Instant};

use clap::Args;

use super::inputs::Inputs;
use super::{follow, report};
use crate::client::{Client, Execute, Task, segment};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Function: `name`, `name@1.2.3`, `company:name` or its id
    pub function: String,
    /// The function's inputs.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Longest wait in seconds, 0 only submits; else until it ends
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
    /// Urgency from 0 to 9, 9 first; 5 unless given
    #[arg(long, value_name = "0-9", value_parser = clap::value_parser!(u8).range(0..=9))]
    pub priority: Option<u8>,
    /// Time limit of the run in seconds; else the function's own
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: Option<u32>,
}

impl Run {
    /// Submits, waits, prints.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        let inputs = self.inputs.read(&client)?;
        let deadline = self.wait.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let execute = Execute { inputs: &inputs, priority: self.priority, timeout: self.timeout };
        let body = serde_json::to_string(&execute).expect("inputs are JSON already");
        // Most runs end within the first request; a person sees what goes on
        // in the others soon.
        let patience = if console.interactive { 2 } else { 60 };
        let wait = self.wait.map_or(patience, |seconds| seconds.min(patience));
        let path = format!("/functions/{}/execute?wait={wait}", segment(&self.function));
        let answer = client.post(&path, &body)?;
        let task: Task = answer.read()?;
        if task.has_ended() {
            return report::ended(&client, console, &task, &answer.body);
        }
        let path = format!("/tasks/{}", task.task_id);
        if self.wait == Some(0) {
            if console.json {
                console.raw(&answer.body);
            } else {
                console.say(&task.task_id);
            }
            return Ok(Exit::Done);
        }
        match follow::task(&client, console, &path, deadline)? {
            Some((task, body)) => report::ended(&client, console, &task, &body),
            None => {
                still_running(console, &client.get(&path)?.body, &task.task_id);
                Ok(Exit::StillRunning)
            }
        }
    }
}

fn still_running(console: Console, body: &[u8], id: &str) {
    if console.json {
        console.raw(body);
        return;
    }
    console.note(match console.lang {
        domain::Lang::En => format!("the task has not ended yet; see `mecapy tasks result {id}`"),
        domain::Lang::Fr => {
            format!("la tâche n’est pas encore terminée ; voir `mecapy tasks result {id}`")
        }
    });
}
