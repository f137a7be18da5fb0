//! What attackers and accidents do, through the public interface.
//!
//! A case says how it must end. [`Fortress`] then proves that the next
//! calculation on the same worker is right and that nothing is left: no
//! process, mount, control group, namespace, file, open file or memory.

mod api;
mod archive;
mod arena;
mod census;
mod channels;
mod endings;
mod escape;
mod files;
mod forgery;
mod memory;
mod recycling;
mod resources;
mod results;
mod sharing;
mod trap;
mod wheels;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::Client;
use test_support::server::Server;

use super::server::{deploy, execute, start};
use census::Census;

/// How long a server may take to be as it was.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server under attack.
pub(crate) struct Fortress {
    pub(crate) client: Client,
    pub(crate) server: Server,
    before: Census,
    folder: tempfile::TempDir,
}

impl Fortress {
    /// A server on an empty folder that has served an honest calculation.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same with further settings.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let mut all = vec![("TMPDIR", temporary.to_str().unwrap())];
        all.extend(variables);
        let server = start(&folder.path().join("data"), &all);
        let client = server.client();
        deploy(&client, &honest());
        let mut fortress = Self { client, server, before: Census::default(), folder };
        fortress.rebase();
        fortress
    }

    /// The folder of this test, which holds the server's `data` and `tmp`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Takes the present state for the one to come back to; for a test that
    /// has deployed a function with an environment of its own.
    pub(crate) fn rebase(&mut self) {
        self.answers_right();
        let began = Instant::now();
        let mut last = self.census();
        let mut since = Instant::now();
        while since.elapsed() < Duration::from_millis(300) {
            assert!(began.elapsed() < PATIENCE, "the server does not come to rest: {last:#?}");
            std::thread::sleep(Duration::from_millis(20));
            let now = self.census();
            if !now.is_as(&last) {
                since = Instant::now();
            }
            last = now;
        }
        self.before = last;
    }

    /// Deploys a function; what stands warm because of it is no leftover.
    pub(crate) fn deploy(&self, archive: &Archive) {
        deploy(&self.client, archive);
    }

    /// Runs a function that was deployed, and proves that nothing came of it
    /// but its own end. Gives the task.
    pub(crate) fn attack(&self, function: &str, inputs: &Value) -> Value {
        let task = execute(&self.client, function, inputs).expect(200).json();
        self.stands();
        task
    }

    /// The result of an attack that is expected to end well.
    pub(crate) fn result(&self, function: &str, inputs: &Value) -> Value {
        let task = self.attack(function, inputs);
        assert_eq!(task["status"], "completed", "{task:#}");
        task["result"].clone()
    }

    /// The error of an attack that is expected to fail, of this kind.
    pub(crate) fn error(&self, function: &str, inputs: &Value, kind: &str) -> Value {
        let task = self.attack(function, inputs);
        assert_eq!(task["status"], "failed", "{task:#}");
        assert_eq!(task["error"]["kind"], kind, "{task:#}");
        let message = task["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "an error says what happened: {task:#}");
        task["error"].clone()
    }

    /// The faults with which an archive is refused.
    pub(crate) fn refused(&self, archive: &[u8]) -> Vec<Value> {
        let answer = self.client.post_file("/functions?wait=60", "archive", "a.zip", archive);
        let body = answer.expect(422).json();
        self.stands();
        let faults = body["faults"].as_array().cloned().unwrap_or_default();
        assert!(!faults.is_empty(), "a refusal names its faults: {body:#}");
        for fault in &faults {
            let message = fault["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty(), "a fault says what is wrong: {fault:#}");
        }
        faults
    }

    /// Proves that honest work is served and that nothing is left.
    pub(crate) fn stands(&self) {
        self.answers_right();
        let began = Instant::now();
        loop {
            let left = self.census().beyond(&self.before);
            if left.is_empty() {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "left behind after {PATIENCE:?}:\n{}",
                left.join("\n")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs honest calculations, one after another and as many at once as
    /// there are slots.
    fn answers_right(&self) {
        let ask = |force: f64| {
            let task =
                execute(&self.client, "honest", &json!({ "force": force })).expect(200).json();
            assert_eq!(task["result"], json!({ "stress": force / 245.0 }), "{task:#}");
        };
        ask(94_080.0);
        std::thread::scope(|scope| {
            for force in [1.0, 0.1, -0.0, 1e308] {
                scope.spawn(move || ask(force));
            }
        });
    }

    fn census(&self) -> Census {
        Census::of(self.server.pid(), self.folder.path())
    }
}

/// What everybody else in the company wants to go on with: σ = F / A.
fn honest() -> Archive {
    Archive::new(
        "honest",
        "def calculate(inputs):\n    return {'stress': inputs['force'] / 245.0}\n",
    )
}

/// An archive whose function does what its input `attack` names. The file is
/// Python as an attacker writes it, beside the tests.
pub(crate) fn arsenal(name: &str, handler: &str) -> Archive {
    Archive::new(name, handler)
        .file("kernel.py", include_str!("handlers/kernel.py"))
        .set("runtime.timeout", json!(20))
}
