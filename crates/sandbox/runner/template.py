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
import socket  # noqa: E402
from array import array  # noqa: E402

from mecapy_runner import blas, bytecode, calculate, child, kernel, rehearsal, unit_tests  # noqa: E402

sys.path.remove("/runner")

CONTROL_FD = 3
# Made once: a buffer of this size made for each message is mapped and unmapped.
BUFFER = bytearray(1 << 18)
FILES_SPACE = socket.CMSG_LEN(32 * 4)


def main():
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, CONTROL_FD)
    boot, _ = receive(control)
    sys.path.extend(boot["packages"])
    sys.argv = ["handler.py"]
    kernel.prepare(boot)
    child.jobs.update(compile=bytecode.run, calculate=calculate.run, pytest=unit_tests.run)
    child.warm_ups.append(calculate.warm_up)
    child.furnish()
    calculate.prepare_import()
    rehearsal.rehearse()
    control.send(
        json.dumps({"booted": {"protocol": 1, "python": sys.version.split()[0]}}).encode()
    )
    while True:
        message, fds = receive(control)
        if message is None:
            return
        if "import" in message:
            control.send(json.dumps({"imported": load(message["import"])}).encode())
        elif "settle" in message:
            memory.settle()
        elif "fork" in message:
            if kernel.fork() == 0:
                control.detach()
                child.main(fds)
            for fd in fds:
                os.close(fd)


def receive(control):
    """One message and its files; `(None, [])` when the launcher is gone."""
    length, ancillary, _, _ = control.recvmsg_into([BUFFER], FILES_SPACE, socket.MSG_CMSG_CLOEXEC)
    fds = array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    if not length:
        return None, []
    return json.loads(BUFFER[:length]), list(fds)


def load(modules):
    """Imports modules one by one, up to the first that starts a thread."""
    loaded, failed, threaded = [], [], None
    for name in modules:
        try:
            __import__(name)
        except BaseException as error:
            # A module may raise anything, SystemExit included.
            failed.append([name, type(error).__name__ + ": " + child.text(error)[:500]])
        else:
            loaded.append(name)
        if len(os.listdir("/proc/self/task")) > 1:
            threaded = name
            break
    blas.find()
    memory.freeze()
    return {"loaded": loaded, "failed": failed, "threaded": threaded}


main()
