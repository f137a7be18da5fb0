"""Runs that want to talk to somebody, or know where they are."""

import ctypes
import os
import socket
import struct
import sys
import tempfile
import time

from kernel import attempt, call

AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK = 2, 10, 1, 16, 17, 38, 40
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW = 1, 2, 3
SYS_SOCKET, SYS_CONNECT, SYS_SENDTO, SYS_BIND, SYS_LISTEN, SYS_ACCEPT4 = 41, 42, 44, 49, 50, 288


def tcp(inputs):
    socket.create_connection(("127.0.0.1", inputs["port"]), 2).send(b"found")


def udp(inputs):
    socket.socket(AF_INET, SOCK_DGRAM).sendto(b"found", ("127.0.0.1", inputs["port"]))


def connected_udp(inputs):
    sender = socket.socket(AF_INET, SOCK_DGRAM)
    sender.connect(("127.0.0.1", inputs["port"]))
    sender.send(b"found")


def listen(inputs):
    socket.create_server(("127.0.0.1", 0))


def name(inputs):
    socket.getaddrinfo("example.invalid", 80)


def old_name(inputs):
    socket.gethostbyname("example.invalid")


def metadata(inputs):
    import urllib.request

    place = "http://127.169.254.169:%d/latest/meta-data/iam" % inputs["port"]
    return urllib.request.urlopen(place, timeout=2).read().decode()


def asynchronous(inputs):
    import asyncio

    async def connect():
        await asyncio.open_connection("127.0.0.1", inputs["port"])

    asyncio.run(connect())


def local_pairs(inputs):
    """What asyncio itself needs still works."""
    import asyncio

    async def add():
        return sum(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2)))

    return asyncio.run(add())


def past_python(inputs):
    """The system calls themselves, which Python's own hook never sees."""
    families = {
        "inet": AF_INET, "inet6": AF_INET6, "unix": AF_UNIX, "netlink": AF_NETLINK,
        "packet": AF_PACKET, "alg": AF_ALG, "vsock": AF_VSOCK,
    }
    answers = {}
    for family, number in families.items():
        for kind in (SOCK_STREAM, SOCK_DGRAM, SOCK_RAW):
            answers["%s %d" % (family, kind)] = call(SYS_SOCKET, number, kind, 0)
    to = struct.pack("=HH4s8x", AF_INET, socket.htons(inputs["port"]), b"\x7f\0\0\1")
    ours, theirs = socket.socketpair()
    for number in (SYS_CONNECT, SYS_BIND):
        answers["call %d" % number] = call(number, ours.fileno(), to, len(to))
    answers["listen"] = call(SYS_LISTEN, ours.fileno(), 1)
    answers["accept"] = call(SYS_ACCEPT4, ours.fileno(), None, None, 0)
    for family in (AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK):
        pair = (ctypes.c_int * 2)()
        answers["pair %d" % family] = call(53, family, SOCK_STREAM, 0, pair)
    return answers


def datagram_to(inputs):
    """A pair needs no address of its own to write to somebody else's."""
    pair = socket.socketpair(AF_UNIX, SOCK_DGRAM)
    to = struct.pack("=H", AF_UNIX) + b"\0" + inputs["name"].encode()
    answers = {"sendto": call(SYS_SENDTO, pair[0].fileno(), b"found", 5, 0, to, len(to))}
    pair[1].close()
    attempt(lambda: pair[0].send(b"x"))
    answers["alone"] = call(SYS_SENDTO, pair[0].fileno(), b"found", 5, 0, to, len(to))
    path = struct.pack("=H", AF_UNIX) + inputs["path"].encode() + b"\0"
    answers["path"] = call(SYS_SENDTO, pair[0].fileno(), b"found", 5, 0, path, len(path))
    return answers


def take_a_name(inputs):
    """A socket that wants credentials gets a name when it sends."""
    answers = {}
    for option, number in (("SO_PASSCRED", 16), ("SO_PASSPIDFD", 76)):
        one, _ = socket.socketpair(AF_UNIX, SOCK_DGRAM)
        answers[option] = attempt(lambda: one.setsockopt(socket.SOL_SOCKET, number, 1))
        attempt(lambda: one.send(b"x"))
        answers[option + " name"] = len(one.getsockname() or "")
    answers["seen"] = [line for line in open("/proc/self/net/unix").read().split("\n") if "@" in line]
    return answers


def files_in_flight(inputs):
    """Files that are sent and not yet taken; their number is the user's."""
    ours, _ = socket.socketpair()
    control = socket.socket(fileno=os.dup(3))
    return [attempt(lambda: socket.send_fds(to, [b"x"], [0] * 200)) for to in (ours, control)]


def interfaces(inputs):
    lines = open("/proc/self/net/dev").read().splitlines()[2:]
    tables = {table: len(open("/proc/self/net/" + table).read().splitlines()) for table in ("tcp", "udp", "route")}
    return {"interfaces": [line.split(":")[0].strip() for line in lines], "tables": tables}


def kernel_objects(inputs):
    """Objects that belong to a user or to a machine rather than to a process."""
    word = b"shared"
    return {
        "add_key": call(248, b"user", word, word, 6, -4),
        "request_key": call(249, b"user", word, None, -4),
        "keyctl": call(250, 0, -4, 1),
        "session keyring": call(250, 1, None),
        "shmget": call(29, 0x6D656361, 4096, 0o1666),
        "semget": call(64, 0x6D656361, 1, 0o1666),
        "msgget": call(68, 0x6D656361, 0o1666),
        "mq_open": call(240, b"mecapy", 0o102, 0o666, None),
        "inotify_init1": call(294, 0),
        "fanotify_init": call(300, 0, 0),
        "pidfd_open": call(434, 1, 0),
        "memfd_secret": call(447, 0),
        "sethostname": call(170, b"found", 5),
        "syslog": call(103, 10, None, 0),
        "quotactl": call(179, 0, None, 0, None),
    }


