"""A fresh Python interpreter per call, in bubblewrap or bare."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from mecapy_bench.checks import Check
from mecapy_bench.samples import Samples

# What a call executes; `/code` holds the handler.
PROGRAM = (
    "import sys, json; sys.path[:0] = ['/code', '/site']; import handler; "
    "print(json.dumps(handler.calculate(json.loads(sys.argv[1]))))"
)


def bubblewrap(python: Path, site: Path, check: Check) -> list[str]:
    """The command of one call in new namespaces, its file system read-only."""
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for name in ("lib", "lib64"):
        if Path("/", name).exists():
            command += ["--ro-bind", f"/{name}", f"/{name}"]
    if not python.is_relative_to("/usr"):
        command += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    command += ["--ro-bind", str(check.folder), "/code", "--ro-bind", str(site), "/site"]
    # NumPy would start a thread per core, which one small call never uses.
    command += ["--setenv", "OPENBLAS_NUM_THREADS", "1", "--cap-drop", "ALL"]
    return [*command, str(python), "-I", "-c", PROGRAM, json.dumps(check.inputs)]


def call(command: list[str], check: Check, count: int) -> Samples:
    """Runs a command that prints the outputs, `count` times."""
    samples = Samples()
    began = time.perf_counter()
    for _ in range(count):
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        samples.seconds.append(time.perf_counter() - started)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:].decode()}")
        check.judge(json.loads(done.stdout))
    samples.elapsed_s = time.perf_counter() - began
    return samples


def imports(python: Path, site: Path, handler: Path) -> float:
    """Seconds of a bare interpreter that imports what a handler imports."""
    lines = [
        line.strip()
        for line in handler.read_text().splitlines()
        if line.startswith(("import ", "from ")) and not line.startswith("from __future__")
    ]
    program = "; ".join([f"import sys; sys.path.insert(0, {str(site)!r})", *lines])
    # Without looking for bytecode elsewhere and without writing any.
    command = [str(python), "-I", "-B", "-c", program]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env={})
    return time.perf_counter() - started
