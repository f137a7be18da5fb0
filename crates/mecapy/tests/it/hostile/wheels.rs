//! Packages that attack the template they are imported into.
//!
//! A package is its company's code, and its template serves that company
//! alone. Whatever it does there, its deployment or its runs end typed, and
//! everybody else's functions are what they were.

use std::sync::OnceLock;

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::wheels::{Index, Wheel};

use super::Fortress;
use super::arena::{Arena, Turn};
use crate::server::{deploy, execute};

static INDEX: OnceLock<Index> = OnceLock::new();
static ARENA: Arena = Arena::new(|| {
    let index = INDEX.get_or_init(|| Index::start(&[]).unwrap());
    Fortress::with(&[("MECAPY_INDEX_URL", &index.url())])
});

/// What a function says of itself whose package did not get in its way.
const HONEST: &str = "import NAME\n\ndef calculate(inputs):\n    return {'own': 6 * 7}\n";

/// Puts a package with this code onto the index, and makes a function of it.
fn function(name: &str, package: &str, handler: &str) -> Archive {
    let wheel = Wheel::new(name, "1.0").file(&format!("{name}.py"), package);
    INDEX.get().unwrap().add(&wheel);
    Archive::new(&name.replace('_', "-"), &handler.replace("NAME", name))
        .requires(&[&name.replace('_', "-")])
        .set("runtime.timeout", json!(5))
}

/// Deploys a function whose package is harmless to it, and gives its result.
fn survives(name: &str, package: &str, handler: &str) -> Value {
    let mut fortress = ARENA.enter();
    fortress.deploy(&function(name, package, handler));
    // Its template and what stands ready there are no leftovers.
    fortress.rebase();
    fortress.result(&name.replace('_', "-"), &json!({}))
}

/// What a function is refused with whose package ends its template.
fn refused(name: &str, package: &str) -> String {
    let fortress = ARENA.enter();
    let archive = function(name, package, HONEST);
    let faults = fortress.refused(&archive.zip());
    faults.iter().map(|fault| fault["message"].as_str().unwrap().to_owned()).collect()
}

/// Runs a function that ends in whatever typed way, on a server that stands.
fn ends_typed(fortress: &mut Turn, archive: &Archive, name: &str) -> Option<Value> {
    let zip = archive.zip();
    let answer = fortress.client.post_file("/functions?wait=60", "archive", "a.zip", &zip);
    if answer.status == 422 {
        let faults = answer.json()["faults"].clone();
        assert!(!faults.as_array().unwrap().is_empty(), "{faults:#}");
        fortress.stands();
        return None;
    }
    fortress.rebase();
    let task = fortress.attack(name, &json!({}));
    match task["status"].as_str() {
        Some("completed") => Some(task["result"].clone()),
        _ => {
            assert!(task["error"]["kind"].is_string(), "{task:#}");
            None
        }
    }
}

/// Takes the place of the job that runs handlers, of a builtin, of a part of
/// the standard library, and of the fork loop itself.
const PATCHES: &str = "import builtins, json
from mecapy_runner import calculate, child, encode, kernel

def forged(*_, **__):
    return {'forged': True}

def answer(header, body):
    child.send(b'R', calculate.ALL_FINITE, b'{\"forged\": true}')

child.jobs['calculate'] = answer
calculate.run = calculate.load_handler = forged
builtins.abs = json.load = encode.convert = forged
loop = kernel.ForkLoop.serve
kernel.ForkLoop.serve = lambda self: loop(self)
";

#[test]
fn a_package_that_patches_the_runner_forges_its_own_results_alone() {
    let absolute = "def calculate(inputs):\n    return {'abs': abs(-6)}\n";
    let result = survives("patches", PATCHES, HONEST);
    assert_eq!(result, json!({ "forged": true }), "the package is its company's own code");
    // Others on the same interpreter, with and without an environment.
    let fortress = ARENA.enter();
    fortress.deploy(&Archive::new("absolute", absolute));
    assert_eq!(fortress.result("absolute", &json!({})), json!({ "abs": 6 }));
    drop(fortress);
    let own = survives("unpatched", "import json\n", &format!("import NAME\n{absolute}"));
    assert_eq!(own, json!({ "abs": 6 }));
}

#[test]
fn a_package_serves_its_company_from_a_template_of_its_own() {
    // Known to whoever is forked from the template that imported it.
    let package = "import os\nmark = os.urandom(8).hex()\n";
    let handler = "import NAME\n\ndef calculate(inputs):\n    return {'mark': NAME.mark}\n";
    let ours = survives("marks", package, handler);
    let mut fortress = ARENA.enter();
    assert_eq!(fortress.result("marks", &json!({})), ours, "from the same template");
    let body = json!({ "name": "rival" });
    let rival = fortress.client.post("/companies", &body).expect(201).json();
    let theirs = fortress.client.with_token(rival["admin_token"]["secret"].as_str());
    deploy(&theirs, &function("marks", package, handler));
    fortress.rebase();
    let task = execute(&theirs, "marks", &json!({})).expect(200).json();
    assert_eq!(task["status"], "completed", "{task:#}");
    assert_ne!(task["result"], ours, "the same environment, another template");
    fortress.stands();
}

