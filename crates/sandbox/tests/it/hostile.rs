//! Runs and wheels that attack: each gets its verdict, nothing gets out, and
//! the next calculation is right.

use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use sandbox::{End, Error, FailureKind, Limits, TemplateSpec};

use crate::harness::{
    Bench, exception, failure, interpreters, limits, patience, readable_folder, result,
};

/// Calls into libc, for handlers that go around Python.
const LIBC: &str = "import ctypes, os\n\
    libc = ctypes.CDLL(None, use_errno=True)\n\
    def call(*a):\n\
    \x20   ctypes.set_errno(0)\n\
    \x20   r = libc.syscall(*[ctypes.c_long(x) if isinstance(x, int) else x for x in a])\n\
    \x20   return ctypes.get_errno() if r < 0 else 'did ' + str(a[0])\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_out_of_reach_and_an_attempt_is_explained() {
    let bench = Bench::new().await;
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    let inputs = format!(
        r#"{{"tcp":{},"udp":{}}}"#,
        tcp.local_addr().unwrap().port(),
        udp.local_addr().unwrap().port()
    );
    for attempt in [
        "socket.create_connection(('127.0.0.1', inputs['tcp']), 2)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', inputs['udp']))",
        "socket.getaddrinfo('example.org', 80)",
        "__import__('urllib.request').request.urlopen('http://127.0.0.1:%d' % inputs['tcp'])",
    ] {
        let handler = format!("import socket\ndef calculate(inputs):\n    {attempt}\n");
        let outcome = bench.run(&handler, &inputs).await;
        let (_, message) = exception(&outcome);
        assert!(message.contains("a calculation has no network"), "{attempt}: {message}");
    }
    // The kernel refuses as well, whatever Python's hook says: INET, INET6,
    // VSOCK, NETLINK, UNIX.
    let handler = format!(
        "{LIBC}def calculate(inputs):\n    return [call(41, f, 1, 0) for f in (2, 10, 40, 16, 1)]\n"
    );
    assert_eq!(bench.result(&handler).await, "[1,1,1,1,1]");
    assert!(tcp.accept().is_err(), "nobody connected");
    assert!(udp.recv(&mut [0; 8]).is_err(), "nothing was sent");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_host_dont_exist_for_a_run() {
    let bench = Bench::new().await;
    let secret = readable_folder();
    std::fs::write(secret.path().join("secret"), "secret").unwrap();
    let handler = "import os\n\
        def calculate(inputs):\n\
        \x20   read = []\n\
        \x20   paths = [inputs['secret'], '/etc/shadow', '/etc/hostname', '/root/.bashrc', '/proc/1/root' + inputs['secret'], '/proc/self/cwd/../' + inputs['secret'], '/proc/kcore', '/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/sys/kernel/notes', '/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/tty']\n\
        \x20   for path in paths:\n\
        \x20       try:\n            open(path, 'rb').read(1)\n            read.append(path)\n        except OSError:\n            pass\n\
        \x20   return {'read': read, 'root': sorted(os.listdir('/')), 'dev': sorted(os.listdir('/dev')), 'etc': sorted(set(os.listdir('/etc')) - {'ld.so.cache'})}\n";
    let inputs = format!(r#"{{"secret":{:?}}}"#, secret.path().join("secret"));
    let seen = result(bench.run(handler, &inputs).await);
    assert!(seen.starts_with(r#"{"read":[],"#), "{seen}");
    assert!(
        !seen.contains("home") && !seen.contains("boot") && !seen.contains("\"var\""),
        "{seen}"
    );
    assert!(seen.contains(r#""dev":["full","null","random","shm","urandom","zero"]"#), "{seen}");
    assert!(seen.ends_with(r#""etc":["group","hosts","nsswitch.conf","passwd"]}"#), "{seen}");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_processes_can_be_neither_seen_nor_touched() {
    let bench = Bench::new().await;
    // One that waits beside it: same template, same user id on the host.
    let neighbour = bench.template.prepare().await.unwrap();
    let test = std::process::id();
    let handler = format!(
        "{LIBC}import signal\n\
        def calculate(inputs):\n\
        \x20   pids = [p for p in os.listdir('/proc') if p.isdigit()]\n\
        \x20   hit = []\n\
        \x20   for pid in list(range(2, 400)) + [{test}]:\n\
        \x20       try:\n            os.kill(pid, signal.SIGKILL)\n            hit.append(pid)\n        except OSError:\n            pass\n\
        \x20   try:\n        os.kill(-1, signal.SIGKILL)\n        hit.append(-1)\n    except OSError:\n        pass\n\
        \x20   ptrace, peek = call(101, 16, {test}, 0, 0), call(310, {test}, 0, 0, 0, 0, 0)\n\
        \x20   return [pids, hit, ptrace, peek]\n"
    );
    assert_eq!(bench.result(&handler).await, r#"[["1"],[],1,1]"#);
    assert!(neighbour.is_alive());
    let answer =
        bench.run_on(neighbour, "def calculate(inputs):\n    return 2\n", "{}", limits()).await;
    assert_eq!(result(answer), "2");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_bombs_are_stopped_at_the_limit() {
    let bench = Bench::new().await;
    let small = Limits { memory_bytes: 100 << 20, ..limits() };
    for handler in [
        "def calculate(inputs):\n    x = bytearray(600 << 20)\n    x[::4096] = b'x' * len(x[::4096])\n    return len(x)\n",
        "def calculate(inputs):\n    x = []\n    while True:\n        x.append(b'x' * (1 << 20))\n",
        "def calculate(inputs):\n    f = open('/dev/shm/x', 'wb')\n    x = []\n    while True:\n        f.write(b'x' * (1 << 20)); x.append(bytearray(1 << 20))\n",
    ] {
        let outcome = bench.run_within(handler, "{}", small.clone()).await;
        match failure(&outcome).kind {
            FailureKind::OutOfMemory { limit_bytes, peak_bytes } => {
                assert_eq!(limit_bytes, 100 << 20);
                assert!(peak_bytes >= limit_bytes);
            }
            ref other => panic!("{other:?}"),
        }
    }
    // What the kernel won't even promise is out of memory, too.
    let outcome = bench.run("def calculate(inputs):\n    return bytearray(1 << 60)\n", "{}").await;
    assert!(matches!(failure(&outcome).kind, FailureKind::OutOfMemory { .. }), "{outcome:?}");
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fork_and_thread_bombs_hit_the_process_limit() {
    let bench = Bench::new().await;
    let few = Limits { pids: 20, wall: patience(Duration::from_secs(3)), ..limits() };
    let forks = "import os, time\ndef calculate(inputs):\n    made = 0\n    try:\n        while True:\n            if os.fork() == 0:\n                time.sleep(60)\n            made += 1\n    except OSError as error:\n        return [made, error.errno]\n";
    assert_eq!(result(bench.run_within(forks, "{}", few.clone()).await), "[19,11]");
    let threads = "import threading, time\ndef calculate(inputs):\n    made = 0\n    try:\n        while True:\n            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n            made += 1\n    except RuntimeError:\n        return made\n";
    assert_eq!(result(bench.run_within(threads, "{}", few.clone()).await), "19");
    let bomb = "import os\ndef calculate(inputs):\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass\n";
    let outcome = bench.run_within(bomb, "{}", few).await;
    assert!(matches!(failure(&outcome).kind, FailureKind::Timeout { .. }), "{outcome:?}");
    drop(outcome);
    bench.still_sound().await;
}

/// A fork loop in Python that a wheel puts in place of the platform's. With
/// nothing left out its runs are as good as the platform's own.
const OWN_LOOP: &str = r#"
import ctypes, os, socket
from array import array
from mecapy_runner import child, kernel

libc = ctypes.PyDLL(None, use_errno=True)
CLONE = {'x86_64': 56, 'aarch64': 220}[os.uname().machine]

def fork(loop):
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = libc.syscall(CLONE, ctypes.c_long(loop.plan.fork_flags), 0, 0, 0, 0)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return pid

def isolate(loop, fds, group=True, restrict=True, session=True, folder='/'):
    if session:
        os.setsid()
    os.chdir(folder)
    if group:
        for fd in fds[4:]:
            os.write(fd, b'0')
    for fd, target in ((fds[2], 1), (fds[3], 2), (fds[0], 3), (fds[1], 4)):
        os.dup2(fd, target)
    os.closerange(5, 1024)
    for name, text in (('setgroups', b'deny'), ('gid_map', b'1000 1000 1'), ('uid_map', b'1000 1000 1')):
        with open('/proc/self/' + name, 'wb', 0) as file:
            file.write(text)
    if restrict:
        libc.prctl(1, 9, 0, 0, 0)
        libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
        libc.prctl(22, 2, ctypes.c_void_p(loop.plan.filter), 0, 0)

def serve_with(take):
    def serve(loop):
        control = socket.socket(fileno=os.dup(3))
        while True:
            data, ancillary, _, _ = control.recvmsg(1 << 17, socket.CMSG_LEN(128))
            if data != b'F':
                ctypes.memmove(loop.buffer, data, len(data))
                return len(data)
            fds = array('i')
            fds.frombytes(ancillary[0][2])
            take(loop, list(fds))
            for fd in fds:
                os.close(fd)
    kernel.ForkLoop.serve = serve
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_wheel_that_patches_the_fork_loop_gets_no_run_past_the_checks() {
    let packages = readable_folder();
    let write = |name: &str, text: &str| {
        std::fs::write(packages.path().join(format!("{name}.py")), text).unwrap();
    };
    write("own_loop", OWN_LOOP);
    let (sandbox, _) = crate::harness::start_sandbox().await;
    for (module, take, says) in [
        ("honest", "if fork(loop) == 0:\n        isolate(loop, fds)\n        child.main()", None),
        (
            "no_filter",
            "if fork(loop) == 0:\n        isolate(loop, fds, restrict=False)\n        child.main()",
            Some("Cap"),
        ),
        (
            "plain_fork",
            "if os.fork() == 0:\n        isolate(loop, fds)\n        child.main()",
            Some(""),
        ),
        (
            "no_group",
            "if fork(loop) == 0:\n        isolate(loop, fds, group=False)\n        child.main()",
            Some("control group"),
        ),
        (
            "no_session",
            "if fork(loop) == 0:\n        isolate(loop, fds, session=False)\n        child.main()",
            Some("NSpgid"),
        ),
        (
            "common_folder",
            "if fork(loop) == 0:\n        isolate(loop, fds, folder='/tmp')\n        child.main()",
            Some("working folder"),
        ),
        (
            "impostor",
            "if fork(loop) == 0:\n        isolate(loop, fds)\n        if os.fork() == 0:\n            child.main()\n        os.wait()\n        os._exit(0)",
            Some("no new child"),
        ),
        // It keeps the run's files and never forks; the host's time limit is longer.
        ("liar", "kept.extend(map(os.dup, fds))", None),
    ] {
        write(
            module,
            &format!(
                "from own_loop import *\nkept = []\ndef take(loop, fds):\n    {take}\nserve_with(take)\n"
            ),
        );
        let mut spec = TemplateSpec::new(interpreters().pop().unwrap());
        spec.packages.push(packages.path().to_path_buf());
        spec.preload.push(module.to_owned());
        let template = sandbox.start_template(spec).await.unwrap();
        assert_eq!(template.preloaded().loaded, [module]);
        let prepared = tokio::time::timeout(patience(Duration::from_secs(4)), template.prepare());
        match (prepared.await, says) {
            (Ok(Err(Error::Unfit(detail))), Some(says)) => {
                assert!(detail.contains(says), "{module}: {detail}");
            }
            (Ok(Ok(_)), None) if module == "honest" => {}
            (Err(_), None) if module == "liar" => {}
            // With much patience, the launcher's own is at its end first.
            (Ok(Err(Error::Unfit(detail))), None) if module == "liar" => {
                assert!(detail.contains("did not fork in time"), "{detail}");
            }
            (other, _) => panic!("{module}: {other:?}"),
        }
    }
    sandbox.shutdown().await;
    Bench::new().await.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_result_reaches_nobody_else() {
    let bench = Bench::new().await;
    let other = bench.template.prepare().await.unwrap();
    for statements in [
        "os.write(4, b'garbage' * 1000)",
        "os.write(4, b'R' + b'\\xff' * 12)",
        "os.write(4, b'R' + (2).to_bytes(4, 'little') + (3).to_bytes(8, 'little') + b'{}' + b'1 2')",
        "os.write(4, b'R' + (18).to_bytes(4, 'little') + (3).to_bytes(8, 'little') + b'{\"non_finite\":[]} ' + b'1 2')",
        // Deeper than any reader's recursion may have to go.
        "os.write(4, b'R' + (17).to_bytes(4, 'little') + (1400).to_bytes(8, 'little') + b'{\"non_finite\":[]}' + b'[' * 700 + b']' * 700)",
    ] {
        let outcome = bench
            .run(
                &format!("import os\ndef calculate(inputs):\n    {statements}\n    return 1\n"),
                "{}",
            )
            .await;
        let kind = &failure(&outcome).kind;
        assert!(
            matches!(kind, FailureKind::InvalidOutput | FailureKind::OutputTooLarge { .. }),
            "{statements}: {kind:?}"
        );
    }
    let closed =
        bench.run("import os\ndef calculate(inputs):\n    os.close(4)\n    return 1\n", "{}").await;
    assert_eq!(failure(&closed).kind, FailureKind::InvalidOutput);
    drop(closed);
    // Who blames the platform would be tried again at everybody's cost.
    let blaming = "import json, os, struct\ndef calculate(inputs):\n    meta = json.dumps({'kind': 'internal', 'exception': 'X', 'message': 'm', 'traceback': None}).encode()\n    os.write(4, struct.pack('<cIQ', b'E', len(meta), 0) + meta)\n    os._exit(0)\n";
    let blamed = bench.run(blaming, "{}").await;
    assert!(matches!(failure(&blamed).kind, FailureKind::UserError { .. }));
    drop(blamed);
    // The files of every other process are out of sight.
    let handler = "import os\ndef calculate(inputs):\n    return [p for p in os.listdir('/proc') if p.isdigit() and p != '1']\n";
    assert_eq!(bench.result(handler).await, "[]");
    let answer =
        bench.run_on(other, "def calculate(inputs):\n    return 'own'\n", "{}", limits()).await;
    assert_eq!(result(answer), "\"own\"");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_leaves_no_mark_on_a_file_that_others_see() {
    let bench = Bench::new().await;
    // What can be set on an open file, on its locks, and on its signals.
    let handler = "import fcntl, os, struct\n\
        def attempt(*call):\n\
        \x20   try:\n        fcntl.fcntl(*call)\n        return 0\n\
        \x20   except OSError as error:\n        return error.errno\n\
        def calculate(inputs):\n\
        \x20   found = fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK)\n\
        \x20   fcntl.fcntl(0, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)\n\
        \x20   shared = os.open(os.__file__, os.O_RDONLY)\n\
        \x20   lock = struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 4242, 7, 0)\n\
        \x20   commands = [5, 6, 7, 36, 37, 38]\n\
        \x20   refused = {attempt(shared, command, lock) for command in commands}\n\
        \x20   refused |= {attempt(shared, command, 1) for command in [8, 10, 1024, 1026]}\n\
        \x20   refused |= {attempt(shared, command) for command in [9, 11, 1025]}\n\
        \x20   return [found, sorted(refused)]\n";
    for _ in 0..2 {
        assert_eq!(bench.result(handler).await, "[0,[1]]");
    }
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_keeps_stdout_open_dies_with_its_run() {
    let bench = Bench::new().await;
    let handler = "import os, time\ndef calculate(inputs):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            while True:\n                time.sleep(1)\n        os._exit(0)\n    os.wait()\n    return 'left one'\n";
    let began = Instant::now();
    assert_eq!(bench.result(handler).await, "\"left one\"");
    let exits = "import os, time\ndef calculate(inputs):\n    if os.fork() == 0:\n        while True:\n            time.sleep(1)\n    os._exit(0)\n";
    let outcome = bench.run(exits, "{}").await;
    assert_eq!(failure(&outcome).kind, FailureKind::InvalidOutput);
    drop(outcome);
    assert!(began.elapsed() < patience(Duration::from_secs(10)), "nobody waited for the daemons");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pth_file_is_never_executed() {
    let packages = readable_folder();
    std::fs::write(packages.path().join("evil.pth"), "import sys; sys.evil = True\n").unwrap();
    std::fs::write(packages.path().join("sitecustomize.py"), "import sys; sys.evil = True\n")
        .unwrap();
    std::fs::write(packages.path().join("usercustomize.py"), "import sys; sys.evil = True\n")
        .unwrap();
    for interpreter in interpreters() {
        let mut spec = TemplateSpec::new(interpreter);
        spec.packages.push(packages.path().to_path_buf());
        let bench = Bench::with(spec).await;
        let handler = "import sys\ndef calculate(inputs):\n    return [hasattr(sys, 'evil'), 'site' in sys.modules]\n";
        assert_eq!(bench.result(handler).await, "[false,false]");
        bench.still_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_refuses_every_way_out() {
    let bench = Bench::new().await;
    let calls = [
        ("unshare", "call(272, 0x10000000)"),
        ("setns", "call(308, 1, 0)"),
        ("clone NEWUSER", "call(56, 0x10000011, 0, 0, 0, 0)"),
        ("clone as a template does", "call(56, 0x39228011, 0, 0, 0, 0)"),
        ("mount", "call(165, b'none', b'/tmp', b'tmpfs', 0, 0)"),
        ("umount", "call(166, b'/scratch', 2)"),
        ("pivot_root", "call(155, b'/', b'/')"),
        ("chroot", "call(161, b'/tmp')"),
        ("fsopen", "call(430, b'tmpfs', 0)"),
        ("open_tree", "call(428, -100, b'/', 1)"),
        ("io_uring", "call(425, 1, 0)"),
        ("bpf", "call(321, 0, 0, 0)"),
        ("perf", "call(298, 0, 0, 0, 0, 0)"),
        ("userfaultfd", "call(323, 0)"),
        ("keyctl", "call(250, 0, 0)"),
        ("add_key", "call(248, b'user', b'x', b'y', 1, -3)"),
        ("shmget", "call(29, 1, 4096, 0o1666)"),
        ("msgget", "call(68, 1, 0o1666)"),
        ("kexec", "call(246, 0, 0, 0, 0)"),
        ("init_module", "call(175, 0, 0, 0)"),
        ("setuid 0", "call(105, 0)"),
        ("pidfd_getfd", "call(438, 0, 0, 0)"),
        ("name_to_handle_at", "call(304, 0, 0, 0)"),
        ("execve", "call(59, b'/usr/bin/true', 0, 0)"),
        ("capset", "call(126, 0, 0)"),
        ("TIOCSTI", "call(16, 0, 0x5412, b'x')"),
        ("reboot", "call(169, 0xfee1dead, 672274793, 0, 0)"),
        ("settimeofday", "call(164, 0, 0)"),
        ("sethostname", "call(170, b'x', 1)"),
        ("flock", "call(73, 0, 6)"),
    ];
    let list: Vec<&str> = calls.iter().map(|(_, call)| *call).collect();
    let handler = format!(
        "{LIBC}def calculate(inputs):\n    return [{}, call(435, 0, 0)]\n",
        list.join(", ")
    );
    let answers = bench.result(&handler).await;
    let answers: Vec<&str> = answers.trim_matches(['[', ']']).split(',').collect();
    for ((name, _), answer) in calls.iter().zip(&answers) {
        assert_eq!(*answer, "1", "{name} answers EPERM");
    }
    assert_eq!(answers.last(), Some(&"38"), "clone3 answers ENOSYS");
    bench.still_sound().await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_system_call_interface_kills() {
    let bench = Bench::new().await;
    // mov eax, 20; int 0x80; ret: getpid through the 32-bit interface.
    let int80 = "import ctypes, mmap\ndef calculate(inputs):\n    m = mmap.mmap(-1, 4096, prot=7)\n    m.write(bytes.fromhex('b814000000cd80c3'))\n    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\n";
    let x32 = "import ctypes\ndef calculate(inputs):\n    return ctypes.CDLL(None).syscall(0x40000000 | 39)\n";
    for handler in [int80, x32] {
        let outcome = bench.run(handler, "{}").await;
        // A kernel without the interface refuses it before the filter does.
        match &outcome.end {
            End::Failed(failure) => {
                assert!(
                    matches!(failure.kind, FailureKind::Killed { signal: 31 | 11 }),
                    "{failure:?}"
                );
            }
            End::Result { json, .. } => assert_eq!(&json[..], b"-1"),
        }
    }
    bench.still_sound().await;
}
