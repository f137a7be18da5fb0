//! The whole server as its users meet it: the real program, its sandbox, its
//! database and its disk.

mod accounts;
mod advisories;
mod backup;
mod calculations;
mod code;
mod crash;
mod deployments;
mod endings;
mod exactness;
mod files;
mod git;
mod logs;
mod migrations;
mod on_postgres;
mod open_files;
mod operator;
mod queue;
mod rehearsal;
mod streams;
mod telemetry;
mod terminal;
mod tested;
mod typed;

use std::path::Path;

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::{Answer, Client};
use test_support::server::Server;

/// A server on a folder of its own, gone with it.
pub(crate) struct Running {
    pub(crate) client: Client,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Running {
    /// What the server wrote so far.
    pub(crate) fn said(&self) -> String {
        self.server.said()
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> &str {
        self.server.token()
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        self.server.data()
    }
}

/// What a server wrote once it wrote `expected`.
pub(crate) fn says(server: &Server, expected: &str) -> String {
    let said = server.said_once(|said| said.contains(expected));
    assert!(said.contains(expected), "expected {expected} in:\n{said}");
    said
}

/// Starts a server on an empty folder.
pub(crate) fn server() -> Running {
    server_with(&[])
}

/// The same with further settings.
pub(crate) fn server_with(variables: &[(&str, &str)]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("data"), variables);
    let client = server.client();
    Running { client, server, _folder: folder }
}

/// Starts a server on a folder that may hold an earlier one's data.
pub(crate) fn start(data: &Path, variables: &[(&str, &str)]) -> Server {
    Server::start_with(env!("CARGO_BIN_EXE_mecapy"), data, |command| {
        command.env("LOG_LEVEL", "warn").env("MECAPY_STATIC_CHECK", "off");
        command.envs(variables.iter().copied());
        command.env("MECAPY_UV", test_support::tools::uv());
    })
    .unwrap()
}

/// Deploys an archive and waits until it is there.
pub(crate) fn deploy(client: &Client, archive: &Archive) -> Value {
    let answer = client.post_file("/functions?wait=60", "archive", "a.zip", &archive.zip());
    assert!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.text());
    answer.json()
}

/// Runs a function and waits for its end.
pub(crate) fn run(client: &Client, function: &str, inputs: &Value) -> Value {
    execute(client, function, inputs).expect(200).json()
}

/// The answer to a run that is waited for.
pub(crate) fn execute(client: &Client, function: &str, inputs: &Value) -> Answer {
    client.post(&format!("/functions/{function}/execute?wait=60"), &json!({ "inputs": inputs }))
}

/// Submits without waiting and gives the task's id.
pub(crate) fn submit(client: &Client, function: &str, inputs: &Value) -> String {
    let path = format!("/functions/{function}/execute");
    let answer = client.post(&path, &json!({ "inputs": inputs })).expect(202).json();
    answer["task_id"].as_str().unwrap().to_owned()
}

/// Looks at a task until it is in the state, for a minute at most.
pub(crate) fn until(client: &Client, task: &str, state: &str) -> Value {
    let begin = std::time::Instant::now();
    loop {
        let body = client.get(&format!("/tasks/{task}")).expect(200).json();
        if body["status"] == state {
            return body;
        }
        assert!(begin.elapsed().as_secs() < 60, "it is not {state}: {body:#}");
        std::thread::yield_now();
    }
}

/// A function that gives back what it gets.
pub(crate) fn echo() -> Archive {
    Archive::new("echo", "def calculate(inputs):\n    return inputs\n")
}
