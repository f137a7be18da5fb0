"""Runs that change whatever they can reach, and what another run then sees.

`spoil` does one thing and tells how it looks from inside; `look` tells the same
from another run.
"""

import _thread
import array
import atexit
import builtins
import ctypes
import decimal
import gc
import json
import locale
import math
import mmap
import os
import random
import resource
import signal
import sys
import threading
import time
import warnings

from kernel import attempt, libc

STOP, FIRST_GUESS = 300, 2
PATH = json.__file__


def look(inputs):
    """Everything that a run could find changed."""
    return {
        "json": json.dumps({"a": [1, 2.5, None]}),
        "json.loads": json.loads('{"a": 1}'),
        "builtins": [len("abc"), sum([1, 2]), isinstance(1, int), sorted(dir(builtins))],
        "math": [math.pi, math.sqrt(4.0), math.sin(1.0)],
        "modules": sorted(name for name in sys.modules if not name.startswith("encodings")),
        "path": list(sys.path),
        "hooks": [len(sys.meta_path), len(sys.path_hooks), sys.excepthook is sys.__excepthook__],
        "audit": heard(),
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), sys.int_info.default_max_str_digits],
        "trace": [sys.gettrace() is None, sys.getprofile() is None],
        "gc": [gc.get_threshold(), gc.isenabled(), len(gc.callbacks)],
        "atexit": atexit._ncallbacks(),
        "signals": [str(signal.getsignal(number)) for number in range(1, 32)],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "timers": [signal.getitimer(kind) for kind in (0, 1, 2)],
        "environment": dict(os.environ),
        "libc environment": ctypes.string_at(libc_getenv(b"HOME")).decode(),
        "decimal": [str(decimal.getcontext()), str(decimal.Decimal(1) / 3)],
        "locale": locale.setlocale(locale.LC_ALL),
        "warnings": len(warnings.filters),
        "integers": [int("2") + int("2"), int("7") * 6, len(range(int("5")))],
        "texts": ["".join(["cal", "culate"]), str(True), repr(None)],
        "floats": [float("0.5") + float("0.25"), 1e22 + 0.1],
        "bytes": [bytes([65]).hex(), b"".join([b"a", b"b"]).hex()],
        "code of libc": libc.labs(-5),
        "heap": [list(array.array("d", [0.0]) * 3), bytes(16).hex()],
        "rounding": [libc_rounding(), 1.0 / 3.0, 2.0 ** -1074],
        "threads": [threading.active_count(), len(os.listdir("/proc/self/task"))],
        "processes": sorted(name for name in os.listdir("/proc") if name.isdigit()),
        "priority": priority(),
        "cores": sorted(os.sched_getaffinity(0)),
        "resource limits": [resource.getrlimit(number) for number in range(16)],
        "umask": masked(),
        "folder": os.getcwd(),
        "files": {folder: sorted(os.listdir(folder)) for folder in ("/tmp", "/outputs", "/dev/shm", "/scratch")},
        "open": sorted(os.listdir("/proc/self/fd"))[:-1],
        "marks": [os.get_inheritable(number) for number in (0, 1, 2, 3, 4)],
        "name": open("/proc/self/comm").read(),
        "shared files": [times(path) for path in (PATH, "/code/handler.py", "/etc/passwd", "/dev/null", "/code")],
        "group": [os.getpgid(0), os.getsid(0)],
    }


def libc_getenv(name):
    libc.getenv.restype = ctypes.c_void_p
    return libc.getenv(name)


def libc_rounding():
    return ctypes.CDLL("libm.so.6").fegetround()


def priority():
    """The nice value, which proc(5) tells as the 19th field."""
    return int(open("/proc/self/stat").read().rpartition(")")[2].split()[16])


def masked():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def times(path):
    found = os.stat(path)
    return [found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode, found.st_nlink]


_heard = []


def heard():
    """How many audit hooks of others listen to this run."""
    sys.audit("mecapy.test")
    return len(_heard) + len(getattr(sys, "heard_by_others", []))


def wrong(*arguments, **named):
    return "wrong"


def poke(address, content):
    """Writes where the page may be read-only: to the process's own memory."""
    with open("/proc/self/mem", "r+b", 0) as memory:
        memory.seek(address)
        memory.write(content)


def address_of(function):
    return ctypes.cast(function, ctypes.c_void_p).value


def spoil_json():
    json.dumps = json.loads = json.JSONEncoder.encode = wrong
    json.encoder.c_make_encoder = None


def spoil_builtins():
    builtins.sum = builtins.sorted = builtins.abs = lambda *_: 666
    builtins.spoiled = True
    math.pi = 3


def spoil_modules():
    for name in ("numpy", "scipy", "spoiled", "rainflow"):
        sys.modules[name] = sys.modules["math"]
    sys.path.insert(0, "/tmp")
    sys.meta_path.insert(0, json)
    sys.modules["mecapy_runner.child"].outputs = wrong


