//! `mecapy run FUNCTION key=value…`: run a function, or code that is not
//! deployed, and print the result.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::value::RawValue;

use super::inputs::Inputs;
use super::{follow, report};
use crate::cli::values;
use crate::client::{Answer, Client, Execute, Function, RunCode, Task, segment, unreadable};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Function: `name`, `name@1.2.3`, `company:name` or its id; none with --code
    #[arg(required_unless_present = "code")]
    pub function: Option<String>,
    /// The function's inputs.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Python file with `calculate`, run without being deployed
    #[arg(long, value_name = "FILE")]
    pub code: Option<PathBuf>,
    /// With --code: a package beyond the base image's; may be repeated
    #[arg(long = "requires", value_name = "PACKAGE", requires = "code")]
    pub requirements: Vec<String>,
    /// With --code: python-base, python-scientific or python-cfd
    #[arg(long, value_name = "IMAGE", requires = "code")]
    pub base_image: Option<String>,
    /// With --code: Python version, 3.9 to 3.13
    #[arg(long, value_name = "VERSION", requires = "code")]
    pub python: Option<String>,
    /// Longest wait in seconds, 0 only submits; else until it ends
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub wait: Option<Duration>,
    /// Urgency from 0 to 9, 9 first; 5 unless given
    #[arg(long, value_name = "0-9", value_parser = values::whole::<u8>(0..=9))]
    pub priority: Option<u8>,
    /// Time limit of the run in seconds; else the function's own
    #[arg(long, value_name = "SECONDS", value_parser = values::whole(1_u32..))]
    pub timeout: Option<u32>,
}

impl Run {
    /// Submits, waits, prints.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn run(mut self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        if self.code.is_some() {
            // What stands first is an input like the others.
            self.inputs.pairs.splice(0..0, self.function.take());
        }
        let inputs = self.inputs.read(&client, console)?;
        let deadline = self.wait.and_then(|wait| Instant::now().checked_add(wait));
        let only_submits = self.wait == Some(Duration::ZERO);
        // Programs get most results with the first answer; a person is shown
        // the log from its first line.
        let patience = Duration::from_secs(if console.interactive { 0 } else { 60 });
        let wait = self.wait.map_or(patience, |wait| wait.min(patience));
        let answer = self.send(&client, &inputs, wait)?;
        let task: Task = answer.read()?;
        // Asked first: a quick run may have ended by now, and whoever submits
        // wants its id all the same.
        if only_submits {
            if console.json {
                console.raw(&answer.body);
            } else {
                console.say(&task.task_id);
            }
            return Ok(Exit::Done);
        }
        if task.has_ended() {
            return report::ended(&client, console, &task, &answer.body);
        }
        let path = format!("/tasks/{}", task.task_id);
        match follow::task(&client, console, &path, deadline)? {
            Some((task, body)) => report::ended(&client, console, &task, &body),
            None => {
                still_running(console, &client.get(&path)?.body, &task.task_id);
                Ok(Exit::StillRunning)
            }
        }
    }
}

impl Run {
    /// Submits; where the function wants texts for what reads like numbers,
    /// they are sent as texts.
    fn send(&self, client: &Client, inputs: &RawValue, wait: Duration) -> Result<Answer, Failure> {
        let post = |inputs: &RawValue| {
            let (path, body) = self.request(inputs)?;
            let path = match wait {
                Duration::ZERO => path,
                wait => format!("{path}?wait={}", wait.as_secs_f64()),
            };
            client.post(&path, &body)
        };
        let (refused, function) = match (post(inputs), &self.function) {
            (Err(refused), Some(function)) => (refused, function),
            (sent, _) => return sent,
        };
        if !refused.is("invalid_inputs") {
            return Err(client.no_function(function, refused));
        }
        let schema = client
            .get(&format!("/functions/{}", segment(function)))
            .and_then(|answer| answer.read::<Function>())
            .ok()
            .and_then(|function| function.inputs_schema)
            .unwrap_or_default();
        let mut refused = match self.inputs.as_texts(inputs, &schema) {
            Some(texts) => match post(&texts) {
                Err(refused) => refused,
                sent => return sent,
            },
            None => refused,
        };
        for hint in self.inputs.files_to_send(&schema) {
            refused.text.en += &format!("\n  {}", hint.en);
            refused.text.fr += &format!("\n  {}", hint.fr);
        }
        Err(refused)
    }

    /// Where to send what.
    fn request(&self, inputs: &RawValue) -> Result<(String, String), Failure> {
        let execute = Execute { inputs, priority: self.priority, timeout: self.timeout };
        let written = "inputs are JSON already, and the rest is text and numbers";
        let Some(file) = &self.code else {
            let function = segment(self.function.as_deref().unwrap_or_default());
            let body = serde_json::to_string(&execute).expect(written);
            return Ok((format!("/functions/{function}/execute"), body));
        };
        let code = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let request = RunCode {
            name,
            code,
            requirements: &self.requirements,
            base_image: self.base_image.as_deref(),
            python_version: self.python.as_deref(),
            execute,
        };
        Ok(("/tasks".to_owned(), serde_json::to_string(&request).expect(written)))
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
