//! The system call filters as the kernel applies them: each call that isn't in
//! the reviewed list is made, and refused, in a template and in a run.
//!
//! The calls are made with arguments for which a kernel without the filter
//! would do it, or refuse it with another answer than EPERM.
#![cfg(target_arch = "x86_64")]

use std::collections::BTreeMap;

use sandbox::TemplateSpec;

use crate::harness::{Bench, interpreters, readable_folder};

/// Number, name, what becomes of it in a template and in a run.
const REVIEWED: &str = include_str!("../../seccomp/allowed.txt");
const LAST_NUMBER: u32 = 470;
const EPERM: i64 = 1;
const ENOSYS: i64 = 38;
const CLONE3: u32 = 435;

/// What the kernel refuses with EPERM before it looks at any argument, to who
/// has no capability. Only the list itself can be tested for these.
const REFUSED_IN_ANY_CASE: [u32; 13] = [
    103, // syslog, where kernel.dmesg_restrict is set
    116, // setgroups
    153, // vhangup
    155, // pivot_root
    163, // acct
    168, // swapoff
    169, // reboot
    170, // sethostname
    171, // setdomainname
    429, // move_mount
    430, // fsopen
    432, // fsmount
    433, // fspick
];
/// What anybody may do with the arguments that it has among the attacks; with
/// others the kernel answers EPERM.
const WITH_ARGUMENTS: [u32; 1] = [
    300, // fanotify_init
];
/// What the kernel answers without asking a filter: the return from its own
/// probes, which kills whoever calls it by himself.
const BEYOND_FILTERS: [u32; 2] = [
    335, // uretprobe
    336, // uprobe
];

/// Makes system calls, each in a child of its own: some would end the caller.
const MODULE: &str = r#"
import ctypes, os, signal

libc = ctypes.CDLL(None, use_errno=True)

def argument(value):
    return ctypes.c_long(value) if isinstance(value, int) else value

