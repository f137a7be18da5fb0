//! Runs that want to talk to somebody, or know where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixDatagram;

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::{Fortress, arsenal};
use crate::server::{deploy, execute, submit, until};

/// What every variable of a run is; there is no other.
const ENVIRONMENT: [(&str, &str); 13] = [
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("LD_BIND_NOW", "1"),
    ("MECAPY_OUTPUTS", "/outputs"),
    ("MKL_NUM_THREADS", "1"),
    ("MPLBACKEND", "Agg"),
    ("MPLCONFIGDIR", "/tmp/matplotlib"),
    ("NUMEXPR_NUM_THREADS", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("OPENBLAS_THREAD_TIMEOUT", "4"),
    ("PATH", "/usr/bin:/bin"),
    ("TMPDIR", "/tmp"),
];

fn weapons() -> Archive {
    arsenal("channels", include_str!("handlers/channels.py"))
}

fn under_attack() -> Fortress {
    // A variable of the operator's, which no run may see.
    let fortress = Fortress::with(&[("DATABASE_PASSWORD", "hunter2")]);
    fortress.deploy(&weapons());
    fortress
}

/// Somebody who listens, and must never hear anything.
enum Listener {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Listener {
    fn tcp(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::Tcp(listener)
    }

    fn udp(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self::Udp(socket)
    }

    fn port(&self) -> u16 {
        let address: SocketAddr = match self {
            Self::Tcp(listener) => listener.local_addr().unwrap(),
            Self::Udp(socket) => socket.local_addr().unwrap(),
        };
        address.port()
    }

    fn heard_nothing(&self) {
        let error = match self {
            Self::Tcp(listener) => listener.accept().map(|_| ()).unwrap_err(),
            Self::Udp(socket) => socket.recv(&mut [0; 16]).map(|_| ()).unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    }
}

/// An attempt at the network is explained to whoever made it, and arrives
/// nowhere.
fn explained(fortress: &Fortress, attack: &str, listener: &Listener) {
    let inputs = json!({ "attack": attack, "port": listener.port() });
    let error = fortress.error("channels", &inputs, "user_error");
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("a calculation has no network"), "{attack}: {said}");
    assert!(said.contains("pass data as inputs or input files"), "{attack}: {said}");
    listener.heard_nothing();
}

#[test]
fn a_tcp_connection_is_explained_and_arrives_nowhere() {
    let fortress = under_attack();
    let listener = Listener::tcp("127.0.0.1:0");
    explained(&fortress, "tcp", &listener);
    explained(&fortress, "asynchronous", &listener);
    explained(&fortress, "listen", &listener);
}

#[test]
fn a_datagram_is_explained_and_arrives_nowhere() {
    let fortress = under_attack();
    let listener = Listener::udp("127.0.0.1:0");
    explained(&fortress, "udp", &listener);
    explained(&fortress, "connected_udp", &listener);
}

#[test]
fn a_name_look_up_is_explained() {
    let fortress = under_attack();
    let listener = Listener::udp("127.0.0.1:0");
    explained(&fortress, "name", &listener);
    explained(&fortress, "old_name", &listener);
}

#[test]
fn a_cloud_metadata_service_is_out_of_reach() {
    let fortress = under_attack();
    explained(&fortress, "metadata", &Listener::tcp("127.169.254.169:0"));
}

#[test]
fn sockets_past_python_are_refused_by_the_kernel() {
    let fortress = under_attack();
    let listener = Listener::tcp("127.0.0.1:0");
    let inputs = json!({ "attack": "past_python", "port": listener.port() });
    let result = fortress.result("channels", &inputs);
    for (way, answer) in result["answer"].as_object().unwrap() {
        assert_eq!(answer, "EPERM", "{way}");
    }
    listener.heard_nothing();
}

#[test]
fn a_run_has_a_network_namespace_without_a_network() {
    let fortress = under_attack();
    let seen = fortress.result("channels", &json!({ "attack": "interfaces" }));
    let seen = &seen["answer"];
    assert_eq!(seen["interfaces"], json!(["lo"]), "which is down");
    for (table, lines) in seen["tables"].as_object().unwrap() {
        assert!(lines.as_u64().unwrap() <= 1, "{table} holds more than its head: {lines}");
    }
}

#[test]
fn a_pair_of_sockets_reaches_no_socket_of_the_host() {
    let fortress = under_attack();
    let path = fortress.folder().join("socket");
    let name = format!("mecapy-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let listeners =
        [UnixDatagram::bind_addr(&address).unwrap(), UnixDatagram::bind(&path).unwrap()];
    let inputs = json!({ "attack": "datagram_to", "name": name, "path": path });
    let result = fortress.result("channels", &inputs);
    for (way, answer) in result["answer"].as_object().unwrap() {
        assert_ne!(answer, "ok", "{way}");
    }
    for listener in listeners {
        listener.set_nonblocking(true).unwrap();
        let error = listener.recv(&mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_socket_of_a_run_gets_no_name_that_another_run_could_write_to() {
    let fortress = under_attack();
    let result = fortress.result("channels", &json!({ "attack": "take_a_name" }));
    let expected = json!({
        "SO_PASSCRED": "EPERM", "SO_PASSCRED name": 0,
        "SO_PASSPIDFD": "EPERM", "SO_PASSPIDFD name": 0,
        "seen": [],
    });
    assert_eq!(result["answer"], expected);
}

#[test]
fn open_files_cant_be_sent_as_all_runs_would_share_their_count() {
    let fortress = under_attack();
    let result = fortress.result("channels", &json!({ "attack": "files_in_flight" }));
    assert_eq!(result["answer"], json!(["EPERM", "EPERM"]));
}

#[test]
fn pairs_of_sockets_work_as_asyncio_needs_them() {
    let fortress = under_attack();
    assert_eq!(fortress.result("channels", &json!({ "attack": "local_pairs" }))["answer"], 3);
}

#[test]
fn keyrings_queues_semaphores_and_notices_are_refused() {
    let fortress = under_attack();
    let result = fortress.result("channels", &json!({ "attack": "kernel_objects" }));
    for (way, answer) in result["answer"].as_object().unwrap() {
        assert_eq!(answer, "EPERM", "{way}");
    }
}

#[test]
fn locks_on_files_that_others_see_are_refused() {
    let fortress = under_attack();
    let result = fortress.result("channels", &json!({ "attack": "locks" }));
    for (way, answer) in result["answer"].as_object().unwrap() {
        assert_eq!(answer, "EPERM", "{way}");
    }
}

#[test]
fn shared_memory_and_passed_on_memory_are_the_runs_own() {
    let fortress = under_attack();
    let leave = json!({ "attack": "leave_memory", "seconds": 1.5 });
    let find = json!({ "attack": "find_memory" });
    let nothing = json!({ "found": [], "maps": [], "files": [] });
    let other = submit(&fortress.client, "channels", &leave);
    until(&fortress.client, &other, "running");
    let found = execute(&fortress.client, "channels", &find).expect(200).json();
    assert_eq!(found["result"]["answer"], nothing, "at the same time: {found:#}");
    let left = until(&fortress.client, &other, "completed");
    assert_eq!(left["result"]["answer"], json!(["secret", "secret.lock"]), "{left:#}");
    for _ in 0..3 {
        assert_eq!(fortress.result("channels", &find)["answer"], nothing, "afterwards");
    }
}

/// Draws in runs one after another and at the same time: no source may give
/// the same twice.
fn all_differ(fortress: &Fortress, function: &str, inputs: &Value) {
    let draw = || execute(&fortress.client, function, inputs).expect(200).json();
    let mut drawn: Vec<Value> = (0..4).map(|_| draw()).collect();
    drawn.extend(std::thread::scope(|scope| {
        let at_once: Vec<_> = (0..3).map(|_| scope.spawn(draw)).collect();
        at_once.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    }));
    let mut values: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for task in &drawn {
        assert_eq!(task["status"], "completed", "{task:#}");
        for (source, value) in task["result"]["answer"].as_object().unwrap() {
            values.entry(source).or_default().insert(value.to_string());
        }
    }
    assert!(values.len() >= 11, "{values:?}");
    for (source, values) in values {
        assert_eq!(values.len(), drawn.len(), "{source} repeats itself: {values:?}");
    }
    fortress.stands();
}

#[test]
fn no_two_runs_draw_the_same_random_numbers() {
    let fortress = under_attack();
    all_differ(&fortress, "channels", &json!({ "attack": "randomness" }));
}

#[test]
fn no_two_runs_draw_the_same_numbers_from_numpy() {
    let mut fortress = Fortress::new();
    // As in python-scientific, and built in a tenth of the time.
    fortress.deploy(&weapons().requires(&["numpy"]));
    let inputs = json!({ "attack": "randomness", "numpy": true });
    assert_eq!(execute(&fortress.client, "channels", &inputs).status, 200);
    fortress.rebase();
    all_differ(&fortress, "channels", &inputs);
}

#[test]
fn a_runs_surroundings_tell_nothing_of_the_host() {
    let fortress = under_attack();
    let seen = fortress.result("channels", &json!({ "attack": "surroundings" }))["answer"].clone();
    let environment: BTreeMap<_, _> = ENVIRONMENT.into_iter().collect();
    let mut found = seen["environment"].as_object().unwrap().clone();
    // Whoever asked may say which id that is; the server made this one.
    let request_id = found.remove("MECAPY_REQUEST_ID").unwrap();
    assert!(request_id.as_str().unwrap().parse::<uuid::Uuid>().is_ok(), "{request_id}");
    assert_eq!(json!(found), json!(environment), "exactly these");
    let at_start = seen["given at start"].as_array().unwrap();
    let names: BTreeSet<&str> = at_start
        .iter()
        .filter_map(|entry| entry.as_str()?.split_once('=').map(|(name, _)| name))
        .collect();
    let expected: BTreeSet<&str> =
        environment.into_keys().filter(|name| *name != "MECAPY_OUTPUTS").collect();
    assert_eq!(names, expected);
    assert_eq!(seen["host"], json!(["sandbox", "sandbox"]));
    let mut etc = seen["etc"].as_array().unwrap().clone();
    etc.retain(|name| name != "ld.so.cache");
    assert_eq!(etc, ["group", "hosts", "nsswitch.conf", "passwd"]);
    assert_eq!(seen["passwd"], "sandbox:x:1000:1000:sandbox:/tmp:/sbin/nologin\n");
    assert_eq!(seen["proc"], json!(["self", "thread-self"]));
    assert_eq!(seen["dev"], json!(["full", "null", "random", "shm", "urandom", "zero"]));
    assert_eq!(seen["read"], json!([]), "files of the host or its kernel");
    assert_eq!((&seen["parent"], &seen["groups"]), (&json!(0), &json!([])));
    assert!(!seen["cgroup"].to_string().contains("mecapy"), "{}", seen["cgroup"]);
    for hidden in ["home", "sys", "var", "boot", "mnt", "srv"] {
        assert!(!seen["root"].as_array().unwrap().contains(&json!(hidden)), "/{hidden}");
    }
}

#[test]
fn a_runs_mounts_name_no_other_company_and_no_other_code() {
    let fortress = under_attack();
    let body = json!({ "name": "other" });
    let other = fortress.client.post("/companies", &body).expect(201).json();
    let secret = other["admin_token"]["secret"].as_str().unwrap();
    deploy(&fortress.client.with_token(Some(secret)), &weapons());
    let seen = fortress.result("channels", &json!({ "attack": "surroundings" }));
    let mounted = seen["answer"]["mounted"].to_string();
    assert!(!mounted.contains(other["company"]["company_id"].as_str().unwrap()), "{mounted}");
    let codes = std::fs::read_dir(fortress.folder().join("data/worker/code")).unwrap();
    let shown = codes.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        mounted.contains(name.to_str().unwrap())
    });
    assert_eq!(shown.count(), 1, "its own alone, of three: {mounted}");
    for kept in ["blobs", "mecapy.db", "admin.token", "worker/inputs"] {
        assert!(!mounted.contains(kept), "{mounted}");
    }
}
