//! Runs that try to get out of their sandbox.
//!
//! System calls are made with arguments for which an unfiltered kernel would
//! do them, or answer something else than EPERM.

use serde_json::{Value, json};

use super::Fortress;
use super::arena::{Arena, Turn};
use super::arsenal;
use crate::server::{submit, until};

static ARENA: Arena = Arena::new(|| {
    let fortress = Fortress::new();
    fortress.deploy(&arsenal("escape", include_str!("handlers/escape.py")));
    fortress
});

fn result(attack: &str) -> Value {
    let fortress = ARENA.enter();
    fortress.result("escape", &with_pids(&fortress, attack))
}

/// The inputs of an attack that needs to know processes of the host.
fn with_pids(fortress: &Turn, attack: &str) -> Value {
    let server = fortress.server.pid();
    let children = format!("/proc/{server}/task/{server}/children");
    let launchers = std::fs::read_to_string(children).unwrap();
    let launchers = launchers.split_whitespace().map(|pid| pid.parse().unwrap());
    let pids: Vec<u32> = [server, std::process::id()].into_iter().chain(launchers).collect();
    json!({ "attack": attack, "pids": pids })
}

/// Every answer in a value, at whatever depth.
fn answers(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(answers).collect(),
        Value::Object(members) => members.values().flat_map(answers).collect(),
        Value::String(text) => vec![text],
        _ => vec![],
    }
}

fn assert_all_refused(result: &Value) {
    let answers = answers(result);
    assert!(!answers.is_empty() && answers.iter().all(|answer| *answer == "EPERM"), "{result:#}");
}

#[test]
fn other_processes_environments_maps_and_memory_are_out_of_reach() {
    let result = result("other_processes");
    assert_eq!(result["pids"], json!(["1"]), "its own only");
    assert_eq!(result["reached"], json!([]));
    assert_eq!(result["beside"], json!(["self", "thread-self"]), "of the kernel's files");
    let told = [
        "HOME",
        "LANG",
        "LD_BIND_NOW",
        "MKL_NUM_THREADS",
        "MPLBACKEND",
        "MPLCONFIGDIR",
        "NUMEXPR_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "OPENBLAS_THREAD_TIMEOUT",
        "PATH",
        "TMPDIR",
    ];
    assert_eq!(result["environ"], json!(told));
}

#[test]
fn a_run_inherits_five_files_and_none_opens_somebody_elses() {
    let result = result("inherited_files");
    let wanted = json!({
        "0": ["device", "read"],
        "1": ["pipe", "write"],
        "2": ["pipe", "write"],
        "3": ["socket", "both"],
        "4": ["pipe", "write"],
    });
    assert_eq!(result["found"], wanted);
    assert_eq!(result["beyond"], json!([]));
    // The ends that the host reads.
    let reopened = json!({ "1": "EACCES", "2": "EACCES", "3": "ENXIO", "4": "EACCES" });
    assert_eq!(result["reopened"], reopened);
}

#[test]
fn a_run_has_no_capability_no_identity_and_no_way_to_more() {
    let result = result("privileges");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(result[set], "0000000000000000", "{set}: {result:#}");
    }
    assert_eq!(result["NoNewPrivs"], "1");
    assert_eq!(result["Seccomp"], "2");
    assert_eq!(result["Groups"], "");
    assert_eq!(result["ids"], json!([[1000, 1000, 1000], [1000, 1000, 1000]]));
    assert_eq!(result["became"], json!(["EPERM", "EPERM"]));
    assert_eq!(result["capset"], "EPERM");
    let limits = json!({
        "RLIMIT_CORE": [0, 0],
        "RLIMIT_MEMLOCK": [65536, 65536],
        "RLIMIT_MSGQUEUE": [0, 0],
        "RLIMIT_NOFILE": [1024, 1024],
    });
    assert_eq!(result["limits"], limits);
}

