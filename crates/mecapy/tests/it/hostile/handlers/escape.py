"""Runs that try to get out. Each attack tells what it reached."""

import array
import ctypes
import errno
import fcntl
import json
import mmap
import os
import signal
import socket
import stat
import struct
import termios
import time

import kernel

# Per architecture, as an attacker needs them.
NUMBERS = {
    "x86_64": {
        "add_key": 248, "bpf": 321, "chroot": 161, "clone": 56, "clone3": 435, "execve": 59,
        "execveat": 322, "fsopen": 430, "inotify_init1": 294, "io_uring_enter": 426,
        "io_uring_register": 427, "io_uring_setup": 425, "kcmp": 312, "keyctl": 250, "mount": 165,
        "mount_setattr": 442, "move_mount": 429, "name_to_handle_at": 303, "open_tree": 428,
        "perf_event_open": 298, "personality": 135, "pidfd_getfd": 438, "pidfd_open": 434,
        "pidfd_send_signal": 424, "process_madvise": 440, "process_vm_readv": 310,
        "process_vm_writev": 311, "ptrace": 101, "request_key": 249, "setns": 308,
        "socket": 41, "umount2": 166, "unshare": 272, "userfaultfd": 323,
    },
    "aarch64": {
        "add_key": 217, "bpf": 280, "chroot": 51, "clone": 220, "clone3": 435, "execve": 221,
        "execveat": 281, "fsopen": 430, "inotify_init1": 26, "io_uring_enter": 426,
        "io_uring_register": 427, "io_uring_setup": 425, "kcmp": 272, "keyctl": 219, "mount": 40,
        "mount_setattr": 442, "move_mount": 429, "name_to_handle_at": 264, "open_tree": 428,
        "perf_event_open": 241, "personality": 92, "pidfd_getfd": 438, "pidfd_open": 434,
        "pidfd_send_signal": 424, "process_madvise": 440, "process_vm_readv": 270,
        "process_vm_writev": 271, "ptrace": 117, "request_key": 218, "setns": 268,
        "socket": 198, "umount2": 39, "unshare": 97, "userfaultfd": 282,
    },
}[os.uname().machine]  # fmt: skip
NAMESPACES = {
    "mount": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "time": 0x80,
}
NEW_USER = NAMESPACES["user"]
# Nothing lies there.
NOWHERE = ctypes.c_void_p(8)


def call(name, *arguments):
    longs = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return kernel.call(ctypes.c_long(NUMBERS[name]), *longs)


def apart(action):
    """The answer of what could change the process that does it."""
    reader, writer = os.pipe()
    status = kernel.in_child(lambda: os.write(writer, str(action()).encode()))
    os.close(writer)
    answer = os.read(reader, 100).decode() or "ended with %d" % status
    os.close(reader)
    return answer


def opened(path, flags=os.O_RDONLY):
    """'ok', or why the path can't be opened."""

    def action():
        os.close(os.open(path, flags | os.O_NONBLOCK))
        return "ok"

    return kernel.attempt(action)


# Other processes.


def other_processes(inputs):
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    reached = []
    for pid in [*range(2, 500), *inputs["pids"]]:
        for name in ("environ", "maps", "mem", "cmdline", "root/etc/passwd", "fd"):
            if opened("/proc/%d/%s" % (pid, name)) == "ok":
                reached.append([pid, name])
    with open("/proc/self/environ", "rb") as file:
        environ = sorted(
            entry.split(b"=")[0].decode() for entry in file.read().split(b"\0") if entry
        )
    others = sorted(name for name in os.listdir("/proc") if not name.isdigit())
    return {"pids": pids, "reached": reached, "environ": environ, "beside": others}


