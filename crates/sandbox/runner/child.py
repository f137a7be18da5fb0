"""A run, isolated by the fork loop: waits for its one job, reports, ends."""

import codecs
import faulthandler
import json
import os
import struct
import sys
import traceback
import types

from mecapy_runner import blas, encode, kernel

CONTROL_FD, RESULT_FD = 3, 4
OUTPUTS = "/outputs"
# A shorter body is written together with its head.
ONE_WRITE = 1 << 14

_HELLO = b"H\x01"
_NO_NETWORK = (
    "a calculation has no network: pass data as inputs or input files, "
    "or put it into the archive's data/ folder"
)
_NETWORK_EVENTS = frozenset(
    (
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
        "socket.connect",
        "socket.bind",
        "socket.sendto",
    )
)


# Names the handler of characters that have no place in UTF-8.
SHOWN = "mecapy.shown"

# Filled by the template, which imports the jobs before the first fork.
jobs = {}
warm_ups = []


def main():
    """Goes on in the forked child, which is isolated already, and never returns."""
    try:
        reseed()
        os.write(CONTROL_FD, _HELLO)
        warm_up()
        header, body = receive_job()
        if header is not None:
            work(header, body)
            os._exit(0)
    except BaseException:
        # Nobody is left to tell but the log.
        traceback.print_exc()
        flush()
    finally:
        os._exit(70)


def reseed():
    # `random` reseeds itself in its own after-fork hook.
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def warm_up():
    """Touches what every job touches, so that pages are copied before work arrives."""
    value = encode.decode(b'{"warm": [1.5, "up", 2, null, true]}')
    encode.encode(value, 1 << 20, str)
    struct.pack("<BI", 0, 0)
    try:
        raise ValueError("warm")
    except ValueError as error:
        text(error)
    for more in warm_ups:
        more()


def explain_network(event, arguments):
    if event in _NETWORK_EVENTS:
        raise PermissionError(13, _NO_NETWORK)
    # Local pairs, as asyncio makes them, stay inside the run.
    if event == "socket.__new__" and arguments[1] not in (1, -1):
        raise PermissionError(13, _NO_NETWORK)


def receive_job():
    lengths = read_exactly(12)
    if lengths is None:
        return None, None
    header_length, body_length = struct.unpack("<IQ", lengths)
    header = json.loads(read_exactly(header_length))
    return header, read_exactly(body_length)


def read_exactly(length):
    """Bytes from the control socket; None when the host is gone."""
    first = os.read(CONTROL_FD, min(length, 1 << 20)) if length else b""
    if len(first) == length:
        return first
    buffer = bytearray(first)
    while len(buffer) < length:
        chunk = os.read(CONTROL_FD, min(length - len(buffer), 1 << 20))
        if not chunk:
            return None
        buffer += chunk
    return bytes(buffer)


def work(header, body):
    blas.raise_threads(header["cpu_cores"])
    if "request_id" in header:
        os.environ["MECAPY_REQUEST_ID"] = header["request_id"]
    os.chdir("/code")
    jobs[header["job"]](header, body)


def progress(step, total=None, message=None):
    """Tells whoever watches the run how far it is; offered as `mecapy_runtime.progress`."""
    step = float(step)
    total = None if total is None else float(total)
    for number in (step, total or 0.0):
        if number - number != 0:
            raise ValueError("progress takes finite numbers, got %r" % number)
    message = None if message is None else str(message)[:500]
    send(b"P", {"step": step, "total": total, "message": message})


def outputs():
    """The folder whose files are kept; offered as `mecapy_runtime.outputs`."""
    import pathlib

    return pathlib.Path(OUTPUTS)


def furnish():
    """Prepares in the template what every run finds: one copy serves them all."""
    module = types.ModuleType("mecapy_runtime", "What the platform offers a running calculation.")
    module.outputs = outputs
    module.progress = progress
    module.__all__ = ["outputs", "progress"]
    sys.modules["mecapy_runtime"] = module
    os.environ["MECAPY_OUTPUTS"] = OUTPUTS
    # Whatever a run prints is a log line, and no reason to fail.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    codecs.register_error(SHOWN, show_surrogates)
    # Where native code crashes, the log then names the line.
    kernel.catch_abort()
    faulthandler.enable()
    sys.addaudithook(explain_network)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            # The user may have closed or replaced it.
            pass


def send(kind, meta, body=b""):
    """One frame on the result pipe: kind, length of meta, length of body, both."""
    if type(meta) is not bytes:
        meta = json.dumps(meta, ensure_ascii=False).encode("utf-8", SHOWN)
    head = struct.pack("<cIQ", kind, len(meta), len(body)) + meta
    if len(body) < ONE_WRITE:
        write_all(head + body)
    else:
        write_all(head)
        write_all(body)


def show_surrogates(error):
    """Half a character, as `os.fsdecode` makes of a stray byte, is no JSON: shows it as \\udc80."""
    lone = error.object[error.start : error.end]
    return "".join("\\\\u%04x" % ord(half) for half in lone), error.end


def write_all(payload):
    view = memoryview(payload)
    while view:
        view = view[os.write(RESULT_FD, view[: 1 << 20]) :]


def text(error):
    """An exception's message, whatever its `__str__` does."""
    try:
        return str(error)
    except BaseException as worse:
        return "<its __str__ raised " + type(worse).__name__ + ">"
