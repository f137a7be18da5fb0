"""What the measurement ran on and with."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from mecapy_bench.checks import REPOSITORY

# Above this load per core, others' work is measured too.
QUIET_LOAD = 0.5


def _first(command: list[str], pattern: str) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "none"
    found = re.search(pattern, said)
    return found[1] if found else "unknown"


def _commit() -> str:
    def git(*words: str) -> str:
        command = ["git", "-C", str(REPOSITORY), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "crates", "Cargo.lock")
    return git("rev-parse", "--short=12", "HEAD") + (", changed" if changed else "")


def describe(python: Path) -> dict[str, str]:
    """One line for each fact; nothing that names the machine's owner."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    busy = "" if load / cores <= QUIET_LOAD else ": busy, so all times are too long"
    return {
        "Date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Commit": _commit(),
        "Processor": cpu[1] if cpu else platform.machine(),
        "Cores": str(cores),
        "Memory": f"{int(memory[1]) / 2**20:.1f} GiB" if memory else "unknown",
        "Kernel": platform.release(),
        "Load at the start": f"{load:.2f}{busy}",
        "Python": _first([str(python), "-V"], r"Python (\S+)"),
    }


def contenders() -> dict[str, str]:
    """The versions of what MecaPy is measured against."""
    return {
        "Celery": importlib.metadata.version("celery"),
        "Redis": _first(["redis-server", "--version"], r"v=(\S+)"),
        "bubblewrap": _first(["bwrap", "--version"], r"(\d\S+)"),
        "Docker": _first(["dockerd", "--version"], r"version ([^\s,]+)"),
    }