def inherited_files(inputs):
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            mode = os.fstat(int(name)).st_mode
        except OSError:
            # The folder that is listed, closed by now.
            continue
        kinds = {"pipe": stat.S_ISFIFO, "socket": stat.S_ISSOCK, "device": stat.S_ISCHR}
        kind = next((kind for kind, test in kinds.items() if test(mode)), "file")
        access = fcntl.fcntl(int(name), fcntl.F_GETFL) & os.O_ACCMODE
        found[name] = [kind, ["read", "write", "both"][access]]
    # The other end of each would be somebody else's.
    reopened = {name: opened("/proc/self/fd/" + name, os.O_RDONLY) for name in "1234"}
    beyond = [fd for fd in range(5, 2000) if kernel.attempt(lambda: os.fstat(fd)) != "EBADF"]
    return {"found": found, "reopened": reopened, "beyond": beyond}


def privileges(inputs):
    with open("/proc/self/status") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups")
    told = {name: fields[name].strip() for name in names}
    limits = "RLIMIT_CORE", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_NOFILE"
    import resource

    told["limits"] = {name: resource.getrlimit(getattr(resource, name)) for name in limits}
    told["ids"] = [os.getresuid(), os.getresgid()]
    told["became"] = [kernel.attempt(lambda: os.setuid(0)), kernel.attempt(lambda: os.setgid(0))]
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    every = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
    ctypes.set_errno(0)
    kernel.libc.capset(header, every)
    told["capset"] = errno.errorcode.get(ctypes.get_errno(), "ok")
    return told


# The kernel's own files.

KERNEL_FILES = (
    "/proc/self/exe",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/self/uid_map",
    "/proc/self/gid_map",
    "/proc/self/setgroups",
    "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup/cgroup.procs",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/vda",
    "/dev/tty",
    "/dev/console",
    "/dev/fuse",
    "/dev/kvm",
)


def write_kernel_files(inputs):
    return {
        **{path: written(path, b"1000 1000 1") for path in KERNEL_FILES},
        "/proc/self/oom_score_adj": written("/proc/self/oom_score_adj", b"-1000"),
    }


def written(path, content):
    """How writing to a path ends: 'ok', or the error's name."""

    def action():
        file = os.open(path, os.O_WRONLY)
        try:
            os.write(file, content)
            return "ok"
        finally:
            os.close(file)

    return kernel.attempt(action)


def control_groups(inputs):
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split(" - ")[1].split()[0] for line in file]
    target = ctypes.c_char_p(b"/tmp")
    kinds = (b"cgroup", b"cgroup2", b"sysfs", b"tmpfs")
    return {
        "kinds": sorted(set(mounts)),
        "mount": [call("mount", target, target, ctypes.c_char_p(kind), 0, 0) for kind in kinds],
        # With these arguments only the filter answers EPERM.
        "filtered": [
            call("mount", NOWHERE, NOWHERE, NOWHERE, 0, 0),
            call("umount2", target, 1 << 20),
            call("mount_setattr", -1, target, 1 << 30, NOWHERE, 32),
            call("open_tree", -100, target, 0),
            call("chroot", ctypes.c_char_p(b"/nowhere")),
        ],
        "exists": [path for path in ("/sys", "/sys/fs/cgroup") if os.path.exists(path)],
    }


# System calls. The arguments are such that an unfiltered kernel would do it, or
# answer something else than EPERM.