#[test]
fn a_package_that_forks_a_daemon_leaves_none() {
    let package = "import os, time
if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(1)
";
    assert_eq!(survives("forks", package, HONEST), json!({ "own": 42 }));
}

#[test]
fn a_package_that_starts_a_thread_is_imported_by_each_run() {
    let package = "import threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
def threads():
    return threading.active_count()
";
    let handler = "import NAME\n\ndef calculate(inputs):\n    return {'threads': NAME.threads()}\n";
    assert_eq!(survives("threads", package, handler), json!({ "threads": 2 }));
}

#[test]
fn sockets_that_a_package_opened_are_closed_in_its_runs() {
    let package = "import os, socket
kept = [socket.socketpair() for _ in range(50)]
files = [os.open('/dev/null', os.O_RDONLY) for _ in range(50)]
def left():
    return [fd for fd in range(5, 1024) if os.path.exists('/proc/self/fd/%d' % fd)]
";
    let handler = "import NAME\n\ndef calculate(inputs):\n    return {'left': NAME.left()}\n";
    assert_eq!(survives("sockets", package, handler), json!({ "left": [] }));
}

#[test]
fn runs_share_no_memory_that_a_package_mapped() {
    let package = "import mmap
memory = mmap.mmap(-1, 4096)
";
    let handler = "import NAME\n\ndef calculate(inputs):
    NAME.memory[0] += 1
    return {'seen': NAME.memory[0]}
";
    assert_eq!(survives("shares", package, handler), json!({ "seen": 1 }));
    // Another run's mark would be there.
    let fortress = ARENA.enter();
    for _ in 0..4 {
        assert_eq!(fortress.result("shares", &json!({})), json!({ "seen": 1 }));
    }
}

#[test]
fn a_package_that_closes_the_templates_socket_is_refused() {
    let message = refused("closes", "import os\nos.close(3)\n");
    assert!(message.contains("could not be made ready"), "{message}");
}

#[test]
fn a_package_that_writes_garbage_to_the_launcher_is_refused() {
    let message = refused("garbles", "import os\nos.write(3, b'\\x00garbage' * 100)\n");
    // Which of the two ends is told depends on who looks first.
    let told = ["no template says", "the template has ended"].map(|end| message.contains(end));
    assert!(told.contains(&true), "{message}");
}

#[test]
fn a_package_that_answers_for_the_template_gains_nothing() {
    let package = "import json, os
os.write(3, json.dumps({'imported': {'loaded': ['lies'] * 99, 'failed': [], 'unfit': None}}).encode())
os.write(3, json.dumps({'booted': {'protocol': 1}}).encode())
";
    let mut fortress = ARENA.enter();
    let archive = function("lies", package, HONEST);
    let result = ends_typed(&mut fortress, &archive, "lies");
    assert!(result.is_none_or(|result| result == json!({ "own": 42 })));
}

#[test]
fn a_package_that_exits_is_refused_with_its_last_words() {
    let package = "import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(3)\n";
    let message = refused("leaves", package);
    assert!(message.contains("exit code 3") && message.contains("last words"), "{message}");
}

#[test]
fn a_package_that_filters_the_templates_calls_gets_no_run() {
    // Refuses every clone from now on: a filter can only take away.
    let package = "import ctypes, os, struct
number = {'x86_64': 56, 'aarch64': 220}[os.uname().machine]
program = struct.pack('<HBBI', 0x20, 0, 0, 0) + struct.pack('<HBBI', 0x15, 0, 1, number)
program += struct.pack('<HBBI', 0x06, 0, 0, 0x00050001) + struct.pack('<HBBI', 0x06, 0, 0, 0x7FFF0000)
code = ctypes.create_string_buffer(program, len(program))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
given = Program(4, ctypes.addressof(code))
assert ctypes.CDLL(None).prctl(22, 2, ctypes.byref(given), 0, 0) == 0
";
    let mut fortress = ARENA.enter();
    let archive = function("filters", package, HONEST);
    // Where it is imported by each run instead, it harms that run alone.
    let result = ends_typed(&mut fortress, &archive, "filters");
    assert!(result.is_none_or(|result| result == json!({ "own": 42 })));
}

#[test]
fn limits_and_handlers_that_a_package_sets_are_its_runs_own() {
    let package = "import resource, signal
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
";
    assert_eq!(survives("limits", package, HONEST), json!({ "own": 42 }));
}
