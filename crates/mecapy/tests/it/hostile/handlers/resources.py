"""Runs that take more than they may have, and those that only end badly."""

import ctypes
import json
import mmap
import os
import re
import resource
import signal
import socket
import sys
import threading
import time

import kernel


# Processes and threads.


def fork_bomb(inputs):
    made = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(600)
            made += 1
    except OSError as error:
        return {"made": made, "error": error.errno}


def fork_bomb_uncaught(inputs):
    while os.fork():
        pass
    time.sleep(600)


def thread_bomb(inputs):
    stop = threading.Event()
    made = 0
    try:
        while True:
            threading.Thread(target=stop.wait, daemon=True).start()
            made += 1
    except RuntimeError as error:
        return {"made": made, "error": str(error)}


def thread_bomb_uncaught(inputs):
    while True:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def daemon(inputs):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            while True:
                pass
        os._exit(0)
    os.wait()
    return {"left": True}


def child_with_stdout(inputs):
    if os.fork() == 0:
        while True:
            time.sleep(0.01)
            os.write(1, b"still here\n")
    os.write(1, b"parent ends\n")
    os._exit(0)


def thread_left(inputs):
    threading.Thread(target=time.sleep, args=(600,)).start()
    return {"left": True}


# Memory.

MIB = 1 << 20


def fill(memory):
    memory[::4096] = b"x" * len(memory[::4096])


def one_step(inputs):
    fill(bytearray(600 * MIB))


def slowly(inputs):
    kept = []
    while True:
        kept.append(b"x" * MIB)


def never_promised(inputs):
    return len(bytearray(1 << 50))


def in_files(inputs):
    with open(inputs["folder"] + "/bomb", "wb") as file:
        while True:
            file.write(b"x" * MIB)


def in_memfd(inputs):
    file = os.memfd_create("bomb")
    while True:
        os.write(file, b"x" * MIB)


def in_shared_mapping(inputs):
    memory = mmap.mmap(-1, 600 * MIB)
    for at in range(0, len(memory), 4096):
        memory[at] = 1


def in_children(inputs):
    for _ in range(8):
        if os.fork() == 0:
            fill(bytearray(40 * MIB))
            time.sleep(600)
    while True:
        fill(bytearray(20 * MIB))
        time.sleep(0.01)


def in_page_tables(inputs):
    """One page is touched in each 2 MiB: as much again for its table."""
    memory = mmap.mmap(-1, 400 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
    for at in range(0, len(memory), 2 * MIB):
        # Reading costs no page but the tables.
        memory[at]


def in_mappings(inputs):
    """Thousands of mappings of a page each, each a kernel object of its own."""
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        kept[-1][0] = 1


def in_pipes(inputs):
    """Pipes full to the brim, in as many processes as there may be."""
    while True:
        pipes = []
        try:
            while True:
                reader, writer = os.pipe()
                os.set_blocking(writer, False)
                pipes.append((reader, writer))
                os.write(writer, b"x" * 65536)
        except OSError:
            if os.fork() == 0:
                for pair in pipes:
                    for file in pair:
                        os.close(file)
            else:
                time.sleep(600)


def in_sockets(inputs):
    while True:
        pairs = []
        try:
            while True:
                pair = socket.socketpair()
                pairs.append(pair)
                pair[0].setblocking(False)
                try:
                    while True:
                        pair[0].send(b"x" * 65536)
                except BlockingIOError:
                    pass
        except OSError:
            if os.fork() == 0:
                for pair in pairs:
                    for end in pair:
                        end.close()
            else:
                time.sleep(600)


# Time.


def busy_loop(inputs):
    while True:
        pass


def holds_the_lock(inputs):
    """A loop in C that never lets go of the interpreter's lock."""
    return sum(range(10**15))


def catastrophic_pattern(inputs):
    return bool(re.match(r"(a+)+$", "a" * 60 + "b"))


def sleeps(inputs):
    time.sleep(600)


def sleeps_until(inputs):
    time.sleep(inputs["seconds"])
    return {"slept": True}


def ignores_signals(inputs):
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        time.sleep(600)


def stops_itself(inputs):
    # Process 1 of its namespace is spared by its own signals; its child isn't.
    os.kill(os.getpid(), signal.SIGSTOP)
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    os.waitpid(child, 0)


def alarms(inputs):
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.signal(signal.SIGPROF, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    signal.setitimer(signal.ITIMER_PROF, 0.0001, 0.0001)
    while True:
        seen.clear()


def alarm_by_default(inputs):
    """SIGALRM ends a usual process; process 1 of a namespace is spared."""
    signal.alarm(1)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(0.1)
    return {"on": True}


def burns(inputs):
    until = time.monotonic() + inputs["seconds"]
    while time.monotonic() < until:
        pass
    return {"burnt": True}


def burns_in_all(inputs):
    for _ in range(3):
        if os.fork() == 0:
            while True:
                pass
    return burns(inputs)


def takes_precedence(inputs):
    cores = os.sched_getaffinity(0)
    attempts = {
        "nice": lambda: os.nice(-20),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -20),
        "fifo": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99)),
        "batch": lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
        "affinity": lambda: os.sched_setaffinity(0, cores),
        "files": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20)),
        "core": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)),
    }

    def attempt(action):
        try:
            return kernel.attempt(action)
        except ValueError as error:
            return str(error)

    return {name: attempt(action) for name, action in attempts.items()}