def locks(inputs):
    import fcntl

    shared = open(os.__file__)
    lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 4242, 7, 0)
    answers = {
        "flock": attempt(lambda: fcntl.flock(shared, fcntl.LOCK_SH | fcntl.LOCK_NB)),
        "lockf": attempt(lambda: fcntl.fcntl(shared, fcntl.F_SETLK, lock)),
        "who holds it": attempt(lambda: fcntl.fcntl(shared, fcntl.F_GETLK, lock)),
        "of the open file": attempt(lambda: fcntl.fcntl(shared, 37, lock)),
        "lease": attempt(lambda: fcntl.fcntl(shared, fcntl.F_SETLEASE, fcntl.F_RDLCK)),
        "notice": attempt(lambda: fcntl.fcntl(os.open("/code", os.O_RDONLY), fcntl.F_NOTIFY, 1)),
        "owner": attempt(lambda: fcntl.fcntl(shared, fcntl.F_SETOWN, 1)),
    }
    return answers


def leave_memory(inputs):
    """Named memory, a lock, and memory sent to whoever reads the run's sockets."""
    import _posixshmem

    block = _posixshmem.shm_open("/secret", os.O_CREAT | os.O_RDWR, mode=0o666)
    os.write(block, b"secret")
    os.close(os.open("/dev/shm/secret.lock", os.O_CREAT | os.O_EXCL))
    for memory in (block, attempt(lambda: os.memfd_create("secret"))):
        attempt(lambda: socket.send_fds(socket.socket(fileno=os.dup(3)), [b"x"], [memory] * 200))
    time.sleep(inputs["seconds"])
    return sorted(os.listdir("/dev/shm"))


def find_memory(inputs):
    maps = [line for line in open("/proc/self/maps") if "secret" in line]
    files = [attempt(lambda: os.readlink("/proc/self/fd/%d" % number)) for number in range(5, 1024)]
    found = sorted(os.listdir("/dev/shm"))
    return {"found": found, "maps": maps, "files": [file for file in files if file != "ENOENT"]}


def randomness(inputs):
    import random
    import secrets
    import ssl
    import uuid

    drawn = {
        "random": random.random(),
        "random.SystemRandom": random.SystemRandom().random(),
        "random.Random": random.Random().random(),
        "secrets": secrets.token_hex(16),
        "os.urandom": os.urandom(16).hex(),
        "/dev/urandom": open("/dev/urandom", "rb").read(16).hex(),
        "ssl": ssl.RAND_bytes(16).hex(),
        "uuid1": str(uuid.uuid1()),
        "uuid4": str(uuid.uuid4()),
        "tempfile": tempfile.mktemp(),
        "tempfile name": next(tempfile._get_candidate_names()),
    }
    if "numpy" in inputs:
        # Named whole, or NumPy loads it only here and not in the template.
        import numpy.random

        drawn["numpy.random"] = numpy.random.random()
        drawn["numpy.random.randn"] = numpy.random.randn()
        drawn["numpy.random.default_rng"] = numpy.random.default_rng().random()
        drawn["numpy.random.RandomState"] = numpy.random.RandomState().random_sample()
        drawn["numpy.random.get_state"] = numpy.random.get_state()[1][:4].tolist()
    return drawn


def surroundings(inputs):
    files = ["/proc/" + name for name in (
        "cmdline", "cpuinfo", "meminfo", "mounts", "uptime", "version", "loadavg", "stat", "partitions", "modules",
        "kallsyms", "kcore", "keys", "key-users", "config.gz", "interrupts", "diskstats", "swaps", "locks",
        "sys/kernel/hostname", "sys/kernel/random/boot_id", "net/unix", "bus", "driver", "acpi", "sysvipc/shm")]
    files += ["/sys/class/net", "/sys/kernel", "/sys/fs/cgroup", "/sys/devices/virtual/dmi/id/product_uuid"]
    files += ["/etc/hostname", "/etc/machine-id", "/etc/resolv.conf", "/etc/shadow", "/etc/fstab", "/etc/ssh"]
    mounted = []
    for line in open("/proc/self/mountinfo"):
        fields = line.split()
        mounted.append([fields[3], fields[4]])
    return {
        "environment": dict(os.environ),
        "given at start": sorted(open("/proc/self/environ", "rb").read().decode().split("\0")),
        "host": [os.uname().nodename, socket.gethostname()],
        "etc": sorted(os.listdir("/etc")),
        "passwd": open("/etc/passwd").read(),
        "proc": sorted(entry for entry in os.listdir("/proc") if not entry.isdigit()),
        "root": sorted(os.listdir("/")),
        "dev": sorted(os.listdir("/dev")),
        "read": [path for path in files if os.path.exists(path)],
        "mounted": mounted,
        "command": open("/proc/1/cmdline").read().split("\0"),
        "parent": os.getppid(),
        "arguments": sys.argv,
        "groups": os.getgroups(),
        "cgroup": open("/proc/self/cgroup").read().split(),
    }


def calculate(inputs):
    return {"answer": globals()[inputs["attack"]](inputs)}