def spoil_interpreter():
    sys.heard_by_others = []
    sys.addaudithook(lambda event, _: event == "mecapy.test" and sys.heard_by_others.append(event))
    gc.callbacks.append(wrong)
    gc.set_threshold(1, 1, 1)
    atexit.register(wrong)
    sys.setrecursionlimit(5000)
    sys.setswitchinterval(1.0)
    sys.excepthook = wrong
    decimal.getcontext().prec = 3
    decimal.DefaultContext.prec = 3
    warnings.simplefilter("error")
    warnings.filters.append(("error", None, Warning, None, 0))
    locale.setlocale(locale.LC_ALL, "C")


def spoil_environment():
    os.environ["HOME"] = "/spoiled"
    libc.setenv(b"HOME", b"/spoiled", 1)
    os.umask(0)
    os.chdir("/scratch")


def spoil_memory():
    """The interpreter's own small numbers, texts and bytes, which are one for all."""
    # ob_digit of 2 and of 6; lies behind the reference count, type and size.
    for number, digit in ((2, 3), (6, 9)):
        ctypes.memmove(id(number) + 24, ctypes.byref(ctypes.c_uint32(digit)), 4)
    ctypes.memmove(id(bytes([65])) + 32, b"Z", 1)
    return {"sum": int("2") + int("2"), "bytes": bytes([65]).hex()}


def spoil_code():
    """Machine code of libc, by way of the process's own memory; and its heap."""
    address = address_of(libc.labs)
    # mov eax, 666; ret
    poke(address, bytes.fromhex("b89a020000c3"))
    libc.mallopt(1, 255)
    libc.mallopt(-6, 0x5A)
    ctypes.CDLL("libm.so.6").fesetround(0x400)
    poke(id(b"constant of the template") + 32, b"CONSTANT")


def spoil_signals():
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, 40])
    signal.setitimer(signal.ITIMER_REAL, 3600)
    signal.setitimer(signal.ITIMER_PROF, 3600)
    for _ in range(64):
        _thread.start_new_thread(time.sleep, (3600,))
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)


def spoil_scheduling():
    for which in (os.PRIO_PROCESS, os.PRIO_PGRP, os.PRIO_USER):
        attempt(lambda: os.setpriority(which, 0, 15))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for number in range(16):
        attempt(lambda: resource.setrlimit(number, (resource.getrlimit(number)[1] // 2,) * 2))
    for pid in range(FIRST_GUESS, STOP):
        attempt(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, 0)))
        attempt(lambda: os.sched_setaffinity(pid, {0}))
        attempt(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))


def spoil_files():
    for folder in ("/tmp", "/outputs", "/dev/shm"):
        for name in ("spoiled", "lock", "json.py"):
            with open(folder + "/" + name, "w") as file:
                file.write("raise SystemExit")
    # What is read must not be marked as read.
    for path in (PATH, "/code/handler.py", "/etc/passwd", "/dev/null"):
        open(path, "rb").read()
        attempt(lambda: os.utime(path))
        attempt(lambda: os.chmod(path, 0o777))
    os.listdir("/code")
    with open("/proc/self/comm", "w") as name:
        name.write("spoiled")


def spoil_shared_pages():
    """Pages that every run maps from the same files."""
    answers = {}
    for path in (PATH, "/code/handler.py", os.path.realpath(sys.executable)):
        file = os.open(path, os.O_RDONLY)
        answers[path] = attempt(lambda: mmap.mmap(file, 16, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) and "ok")
        private = mmap.mmap(file, 16, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        private[:4] = b"EVIL"
    with open("/tmp/spoiled", "w") as mark:
        mark.write("x")
    return answers


def spoil(inputs):
    """Whether this run itself sees another world than before."""
    before = from_inside()
    told = globals()["spoil_" + inputs["what"]]()
    return {"told": told, "changed": before != from_inside()}


def from_inside():
    try:
        return repr(look(None))
    except BaseException as error:
        return repr(error)


def others(inputs):
    """Signals and priorities for everybody within reach; a process with the
    number 1 does not end itself."""
    answers = []
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
        for target in (0, *range(FIRST_GUESS, STOP), *range(-STOP, -1)):
            answer = attempt(lambda: os.kill(target, number))
            if answer not in (None, "ESRCH"):
                answers.append([target, answer])
    for which in (os.PRIO_PGRP, os.PRIO_USER):
        attempt(lambda: os.setpriority(which, 0, 19))
    return answers


def victim(inputs):
    """Takes part in nothing, and wants its own answer."""
    steps = 0
    until = time.monotonic() + inputs["seconds"]
    while time.monotonic() < until:
        time.sleep(0.01)
        steps += 1
    return {"unharmed": steps > 10, "priority": priority()}


def hoard(inputs):
    """As many waiting signals as it gets, kept for a while."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [40])
    waiting = 0
    while waiting < 5000 and attempt(lambda: signal.pthread_kill(_thread.get_ident(), 40)) is None:
        waiting += 1
    time.sleep(inputs["seconds"])
    return waiting


def left_over(inputs):
    """Calls that this module has seen."""
    globals().setdefault("calls", []).append(1)
    random.seed(1)
    return len(calls)


def calculate(inputs):
    return {"answer": globals()[inputs["attack"]](inputs)}