def namespaces(inputs):
    own = os.open("/proc/self/ns/user", os.O_RDONLY)

    def clone(flags):
        number = ctypes.c_long(NUMBERS["clone"])
        ctypes.set_errno(0)
        child = kernel.libc.syscall(number, ctypes.c_long(flags | signal.SIGCHLD), 0, 0, 0, 0)
        if child == 0:
            os._exit(0)
        return "ok" if child > 0 else errno.errorcode[ctypes.get_errno()]

    struct_clone = (ctypes.c_uint64 * 8)(NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    return {
        "unshare": {
            name: apart(lambda: call("unshare", flag | NEW_USER))
            for name, flag in NAMESPACES.items()
        },
        "unshare nothing": apart(lambda: call("unshare", 0)),
        "clone": {
            name: clone(flag | NEW_USER) for name, flag in NAMESPACES.items() if name != "time"
        },
        "clone parent": clone(0x8000),
        "clone3": call("clone3", struct_clone, 64),
        "setns": [call("setns", own, 0), call("setns", -1, 0)],
    }


def tracing(inputs):
    word = ctypes.c_uint64(7)
    place = (ctypes.c_uint64 * 2)(ctypes.addressof(word), 8)
    itself, parent = os.getpid(), os.getppid()

    def attached():
        child = os.fork()
        if child == 0:
            signal.pause()
        try:
            return call("ptrace", 0x4206, child, 0, 0)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    return {
        "parent": parent,
        "traceme": apart(lambda: call("ptrace", 0, 0, 0, 0)),
        "own child": attached(),
        "template": call("ptrace", 16, parent, 0, 0),
        "read": [call("process_vm_readv", pid, place, 1, place, 1, 0) for pid in (itself, parent)],
        "write": [
            call("process_vm_writev", pid, place, 1, place, 1, 0) for pid in (itself, parent)
        ],
        "compare": call("kcmp", itself, itself, 0, 1, 2),
        "pidfd": [call("pidfd_open", pid, 0) for pid in (itself, parent)],
        "steal": call("pidfd_getfd", 0, 0, 0),
        "signal": call("pidfd_send_signal", -1, 0, NOWHERE, 0),
        "advise": call("process_madvise", -1, place, 1, 4, 0),
    }


def dangerous_calls(inputs):
    rings = (ctypes.c_uint32 * 30)()
    attributes = (ctypes.c_uint64 * 16)(1, 128)
    text = ctypes.c_char_p(b"user")
    return {
        "io_uring_setup": call("io_uring_setup", 1, rings),
        "io_uring_enter": call("io_uring_enter", -1, 0, 0, 0, 0, 0),
        "io_uring_register": call("io_uring_register", -1, 0, 0, 0),
        "bpf": call("bpf", 0, NOWHERE, 1 << 20),
        "perf_event_open": call("perf_event_open", attributes, 0, -1, -1, 1 << 20),
        "userfaultfd": call("userfaultfd", 1),
        "keyctl": call("keyctl", 0, -2, 1),
        "add_key": call("add_key", text, text, text, 4, -2),
        "request_key": call("request_key", text, text, 0, 0),
        "name_to_handle_at": call("name_to_handle_at", -1, text, NOWHERE, NOWHERE, 0),
        "inotify_init1": call("inotify_init1", 0),
        "personality": call("personality", 0xFFFFFFFF),
        "socket": call("socket", 1, 1, 0),
    }


def foreign_call(code):
    """Runs machine code, which ends this process where the call is refused."""
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return ctypes.CFUNCTYPE(ctypes.c_long)(place)()


def int_80(inputs):
    # mov eax, 20 (getpid there); int 0x80; ret
    return foreign_call(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")


def x32(inputs):
    # mov eax, 0x40000000 + 39 (getpid); syscall; ret
    return foreign_call(b"\xb8\x27\x00\x00\x40\x0f\x05\xc3")


def sixty_four(inputs):
    # The same by the usual call, to prove that the code runs.
    return foreign_call(b"\xb8\x27\x00\x00\x00\x0f\x05\xc3")


# Programs.


def programs(inputs):
    options = {}
    with open("/proc/self/mountinfo") as file:
        for line in file:
            fields = line.split()
            options[fields[4]] = fields[5].split(",")
    with open("/tmp/program", "wb") as file, open("/proc/self/exe", "rb") as own:
        file.write(own.read(1 << 16))
    os.chmod("/tmp/program", 0o755)
    target = os.open("/tmp/program", os.O_RDONLY)
    in_memory = os.memfd_create("program")
    os.write(in_memory, b"#!/bin/sh\n")
    empty, nothing = ctypes.c_char_p(b""), (ctypes.c_char_p * 1)(None)

    def mapped(path):
        file = os.open(path, os.O_RDONLY)
        try:
            mmap.mmap(file, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)
            return "ok"
        except OSError as error:
            return errno.errorcode[error.errno]
        finally:
            os.close(file)

    return {
        "without nosuid": [point for point, given in options.items() if "nosuid" not in given],
        "writable": [point for point, given in options.items() if "rw" in given],
        "with devices": [
            point for point, given in options.items() if point != "/" and "nodev" not in given
        ],
        "executable scratch": [
            point
            for point, given in options.items()
            if point.startswith("/scratch") and "noexec" not in given
        ],
        "execve": [
            apart(lambda: call("execve", ctypes.c_char_p(path), nothing, nothing))
            for path in (b"/proc/self/exe", b"/nowhere", b"/tmp/program")
        ],
        "execveat": [
            apart(lambda: call("execveat", file, empty, nothing, nothing, 0x1000))
            for file in (in_memory, target, -1)
        ],
        "mapped": mapped("/tmp/program"),
        "mapped library": mapped(os.__file__),
    }


def terminal(inputs):
    def push(request):
        return kernel.attempt(lambda: fcntl.ioctl(0, request, b"x"))

    # An unfiltered kernel says ENOTTY of /dev/null.
    return {
        "TIOCSTI": push(termios.TIOCSTI),
        "TIOCLINUX": push(0x541C),
        "TIOCSCTTY": push(termios.TIOCSCTTY),
        "FS_IOC_SETFLAGS": push(0x40086602),
        "isatty": os.isatty(0),
    }


def sleep(inputs):
    time.sleep(inputs["seconds"])
    return {"slept": True}


def kill_everybody(inputs):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hit = []
    parent = os.getppid()
    targets = [parent, 0, -1, *range(2, 500), *inputs["pids"], *(-pid for pid in inputs["pids"])]
    # Process 1 of a pid namespace is spared by its own signals.
    for target in targets:
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT):
            answer = kernel.attempt(lambda: os.kill(target, number))
            # The own group has one member.
            if answer is None and target != 0:
                hit.append([target, number])
    lowered = kernel.attempt(lambda: os.setpriority(os.PRIO_PGRP, 0, 19))
    return {"hit": hit, "parent": parent, "group": os.getpgrp(), "lowered": lowered}


# The result pipe.

RESULT = 4
HEAD = b'{"non_finite":[]}'


def frame(kind, head, body, head_length=None, body_length=None):
    lengths = (
        len(head) if head_length is None else head_length,
        len(body) if body_length is None else body_length,
    )
    return struct.pack("<cIQ", kind, *lengths) + head + body


def write(payload):
    view = memoryview(payload)
    while view:
        view = view[os.write(RESULT, view) :]


def close_pipe(inputs):
    os.close(RESULT)
    return {"own": True}


def reuse_pipe(inputs):
    file = os.open("/tmp/elsewhere", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, RESULT)
    return {"own": True}


def flood_pipe(inputs):
    while True:
        write(b"garbage" * 10000)


def half_a_frame(inputs):
    write(frame(b"R", HEAD, b'{"half": true}')[:20])
    os._exit(0)


def half_a_frame_and_waiting(inputs):
    write(frame(b"R", HEAD, b'{"half": true}')[:20])
    time.sleep(600)


def half_a_frame_then_a_whole_one(inputs):
    write(frame(b"R", HEAD, b'{"half": true}')[:20])
    return {"own": True}


def two_frames(inputs):
    write(frame(b"R", HEAD, b'{"first": 1}') + frame(b"R", HEAD, b'{"second": 2}'))
    return {"third": 3}


def short_length(inputs):
    write(frame(b"R", HEAD, b'{"a": 1}', body_length=3))
    time.sleep(600)


def long_length(inputs):
    write(frame(b"R", HEAD, b'{"a": 1}', body_length=2000))
    os._exit(0)


def gigabyte_announced(inputs):
    write(frame(b"R", HEAD, b"", body_length=1 << 30))
    time.sleep(600)


def endless_head(inputs):
    write(frame(b"E", b"", b"", head_length=0xFFFFFFFF))
    time.sleep(600)


def no_json(inputs):
    write(frame(b"R", HEAD, b"{} {}"))
    time.sleep(600)


def deep_json(inputs):
    write(frame(b"R", HEAD, b"[" * 100000 + b"]" * 100000))
    time.sleep(600)


def blames_the_platform(inputs):
    told = {"kind": "internal", "exception": "X", "message": "it was you", "traceback": None}
    write(frame(b"E", json.dumps(told).encode(), b""))
    time.sleep(600)


def by_a_child(inputs):
    if os.fork() == 0:
        time.sleep(0.05)
        write(frame(b"R", HEAD, b'{"by": "child"}'))
        time.sleep(600)
    time.sleep(600)


def forges_for_others(inputs):
    forged = frame(b"R", HEAD, b'{"forged": true}')
    for fd in [fd for fd in range(1024) if fd not in (0, 1, 2, RESULT)]:
        kernel.attempt(lambda: os.write(fd, forged))
    for pid in os.listdir("/proc"):
        for fd in range(20):
            path = "/proc/%s/fd/%d" % (pid, fd)
            if pid.isdigit() and pid != "1":
                kernel.attempt(lambda: os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), forged))
    return {"own": True}