# What is written.


def floods_stdout(inputs):
    while True:
        os.write(1, b"x" * 65536)


def floods_stderr(inputs):
    while True:
        os.write(2, b"e" * 65536)


def floods_both_and_returns(inputs):
    for _ in range(64):
        os.write(1, b"x" * 65536)
        os.write(2, b"e" * 65536)
    return {"written": True}


def floods_progress(inputs):
    """Progress as fast as it can be written, by several processes."""
    meta = json.dumps({"step": 1.0, "total": None, "message": None}).encode()
    frames = (b"P" + len(meta).to_bytes(4, "little") + bytes(8) + meta) * 50
    for _ in range(3):
        os.fork()
    while True:
        os.write(4, frames)


def odd_progress(inputs):
    import mecapy_runtime

    for step in (float("nan"), float("inf"), -1, 10**400):
        try:
            mecapy_runtime.progress(step, total=0, message="\0\x1b[2J\u202e" * 1000)
        except OverflowError:
            pass
    return {"told": True}


def large_result(inputs):
    return {"text": "x" * (inputs["mib"] * MIB)}


def deep_result(inputs):
    value = []
    for _ in range(100_000):
        value = [value]
    return {"deep": value}


class Sneaky(dict):
    def items(self):
        raise RuntimeError("not today")


def odd_result(inputs):
    cycle = {"a": []}
    cycle["a"].append(cycle)
    values = {
        "bytes": lambda: b"\xff",
        "set": lambda: {1, 2},
        "cycle": lambda: cycle,
        "surrogate": lambda: "\ud800",
        "key": lambda: {1: 2},
        "function": lambda: odd_result,
        "generator": lambda: (x for x in []),
        "raises": lambda: Sneaky(a=1),
        "nothing": lambda: object(),
    }
    return {"list": [1, values[inputs["value"]]()]}


def exact_result(inputs):
    return {
        "large": 10**5000,
        "small": -(10**5000) + 1,
        "minus_zero": -0.0,
        "least": 5e-324,
        "most": 1.7976931348623157e308,
        "third": 1 / 3,
        "nan": float("nan"),
        "infinities": [float("inf"), float("-inf")],
    }


def many_not_finite(inputs):
    return {"field": [float("nan")] * inputs["count"]}


def returned(inputs):
    return {"none": None, "list": [1], "number": 5, "text": "up"}[inputs["value"]]


# Ends.


def segfault(inputs):
    ctypes.string_at(0)


def abort(inputs):
    os.abort()


def illegal(inputs):
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write({"x86_64": b"\x0f\x0b", "aarch64": b"\0\0\0\0"}[os.uname().machine])
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()


def exits(inputs):
    os._exit(inputs["code"])


def leaves(inputs):
    sys.exit(inputs["code"])


def leaves_from_a_thread(inputs):
    threading.Thread(target=lambda: sys.exit(3)).start()
    return {"own": True}


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("nobody shall know")

    __repr__ = __str__


def unspeakable(inputs):
    raise Unspeakable


def long_message(inputs):
    raise ValueError("x" * (100 * MIB))


def endless_causes(inputs):
    error = None
    for number in range(100_000):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    raise error


def circular_causes(inputs):
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def deep_group(inputs):
    error = ValueError("innermost")
    for _ in range(5000):
        error = ExceptionGroup("group", [error])
    raise error


def recursion(inputs):
    return recursion(inputs)


def recursion_without_limit(inputs):
    """Through C, where each level takes stack."""
    sys.setrecursionlimit(1 << 30)

    class Deep:
        def __getattr__(self, name):
            return getattr(self, name + "")

    return Deep().x


def recursion_in_c(inputs):
    """A function in machine code that calls itself until the stack ends."""
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # call itself; on ARM with the return address pushed before.
    code = {"x86_64": b"\xe8\xfb\xff\xff\xff", "aarch64": b"\xfd\x7b\xbf\xa9\xff\xff\xff\x97"}
    memory.write(code[os.uname().machine])
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()


def descriptors(inputs):
    kept = []
    try:
        while True:
            kept.append(open("/dev/null"))
    except OSError as error:
        return {"opened": len(kept), "error": error.errno}


def descriptors_uncaught(inputs):
    kept = []
    while True:
        kept.append(os.dup(0))


def calculate(inputs):
    return globals()[inputs["attack"]](inputs)
