"""Runs that leave, name or want files that they must not."""

import errno
import os
import socket
import stat
import sys
import threading
import time

from kernel import attempt, call

OUTPUTS = "/outputs"
REPORT = OUTPUTS + "/report"
SYS_MKNOD, SYS_MOUNT, SYS_UMOUNT = 133, 165, 166
SYS_FSOPEN, SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 430, 428, 429, 442
SYS_CHROOT, SYS_PIVOT_ROOT = 161, 155


def write(path, content="x"):
    with open(path, "w") as file:
        file.write(content)


def symlink(inputs):
    os.symlink(inputs["target"], REPORT)
    return REPORT


def folder_link(inputs):
    os.mkdir(OUTPUTS + "/real")
    write(OUTPUTS + "/real/report")
    os.symlink(inputs["target"], OUTPUTS + "/linked")
    return OUTPUTS + "/linked/passwd"


def hard_link(inputs):
    write("/scratch/tmp/first")
    os.link("/scratch/tmp/first", REPORT)
    return REPORT


def hard_link_to_the_host(inputs):
    places = [inputs["target"], "/code/handler.py", sys.executable, os.__file__, "/etc/passwd", "/dev/null"]
    return {place: attempt(lambda: os.link(place, REPORT)) for place in places}


def node(inputs):
    made = {
        "fifo": attempt(lambda: os.mkfifo(REPORT)),
        "null": attempt(lambda: os.mknod(REPORT, stat.S_IFCHR | 0o666, os.makedev(1, 3))),
        "disk": attempt(lambda: os.mknod(REPORT, stat.S_IFBLK | 0o666, os.makedev(254, 0))),
        "socket": attempt(lambda: os.mknod(REPORT, stat.S_IFSOCK | 0o666)),
        "by number": call(SYS_MKNOD, REPORT.encode(), stat.S_IFCHR | 0o666, os.makedev(1, 5)),
        "bound": attempt(lambda: socket.socket(socket.AF_UNIX).bind(REPORT)),
    }
    return {"made": made, "left": os.listdir(OUTPUTS)}


def directory(inputs):
    os.mkdir(REPORT)
    return REPORT


def named(inputs):
    write(OUTPUTS + "/other")
    return inputs["path"]


def sparse(inputs):
    file = os.open(REPORT, os.O_CREAT | os.O_RDWR)
    os.ftruncate(file, 1 << 40)
    return REPORT


def too_many(inputs):
    for number in range(inputs["count"]):
        write(OUTPUTS + "/%d" % number, "")


def too_large(inputs):
    write(REPORT, "x" * inputs["bytes"])
    return REPORT


def fill_tmp(inputs):
    block = b"x" * (1 << 20)
    written = 0
    for folder in ("/tmp", "/outputs", "/dev/shm"):
        file = os.open(folder + "/full", os.O_CREAT | os.O_WRONLY)
        try:
            while True:
                written += os.write(file, block)
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
    for folder in ("/tmp", "/outputs", "/dev/shm"):
        os.unlink(folder + "/full")
    return written >> 20


def inode_flood(inputs):
    made = 0
    try:
        while True:
            os.close(os.open("/tmp/%d" % made, os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError as error:
        return {"made": made, "error": errno.errorcode[error.errno]}


def deep_folders(inputs):
    os.chdir(inputs["below"])
    for _ in range(10_000):
        os.mkdir("d")
        os.chdir("d")


def odd_name(inputs):
    os.close(os.open(OUTPUTS.encode() + b"/" + bytes.fromhex(inputs["name"]), os.O_CREAT | os.O_WRONLY))


def write_everywhere(inputs):
    """Every folder that can be found and takes a file, a change of mode, a new
    time or an owner."""
    taken = []
    folders = ["/", "/code", "/code/__pycache__", "/inputs", "/runner", "/packages", "/etc", "/dev", "/proc"]
    folders += ["/sys", "/home", "/root", "/var", "/usr/lib", "/scratch", "/runner/mecapy_runner"]
    folders += ["/proc/sys/kernel", "/proc/1", "/sys/fs/cgroup"]
    folders += sys.path + [os.path.dirname(os.__file__), os.path.dirname(sys.executable), sys.prefix]
    folders += ["/packages/" + name for name in os.listdir("/packages")]
    folders += [folder + "/__pycache__" for folder in list(folders)]
    ways = {
        "file": lambda folder: write(folder + "/x"),
        "folder": lambda folder: os.mkdir(folder + "/y"),
        "link": lambda folder: os.symlink("/etc", folder + "/z"),
        "mode": lambda folder: os.chmod(folder, 0o777),
        "owner": lambda folder: os.chown(folder, 1000, 1000),
        "time": lambda folder: os.utime(folder, (1, 1)),
        "attribute": lambda folder: os.setxattr(folder, "user.x", b"x"),
        "name": lambda folder: os.rename(folder, folder + "-"),
    }
    for folder in dict.fromkeys(folders):
        for way, act in ways.items():
            try:
                act(folder)
                taken.append((way, folder))
            except OSError:
                pass
    return taken


def write_files(inputs):
    """Files of others that can be opened for writing, cut, replaced or changed."""
    import json

    files = ["/code/handler.py", "/code/kernel.py", "/etc/passwd", "/runner/template.py", json.__file__]
    files += [json.__cached__, os.__file__, sys.executable, inputs["given"]]
    files += ["/runner/mecapy_runner/fork_loop.so", "/proc/1/oom_score_adj"]
    libraries = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
    ways = {
        "write": lambda path: os.close(os.open(path, os.O_WRONLY)),
        "append": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)),
        "cut": lambda path: os.truncate(path, 0),
        "remove": os.unlink,
        "replace": lambda path: os.rename("/tmp/own", path),
        "mode": lambda path: os.chmod(path, 0o777),
        "owner": lambda path: os.chown(path, 1000, 1000),
        "time": lambda path: os.utime(path, (1, 1)),
    }
    write("/tmp/own")
    taken = []
    for path in files + sorted(libraries):
        for way, act in ways.items():
            try:
                act(path)
                taken.append((way, path))
            except OSError:
                pass
    # Its own reading stands low in everybody's eyes; that is all it may set.
    return [found for found in taken if found[1] != "/proc/1/oom_score_adj"]


