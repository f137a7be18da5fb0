"""What a server and all processes below it use of memory and processor."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
GROUP = re.compile(r"/(mecapy-[^/\n]+)/")


@dataclass(frozen=True)
class Process:
    """One line of /proc."""

    pid: int
    parent: int
    cpu_s: float
    groups: frozenset[str]


def _process(pid: int) -> Process | None:
    folder = Path("/proc", str(pid))
    try:
        # The command stands in parentheses and may hold any character.
        fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        groups = frozenset(GROUP.findall((folder / "cgroup").read_text()))
    except (OSError, ValueError):
        return None
    return Process(pid, int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS_PER_S, groups)


def tree(root: int) -> list[Process]:
    """The root, its descendants, and whoever shares a control group with them."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    alive = {p.pid: p for p in map(_process, pids) if p is not None}
    children: dict[int, list[int]] = {}
    for process in alive.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in alive and pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, []))
    # A sandbox whose parent ended has another parent, but not another group.
    groups = frozenset[str]().union(*(alive[pid].groups for pid in found))
    found |= {p.pid for p in alive.values() if p.groups & groups}
    return [alive[pid] for pid in sorted(found)]


def pss_bytes(pid: int) -> int:
    """Its share of the memory that it maps; 0 where it has ended."""
    try:
        text = Path("/proc", str(pid), "smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


@dataclass(frozen=True)
class Memory:
    """Summed PSS: of all processes, and of those that are no sandbox."""

    processes: int
    total_bytes: int
    platform_bytes: int


def memory(root: int) -> Memory:
    """Templates and runs are Python; all else is the platform's own."""
    total = platform = 0
    processes = tree(root)
    for process in processes:
        share = pss_bytes(process.pid)
        total += share
        if not _is_python(process.pid):
            platform += share
    return Memory(len(processes), total, platform)


def _is_python(pid: int) -> bool:
    try:
        return "python" in Path("/proc", str(pid), "exe").readlink().name
    except OSError:
        return False


def cpu_share(root: int, seconds: float) -> float:
    """Cores that the whole tree uses over this time."""
    before = {p.pid: p.cpu_s for p in tree(root)}
    began = time.monotonic()
    time.sleep(seconds)
    # What ended in between is not counted; what began is, from its beginning.
    used = sum(p.cpu_s - before.get(p.pid, 0.0) for p in tree(root))
    return used / (time.monotonic() - began)


class Peak:
    """Watches the summed PSS while a block runs."""

    def __init__(self, root: int, every_s: float = 0.15) -> None:
        self.root = root
        self.every_s = every_s
        self.peak_bytes = 0
        self.ended = threading.Event()
        self.watcher = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self.ended.wait(self.every_s):
            self.peak_bytes = max(self.peak_bytes, memory(self.root).total_bytes)

    def __enter__(self) -> Peak:
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.watcher.join()
