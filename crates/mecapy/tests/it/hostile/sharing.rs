//! What one run does to another, of the same function, of another, and of
//! another company: nothing. All of them are forks of one template.

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::Client;
use test_support::wheels::Wheel;

use super::{Fortress, arsenal};
use crate::server::{deploy, execute, submit, until};

/// Runs that are forked before they have work, and some.
const WAITING: usize = 6;

fn weapons(name: &str) -> Archive {
    arsenal(name, include_str!("handlers/sharing.py"))
}

/// A server on which two companies have functions without packages, which
/// share a template.
struct Shared {
    fortress: Fortress,
    /// Who may see nothing of it: function, and client of its company.
    bystanders: [(&'static str, Client); 3],
}

impl Shared {
    fn new() -> Self {
        let fortress = Fortress::new();
        let created = fortress.client.post("/companies", &json!({ "name": "other" })).expect(201);
        let secret = created.json()["admin_token"]["secret"].as_str().unwrap().to_owned();
        let other = fortress.client.with_token(Some(&secret));
        let own = fortress.client.clone();
        let bystanders = [("sharing", own.clone()), ("neighbour", own), ("foreigner", other)];
        for (function, client) in &bystanders {
            deploy(client, &weapons(function));
        }
        let workers = fortress.client.get("/workers").expect(200).json();
        let templates = workers["items"][0]["templates"].as_array().unwrap();
        assert_eq!(templates.len(), 1, "one template serves them all: {workers:#}");
        Self { fortress, bystanders }
    }

    /// Spoils, and proves that the next runs, those forked before included,
    /// find everything as it was.
    fn nobody_sees(&self, what: &str) -> Value {
        let look = json!({ "attack": "look" });
        let before: Vec<Value> = self
            .bystanders
            .iter()
            .map(|(function, client)| seen(client, function, &look))
            .collect();
        let spoiled = self.fortress.result("sharing", &json!({ "attack": "spoil", "what": what }));
        assert_eq!(spoiled["answer"]["changed"], true, "the attack itself works: {spoiled:#}");
        for ((function, client), before) in self.bystanders.iter().zip(&before) {
            let seen = std::thread::scope(|scope| {
                let at_once: Vec<_> = (0..WAITING / 2)
                    .map(|_| scope.spawn(|| seen(client, function, &look)))
                    .collect();
                at_once.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            });
            for seen in seen {
                for (name, now) in seen.as_object().unwrap() {
                    assert_eq!(now, &before[name], "{what} shows in {function}: {name}");
                }
            }
        }
        self.fortress.stands();
        spoiled["answer"]["told"].clone()
    }
}

/// What a run sees, but for the id of its request, which is its own.
fn seen(client: &Client, function: &str, look: &Value) -> Value {
    let mut seen = answer(client, function, look);
    let id = seen["environment"].as_object_mut().unwrap().remove("MECAPY_REQUEST_ID");
    assert!(id.is_some_and(|id| id.is_string()));
    seen
}

fn answer(client: &Client, function: &str, inputs: &Value) -> Value {
    let task = execute(client, function, inputs).expect(200).json();
    assert_eq!(task["status"], "completed", "{task:#}");
    task["result"]["answer"].clone()
}

#[test]
fn a_patched_json_is_patched_for_nobody_else() {
    Shared::new().nobody_sees("json");
}

#[test]
fn patched_builtins_and_modules_are_patched_for_nobody_else() {
    let shared = Shared::new();
    shared.nobody_sees("builtins");
    shared.nobody_sees("modules");
}

#[test]
fn hooks_and_settings_of_the_interpreter_are_the_runs_own() {
    Shared::new().nobody_sees("interpreter");
}

#[test]
fn environment_umask_and_working_folder_are_the_runs_own() {
    Shared::new().nobody_sees("environment");
}

#[test]
fn the_interpreters_own_numbers_are_overwritten_for_nobody_else() {
    let told = Shared::new().nobody_sees("memory");
    assert_ne!(told["sum"], 4, "two and two are what the attacker says, to itself alone");
}

#[test]
fn machine_code_allocator_and_rounding_are_changed_for_nobody_else() {
    Shared::new().nobody_sees("code");
}

#[test]
fn signal_handlers_timers_threads_and_processes_end_with_their_run() {
    Shared::new().nobody_sees("signals");
}

#[test]
fn priorities_cores_and_resource_limits_are_the_runs_own() {
    Shared::new().nobody_sees("scheduling");
}

#[test]
fn files_locks_and_times_of_reading_are_seen_by_nobody_else() {
    Shared::new().nobody_sees("files");
}

#[test]
fn pages_of_shared_files_cant_be_written() {
    let told = Shared::new().nobody_sees("shared_pages");
    for (path, answer) in told.as_object().unwrap() {
        assert_eq!(answer, "EACCES", "{path}");
    }
}

#[test]
fn what_a_module_remembers_is_gone_with_its_run() {
    let shared = Shared::new();
    for _ in 0..WAITING {
        assert_eq!(
            answer(&shared.fortress.client, "sharing", &json!({ "attack": "left_over" })),
            1
        );
    }
}

#[test]
fn no_signal_and_no_priority_reaches_another_run() {
    let shared = Shared::new();
    let wait = json!({ "attack": "victim", "seconds": 1.5 });
    let victims: Vec<_> = shared.bystanders[1..]
        .iter()
        .map(|(function, client)| (client, submit(client, function, &wait)))
        .collect();
    for (client, id) in &victims {
        until(client, id, "running");
    }
    // To the group, as it were its own; by every number; to every group.
    let attack = json!({ "attack": "others" });
    let answers = answer(&shared.fortress.client, "sharing", &attack);
    assert_eq!(answers, json!([]), "every other target does not exist");
    for (client, id) in victims {
        let task = until(client, &id, "completed");
        assert_eq!(
            task["result"]["answer"],
            json!({ "unharmed": true, "priority": 0 }),
            "{task:#}"
        );
        assert_eq!(task["attempt"], 1, "{task:#}");
    }
    // Nor the template, or those that it has forked ahead.
    for _ in 0..WAITING {
        let look = answer(&shared.fortress.client, "neighbour", &json!({ "attack": "look" }));
        assert_eq!(look["priority"], 0);
    }
    shared.fortress.stands();
}

#[test]
fn signals_that_wait_in_one_run_are_not_missing_in_another() {
    let shared = Shared::new();
    let hoard = |seconds: f64| json!({ "attack": "hoard", "seconds": seconds });
    let first = submit(&shared.fortress.client, "sharing", &hoard(1.5));
    until(&shared.fortress.client, &first, "running");
    let (function, foreigner) = &shared.bystanders[2];
    let left = answer(foreigner, function, &hoard(0.0));
    let task = until(&shared.fortress.client, &first, "completed");
    assert_eq!(task["result"]["answer"], 1024, "as many as one run may have: {task:#}");
    assert_eq!(left, 1024);
    shared.fortress.stands();
}

#[test]
fn a_package_that_moves_to_the_templates_folder_gives_its_runs_no_common_one() {
    let wheels = tempfile::tempdir().unwrap();
    let drifter = "import os\nos.chdir('/tmp')\nos.chdir = lambda *_: None\n";
    let wheel = Wheel::new("drifter", "1.0").file("drifter/__init__.py", drifter);
    wheel.write_into(wheels.path()).unwrap();
    let settings = [("MECAPY_WHEELS", wheels.path().to_str().unwrap()), ("MECAPY_OFFLINE", "true")];
    let mut fortress = Fortress::with(&settings);
    let handler = "import drifter, os\n\n\
                   def calculate(inputs):\n    seen = os.listdir('.')\n    try:\n        open('note', 'w').close()\n    \
                   except OSError:\n        pass\n    return {'seen': seen}\n";
    fortress.deploy(&Archive::new("drifting", handler).requires(&["drifter==1.0"]));
    assert_eq!(execute(&fortress.client, "drifting", &json!({})).status, 200);
    fortress.rebase();
    for _ in 0..WAITING {
        let seen = fortress.result("drifting", &json!({}))["seen"].to_string();
        assert!(!seen.contains("note"), "{seen}");
    }
}