#[test]
fn the_kernels_files_can_t_be_written() {
    let result = result("write_kernel_files");
    for (path, answer) in result.as_object().unwrap() {
        let wanted = match path.as_str() {
            "/proc/self/exe" => &["EACCES", "EROFS", "ETXTBSY"][..],
            path if path.starts_with("/proc/self/") => &["EPERM", "EACCES"],
            _ => &["ENOENT"],
        };
        assert!(wanted.contains(&answer.as_str().unwrap()), "{path}: {answer}");
    }
}

#[test]
fn there_is_no_cgroup_file_system_and_none_can_be_mounted() {
    let result = result("control_groups");
    let kinds = result["kinds"].as_array().unwrap();
    assert!(kinds.iter().all(|kind| !kind.as_str().unwrap().contains("cgroup")), "{result:#}");
    assert!(kinds.iter().all(|kind| kind != "sysfs"), "{result:#}");
    assert_eq!(result["exists"], json!([]));
    assert_all_refused(&result["mount"]);
    assert_all_refused(&result["filtered"]);
}

#[test]
fn no_namespace_can_be_made_or_entered() {
    let mut result = result("namespaces");
    // libc then falls back to clone, whose flags can be looked at.
    assert_eq!(result["clone3"].take(), "ENOSYS");
    assert_all_refused(&result);
    assert_eq!(result["unshare"].as_object().unwrap().len(), 8);
    assert_eq!(result["clone"].as_object().unwrap().len(), 7);
}

#[test]
fn no_process_can_be_traced_read_or_written() {
    let mut result = result("tracing");
    assert_eq!(result["parent"].take(), 0, "the template has no number here");
    assert_all_refused(&result);
}

#[test]
fn io_uring_bpf_perf_userfaultfd_and_keys_are_refused() {
    assert_all_refused(&result("dangerous_calls"));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_foreign_system_call_table_kills() {
    for attack in ["int_80", "x32"] {
        let fortress = ARENA.enter();
        let error = fortress.error("escape", &with_pids(&fortress, attack), "killed");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("SIGSYS (forbidden system call)"), "{message}");
    }
    assert_eq!(result("sixty_four"), 1, "the same code with the usual table");
}

#[test]
fn nothing_can_be_executed_and_nothing_raises_privileges() {
    let result = result("programs");
    assert_eq!(result["without nosuid"], json!([]));
    assert_eq!(result["writable"], json!(["/scratch", "/proc"]));
    assert_eq!(result["with devices"], json!([]));
    assert_eq!(result["executable scratch"], json!([]));
    assert_all_refused(&result["execve"]);
    assert_all_refused(&result["execveat"]);
    assert_eq!(result["mapped"], "EPERM", "a file of the run as code");
    assert_eq!(result["mapped library"], "ok", "the same call on the platform's files");
}

#[test]
fn nothing_can_be_pushed_into_a_terminal() {
    let mut result = result("terminal");
    assert_eq!(result["isatty"].take(), false);
    assert_all_refused(&result);
}

#[test]
fn neither_template_nor_supervisor_nor_other_runs_can_be_killed() {
    let fortress = ARENA.enter();
    // Beside it, from the same template and with the same user on the host.
    let sleep = json!({ "attack": "sleep", "seconds": 1.0 });
    let beside = submit(&fortress.client, "escape", &sleep);
    until(&fortress.client, &beside, "running");
    let result = fortress.result("escape", &with_pids(&fortress, "kill_everybody"));
    assert_eq!(result["hit"], json!([]));
    let beside = until(&fortress.client, &beside, "completed");
    assert_eq!(beside["result"], json!({ "slept": true }));
}

#[test]
fn what_a_run_patches_in_the_interpreter_ends_with_it() {
    let fortress = ARENA.enter();
    let patched = fortress.result("escape", &with_pids(&fortress, "patches"));
    assert_eq!(patched, json!({ "patched": true }));
    // More often than there are runs ready.
    for _ in 0..12 {
        let result = fortress.result("escape", &json!({ "attack": "sleep", "seconds": 0.0 }));
        assert_eq!(result, json!({ "slept": true }));
    }
}

#[test]
fn what_a_run_writes_over_the_templates_code_ends_with_it() {
    assert_eq!(result("patches_memory"), json!({ "written": 4096 }));
}