# The control socket, on which the job came.

CONTROL = 3


def control_read_again(inputs):
    os.set_blocking(CONTROL, False)
    return {"more": kernel.attempt(lambda: len(os.read(CONTROL, 1 << 16)))}


def control_garbage(inputs):
    os.set_blocking(CONTROL, False)
    written = 0
    try:
        while True:
            written += os.write(CONTROL, b"H\1" + b"garbage" * 1000)
    except OSError as error:
        return {"stopped": errno.errorcode[error.errno], "bounded": written < 16 << 20}


def control_shut(inputs):
    with socket.socket(fileno=os.dup(CONTROL)) as control:
        control.shutdown(socket.SHUT_RDWR)
    os.close(CONTROL)
    return {"own": True}


def control_files(inputs):
    sent = 0
    with socket.socket(fileno=os.dup(CONTROL)) as control:
        control.setblocking(False)
        files = array.array("i", [RESULT] * 253)
        try:
            for _ in range(10000):
                control.sendmsg([b"H\1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
                sent += len(files)
        except OSError as error:
            return {"stopped": errno.errorcode[error.errno], "sent": sent}


# The interpreter.


def patches(inputs):
    """Changes everything that the next run would use if it were shared."""
    import builtins

    import mecapy_runner.calculate
    import mecapy_runner.child
    import mecapy_runner.encode
    import mecapy_runner.kernel

    def forged(*_, **__):
        return {"forged": True}

    for module in (
        builtins,
        json,
        mecapy_runner.calculate,
        mecapy_runner.child,
        mecapy_runner.encode,
        mecapy_runner.kernel,
    ):
        for name, value in list(vars(module).items()):
            if callable(value) and not isinstance(value, type):
                setattr(module, name, forged)
    os.write(RESULT, frame(b"R", HEAD, b'{"patched": true}'))
    while True:
        pass


def patches_memory(inputs):
    """Overwrites the code that is shared with the template, in its own memory."""
    with open("/proc/self/maps") as file:
        lines = [line.split() for line in file]
    text = [line for line in lines if line[-1].endswith("fork_loop.so") and "x" in line[1]]
    start = int(text[0][0].split("-")[0], 16)
    with open("/proc/self/mem", "r+b", 0) as memory:
        memory.seek(start)
        return {"written": kernel.attempt(lambda: memory.write(b"\xcc" * 4096))}


def calculate(inputs):
    return globals()[inputs["attack"]](inputs)