def answer(call):
    """An error number, 0 where it is done, or less the signal that it died by."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(5)
            ctypes.set_errno(0)
            done = libc.syscall(*map(argument, call))
            os._exit(ctypes.get_errno() if done == -1 else 0)
        finally:
            os._exit(255)
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)

def sweep(numbers):
    return [answer((number,) + (-1,) * 6) for number in numbers]
"#;

/// Name and arguments of attacks that a kernel without the filter lets anybody do
/// who has no privilege, or answers with another error.
const ATTACKS: &[(&str, &str)] = &[
    ("unshare a user namespace", "272, 0x10000000"),
    ("clone into a user namespace", "56, 0x10000011, 0, 0, 0, 0"),
    ("clone into a user and a mount namespace", "56, 0x10020011, 0, 0, 0, 0"),
    ("clone into a user and a network namespace", "56, 0x50000011, 0, 0, 0, 0"),
    ("clone into a user and a host name namespace", "56, 0x14000011, 0, 0, 0, 0"),
    ("clone into a user and a cgroup namespace", "56, 0x12000011, 0, 0, 0, 0"),
    ("clone a sibling", "56, 0x8011, 0, 0, 0, 0"),
    ("setns", "308, -1, 0"),
    ("ptrace TRACEME", "101, 0, 0, 0, 0"),
    ("process_vm_readv of itself", "310, os.getpid(), VECTOR, 1, VECTOR, 1, 0"),
    ("process_vm_writev of itself", "311, os.getpid(), VECTOR, 1, VECTOR, 1, 0"),
    ("pidfd_open of itself", "434, os.getpid(), 0"),
    ("pidfd_getfd", "438, -1, 0, 0"),
    ("kcmp of itself", "312, os.getpid(), os.getpid(), 0, 0, 0"),
    ("io_uring_setup", "425, 1, ROOM"),
    ("userfaultfd for user mode", "323, 1"),
    ("perf_event_open", "298, -1, 0, -1, -1, 0"),
    ("bpf", "321, -1, -1, -1"),
    ("keyctl GET_KEYRING_ID", "250, 0, -3, 1"),
    ("add_key", "248, b'user', b'name', b'text', 4, -2"),
    ("request_key", "249, b'user', b'absent', 0, 0"),
    ("shmget", "29, 0, 4096, 0o1600"),
    ("msgget", "68, 0, 0o1600"),
    ("semget", "64, 0, 1, 0o1600"),
    ("mq_open", "240, b'name', 0o102, 0o600, 0"),
    ("socket UNIX", "41, 1, 1, 0"),
    ("socket INET stream", "41, 2, 1, 0"),
    ("socket INET datagram", "41, 2, 2, 0"),
    ("socket INET6", "41, 10, 1, 0"),
    ("socket NETLINK", "41, 16, 3, 0"),
    ("socket ALG", "41, 38, 5, 0"),
    ("socket VSOCK", "41, 40, 1, 0"),
    ("socketpair TIPC", "53, 30, 1, 0, ROOM"),
    ("setsockopt PASSCRED", "54, SOCKET, 1, 16, ONE, 4"),
    ("setsockopt ATTACH_FILTER", "54, SOCKET, 1, 26, 0, 0"),
    ("personality", "135, 0xffffffff"),
    ("mknod of a FIFO", "133, b'/tmp/fifo', 0o10600, 0"),
    ("mknodat of a FIFO", "259, -100, b'/tmp/fifo-at', 0o10600, 0"),
    ("memfd_secret", "447, 0"),
    ("mount", "165, -1, -1, -1, 0, 0"),
    ("umount2", "166, -1, 0"),
    ("open_tree", "428, -100, b'/', 0x80000"),
    ("statmount", "457, ROOM, ROOM, 64, 0"),
    ("chroot", "161, -1"),
    ("name_to_handle_at", "303, -100, b'/', ROOM, ROOM, 0"),
    ("open_by_handle_at", "304, -1, -1, 0"),
    ("fanotify_init without privilege", "300, 0x200, 0"),
    ("inotify_init1", "294, 0"),
    ("init_module", "175, -1, -1, -1"),
    ("kexec_load", "246, -1, -1, -1, -1"),
    ("iopl", "172, 4"),
    ("modify_ldt", "154, 0, ROOM, 64"),
    ("seccomp with a notifier", "317, 1, 8, 0"),
    ("seccomp GET_ACTION_AVAIL", "317, 2, 0, ALLOW"),
    ("landlock_create_ruleset", "444, 0, 0, 1"),
    ("sched_setscheduler", "144, 0, 3, ROOM"),
    ("setpgid", "109, 0, 0"),
    ("setuid to its own", "105, os.getuid()"),
    ("tkill of itself", "200, os.getpid(), 0"),
    ("pidfd_send_signal", "424, -1, 0, 0, 0"),
    ("process_madvise", "440, -1, 0, 0, 0, 0"),
    ("mincore", "27, 0, 0, 0"),
    ("remap_file_pages", "216, 1, 0, 0, 0, 0"),
    ("vmsplice", "278, -1, 0, 0, 0"),
    ("splice", "275, -1, 0, -1, 0, 0, 0"),
    ("tee", "276, -1, -1, 0, 0"),
    ("mlock", "149, 0, 0"),
    ("pkey_alloc", "330, 0, 0"),
    ("timer_create", "222, 1, 0, ROOM"),
    ("adjtimex, reading", "159, ROOM"),
    ("quotactl", "179, 0, 0, 0, 0"),
    ("execveat", "322, -1, b'', 0, 0, 0x1000"),
    ("fcntl SETOWN", "72, FILE, 8, os.getpid()"),
    ("fcntl GETOWN", "72, FILE, 9, 0"),
    ("fcntl SETSIG", "72, FILE, 10, 0"),
    ("fcntl OFD_GETLK", "72, FILE, 36, LOCK"),
    ("fcntl OFD_SETLK", "72, FILE, 37, LOCK"),
    ("fcntl GETLEASE", "72, FILE, 1025, 0"),
    ("fcntl NOTIFY", "72, FOLDER, 1026, 1"),
    ("fcntl GET_SEALS", "72, FILE, 1034, 0"),
    ("ioctl TIOCSTI", "16, FILE, 0x5412, b'x'"),
    ("ioctl TIOCLINUX", "16, FILE, 0x541c, b'x'"),
    ("ioctl FIOASYNC", "16, FILE, 0x5452, ONE"),
    ("ioctl FIGETBSZ", "16, FILE, 2, ROOM"),
    ("ioctl FS_IOC_GETFLAGS", "16, FILE, 0x80086601, ROOM"),
    ("prctl SET_DUMPABLE", "157, 4, 1, 0, 0, 0"),
    ("prctl SET_NAME", "157, 15, b'name', 0, 0, 0"),
    ("prctl SET_CHILD_SUBREAPER", "157, 36, 1, 0, 0, 0"),
    ("prctl SET_PTRACER", "157, 0x59616d61, 0, 0, 0, 0"),
    ("arch_prctl SET_GS", "158, 0x1001, 0"),
    ("prlimit64 of another process", "302, os.getpid(), 7, 0, ROOM"),
];

/// What a template may do and a run may not.
const ATTACKS_OF_RUNS: &[(&str, &str)] = &[
    ("execve", "59, b'/absent', 0, 0"),
    ("capset", "126, 0, 0"),
    ("flock", "73, FILE, 1"),
    ("clone as a template does", "56, 0x39228011, 0, 0, 0, 0"),
    ("fcntl GETLK", "72, FILE, 5, LOCK"),
    ("fcntl SETLK", "72, FILE, 6, LOCK"),
    ("fcntl SETLKW", "72, FILE, 7, LOCK"),
    ("prctl SET_PDEATHSIG", "157, 1, 0, 0, 0, 0"),
    ("prctl SET_SECCOMP", "157, 22, 2, 0, 0, 0"),
    ("prctl GET_TID_ADDRESS", "157, 40, ROOM, 0, 0, 0"),
];

/// What the arguments above name.
const ARGUMENTS: &str = "import socket, struct\n\
    ROOM, ONE = ctypes.create_string_buffer(4096), struct.pack('i', 1)\n\
    VECTOR = struct.pack('PN', ctypes.addressof(ROOM), 8)\n\
    LOCK, ALLOW = struct.pack('hhqqi4x', 0, 0, 0, 1, 0), struct.pack('I', 0x7fff0000)\n\
    FILE, FOLDER = os.open('/tmp/file', os.O_RDWR | os.O_CREAT), os.open('/tmp', os.O_RDONLY)\n\
    PAIR = socket.socketpair()\n\
    SOCKET = PAIR[0].fileno()\n";

/// What becomes of each call that isn't `never` allowed in a column, 2 for
/// templates and 3 for runs.
fn reviewed(column: usize) -> BTreeMap<u32, &'static str> {
    let lines = REVIEWED.lines().filter(|line| !line.starts_with('#'));
    let entries = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[0].parse().unwrap(), words[column])
    });
    entries.filter(|(_, word)| *word != "never").collect()
}

/// Calls that are refused whatever their arguments, or with these.
fn refused(column: usize) -> Vec<u32> {
    let reviewed = reviewed(column);
    let elsewhere = [&REFUSED_IN_ANY_CASE[..], &WITH_ARGUMENTS, &BEYOND_FILTERS].concat();
    (0..=LAST_NUMBER)
        .filter(|number| reviewed.get(number).is_none_or(|word| *word == "sometimes"))
        .filter(|number| !elsewhere.contains(number))
        .collect()
}

/// Python that makes the calls and leaves two lists of answers.
fn script(numbers: &[u32], attacks: &[(&str, &str)]) -> String {
    let attacks: Vec<String> = attacks.iter().map(|(_, call)| format!("({call})")).collect();
    format!(
        "{ARGUMENTS}swept = sweep({numbers:?})\nattacked = [answer(call) for call in [{}]]\n",
        attacks.join(", ")
    )
}

fn expect_refused(answers: &str, numbers: &[u32], attacks: &[(&str, &str)], where_: &str) {
    let (swept, attacked): (Vec<i64>, Vec<i64>) = serde_json::from_str(answers).unwrap();
    assert_eq!((swept.len(), attacked.len()), (numbers.len(), attacks.len()));
    let swept = numbers
        .iter()
        .zip(swept)
        .filter(|(number, answer)| *answer != if **number == CLONE3 { ENOSYS } else { EPERM });
    let faults: Vec<String> = swept
        .map(|(number, answer)| format!("system call {number} answered {answer}"))
        .chain(
            attacks
                .iter()
                .zip(attacked)
                .filter(|(_, answer)| *answer != EPERM)
                .map(|((name, _), answer)| format!("{name} answered {answer}")),
        )
        .collect();
    assert!(faults.is_empty(), "{where_}: {}", faults.join("; "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_refused_every_call_that_is_not_in_the_reviewed_list() {
    let bench = Bench::new().await;
    let numbers = refused(3);
    let attacks = [ATTACKS, ATTACKS_OF_RUNS].concat();
    let script = script(&numbers, &attacks).replace('\n', "\n    ");
    let handler =
        format!("{MODULE}\ndef calculate(inputs):\n    {script}\n    return [swept, attacked]\n");
    expect_refused(&bench.result(&handler).await, &numbers, &attacks, "in a run");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wheel_is_refused_every_call_that_is_not_in_the_reviewed_list() {
    let numbers = refused(2);
    let packages = readable_folder();
    let module = format!("{MODULE}{}", script(&numbers, ATTACKS))
        + "os.close(FILE)\nos.close(FOLDER)\nfor one in PAIR:\n    one.close()\ndel PAIR, one\n";
    std::fs::write(packages.path().join("attacker.py"), module).unwrap();
    let mut spec = TemplateSpec::new(interpreters().pop().unwrap());
    spec.packages.push(packages.path().to_path_buf());
    spec.preload.push("attacker".to_owned());
    let bench = Bench::with(spec).await;
    // Made while it was imported into the template.
    assert_eq!(bench.template.preloaded().loaded, ["attacker"]);
    let handler = "import attacker\n\
        def calculate(inputs):\n    return [attacker.swept, attacker.attacked]\n";
    expect_refused(&bench.result(handler).await, &numbers, ATTACKS, "in a template");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_may_do_what_only_runs_are_refused() {
    // Else the tests above would prove nothing of the runs' own filter.
    let packages = readable_folder();
    let module = format!("{MODULE}{}", script(&[], &ATTACKS_OF_RUNS[..3]))
        + "attacked.append(answer((157, 40, ROOM, 0, 0, 0)))\n\
           os.close(FILE)\nos.close(FOLDER)\nfor one in PAIR:\n    one.close()\ndel PAIR, one\n";
    std::fs::write(packages.path().join("attacker.py"), module).unwrap();
    let mut spec = TemplateSpec::new(interpreters().pop().unwrap());
    spec.packages.push(packages.path().to_path_buf());
    spec.preload.push("attacker".to_owned());
    let bench = Bench::with(spec).await;
    let handler = "import attacker\ndef calculate(inputs):\n    return attacker.attacked\n";
    // No such program; no such address; a lock; an address.
    assert_eq!(bench.result(handler).await, "[2,14,0,0]");
    bench.still_sound().await;
}
