"""The template process: imports modules once, then forks one run after another.

It is started as `python -I -S -B` with an empty environment and three files:
the control socket to the launcher as fd 3, and a log pipe as fds 1 and 2.
Nothing here is trusted by the host: wheels are user code and may patch all of
it. The isolation was set up before this interpreter started, and each run is
checked from outside before it gets work.
"""

import sys

sys.path.insert(0, "/runner")

from mecapy_runner import memory  # noqa: E402

# Before anything else that takes memory is imported.
memory.gather()

import json  # noqa: E402
import os  # noqa: E402

from mecapy_runner import (  # noqa: E402
    blas,
    bytecode,
    calculate,
    child,
    exercises,
    kernel,
    rehearsal,
    unit_tests,
)

sys.path.remove("/runner")

CONTROL_FD = 3
BUFFER = bytearray(1 << 18)


def main():
    loop = kernel.ForkLoop(boot(), BUFFER)
    child.jobs.update(compile=bytecode.run, calculate=calculate.run, pytest=unit_tests.run)
    child.warm_ups.append(calculate.warm_up)
    child.furnish()
    calculate.prepare_import()
    rehearsal.rehearse()
    say({"booted": {"protocol": 1, "python": sys.version.split()[0]}})
    while True:
        length = loop.serve()
        if length is None:
            child.main()
        if not length:
            return
        message = json.loads(BUFFER[:length])
        if "import" in message:
            say({"imported": load(message["import"])})
        elif "settle" in message:
            exercises.exercise()
            memory.settle()


def boot():
    """The first message: what the launcher tells of the sandbox."""
    told = json.loads(os.read(CONTROL_FD, len(BUFFER)))
    sys.path.extend(told["packages"])
    sys.argv = ["handler.py"]
    return told


def say(answer):
    os.write(CONTROL_FD, json.dumps(answer).encode())


def load(modules):
    """Imports modules one by one, up to the first that is not fit for it."""
    loaded, failed, unfit = [], [], None
    before = processes()
    for name in modules:
        try:
            __import__(name)
        except BaseException as error:
            # A module may raise anything, SystemExit included.
            failed.append([name, type(error).__name__ + ": " + child.text(error)[:500]])
        else:
            loaded.append(name)
        reason = left_behind(before)
        if reason:
            unfit = [name, reason]
            break
    blas.find()
    memory.freeze()
    return {"loaded": loaded, "failed": failed, "unfit": unfit}


def left_behind(before):
    """What an import leaves that runs must not get from it, or None."""
    if len(os.listdir("/proc/self/task")) > 1:
        return "its import starts a thread, which would not survive the fork"
    if processes() - before:
        return "its import starts a process, which would run outside of every limit"
    with open("/proc/self/maps", "rb") as maps:
        if any(is_shared_memory(*line.split(None, 5)[1:]) for line in maps):
            return "its import makes shared memory, through which runs would see each other"
    return None


def processes():
    """Those that can be seen from here; runs that stand ready are among them."""
    return {name for name in os.listdir("/proc") if name.isdigit()}


def is_shared_memory(permissions, _offset, _device, _inode, path=b""):
    """Whether a mapping can be written here, or elsewhere by who has its file."""
    in_memory = path.startswith((b"/memfd:", b"/dev/zero", b"/scratch/", b"/anon_hugepage"))
    return permissions.endswith(b"s") and (b"w" in permissions or in_memory)


main()