def mounts(inputs):
    """How the kernel says that each place is mounted."""
    lines = [line.split() for line in open("/proc/self/mountinfo")]
    return [[fields[4], fields[5].split(",")] for fields in lines]


def remount(inputs):
    return {
        "read-write root": call(SYS_MOUNT, b"none", b"/", b"none", 32, 0),
        "read-write code": call(SYS_MOUNT, b"none", b"/code", b"none", 32 | 4096, 0),
        "tmpfs": call(SYS_MOUNT, b"none", b"/tmp", b"tmpfs", 0, 0),
        "bind": call(SYS_MOUNT, b"/scratch", b"/code", b"none", 4096, 0),
        "unmount code": call(SYS_UMOUNT, b"/code", 2),
        "unmount scratch": call(SYS_UMOUNT, b"/scratch", 2),
        "fsopen": call(SYS_FSOPEN, b"tmpfs", 0),
        "open_tree": call(SYS_OPEN_TREE, -100, b"/code", 1),
        "move_mount": call(SYS_MOVE_MOUNT, -100, b"/scratch", -100, b"/code", 0),
        "mount_setattr": call(SYS_MOUNT_SETATTR, -100, b"/", 0, bytes(32), 32),
        "chroot": call(SYS_CHROOT, b"/tmp"),
        "pivot_root": call(SYS_PIVOT_ROOT, b"/", b"/"),
    }


def keep_secret(inputs):
    """Leaves a mark wherever a run may write, and waits until it is looked for."""
    for folder in ("/tmp", "/outputs", "/dev/shm", "/scratch/tmp"):
        write(folder + "/" + inputs["secret"], inputs["secret"])
    os.chdir("/tmp")
    time.sleep(inputs["seconds"])
    return sorted(os.listdir("/tmp"))


def search(inputs):
    """Everything in sight whose name or content is the other's secret."""
    found = []
    places = ["/tmp", "/outputs", "/dev/shm", "/scratch", "/inputs", "/packages", "/code", "/runner"]
    places += ["/proc/%d/%s" % (pid, way) for pid in range(1, 300) for way in ("root/tmp", "cwd", "fd")]
    places += ["/proc/self/root/../tmp", "/tmp/..", "/tmp/../../..", "/scratch/../scratch"]
    for place in places:
        for folder, _, names in os.walk(place) if os.path.exists(place) else ():
            found += [folder + "/" + name for name in names if inputs["secret"] in name]
            if folder.count("/") > place.count("/") + 1:
                break
    for pid in range(2, 300):
        for way in ("environ", "maps", "cmdline", "mem", "status"):
            try:
                open("/proc/%d/%s" % (pid, way), "rb").read(1)
                found.append("/proc/%d/%s" % (pid, way))
            except OSError:
                pass
    return {"found": found, "processes": [name for name in os.listdir("/proc") if name.isdigit()]}


def restless(inputs):
    """Returns while a child goes on swapping the output for a link."""
    os.symlink("/etc/passwd", "/tmp/link")
    write(REPORT, "honest" * 1000)
    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        while True:
            os.symlink("/etc/passwd", OUTPUTS + "/next")
            os.rename(OUTPUTS + "/next", REPORT)
            write(OUTPUTS + "/next", "honest" * 1000)
            os.rename(OUTPUTS + "/next", REPORT)
            if told is not None:
                os.write(told, b"x")
                told = None
    os.read(ready, 1)
    threading.Thread(target=grow, daemon=True).start()
    return REPORT


def grow():
    with open(OUTPUTS + "/growing", "w") as file:
        while True:
            file.write("x" * 1000)
            file.flush()
            if file.tell() > 1 << 20:
                file.seek(0)
                file.truncate()


def read_input(inputs):
    path = inputs["given"]
    return {
        "path": path,
        "content": open(path).read(),
        "all": sorted(os.path.join(folder, name) for folder, _, names in os.walk("/inputs") for name in names),
    }


def calculate(inputs):
    answer = globals()[inputs["attack"]](inputs)
    return {"report": answer} if isinstance(answer, str) else {"answer": answer}
