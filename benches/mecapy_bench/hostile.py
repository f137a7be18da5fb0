"""Hostile runs among honest ones: right answers, bounded delay, no growth.

`python -m mecapy_bench.hostile PROGRAM [--seconds N] [--output FILE]` starts a
server, measures an honest company alone, then beside a hostile one that makes
as many requests at once, then goes on with both and looks at what the server
holds. It ends with 1 where an answer is wrong, the honest company's p99 grows
more than fivefold, or something keeps growing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from mecapy_bench import machine, tree
from mecapy_bench.checks import BOLT, REPOSITORY
from mecapy_bench.http import Connection, request
from mecapy_bench.server import Server, archive, completed, execute

RUNS = 1000
CLIENTS = 16
MOST_DELAY = 5.0
# What allocators and caches may hold after a while and did not at first.
MEMORY_BYTES = 64 << 20
FILES = 64
HANDLERS = REPOSITORY / "crates" / "mecapy" / "tests" / "it" / "hostile" / "handlers"
# Function, attack, and how it may end. With a limit of one second a busy
# machine may be faster to end an attack than it is to run into its other limit.
ATTACKS = [
    ("resources", "fork_bomb", {"completed", "timeout"}),
    ("resources", "thread_bomb", {"completed", "timeout"}),
    ("resources", "daemon", {"completed"}),
    ("resources", "one_step", {"out_of_memory", "timeout"}),
    ("resources", "in_files", {"out_of_memory", "timeout"}),
    ("resources", "holds_the_lock", {"timeout"}),
    ("resources", "ignores_signals", {"timeout"}),
    ("resources", "stops_itself", {"timeout"}),
    ("resources", "floods_stdout", {"timeout"}),
    ("resources", "deep_result", {"invalid_output", "timeout"}),
    ("resources", "segfault", {"killed"}),
    ("resources", "descriptors", {"completed"}),
    ("resources", "recursion", {"user_error", "killed"}),
    ("escape", "namespaces", {"completed"}),
    ("escape", "kill_everybody", {"completed"}),
    ("escape", "flood_pipe", {"invalid_output", "timeout"}),
    ("escape", "blames_the_platform", {"user_error"}),
]
# What some of them ask for.
INPUTS = {"in_files": {"folder": "/tmp"}, "kill_everybody": {"pids": [1]}}


def function(name: str) -> bytes:
    """The archive of an attacker's handlers, as the tests have it."""
    manifest = {
        "version": "1.0",
        "metadata": {"name": name, "description": "Attacks."},
        "runtime": {"timeout": 1, "memory_limit": 128, "cpu_limit": 1},
        "io": {"inputs_schema": {"type": "object"}},
    }
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("mecapy.yaml", json.dumps(manifest))
        zipped.writestr("handler.py", (HANDLERS / f"{name}.py").read_bytes())
        zipped.writestr("kernel.py", (HANDLERS / "kernel.py").read_bytes())
    return written.getvalue()


@dataclass
class Told:
    """What clients of one kind were told."""

    seconds: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def percentile(self, part: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Clients:
    """As many threads as connections, which share a number of requests."""

    def __init__(self, server: Server, told: Told, ask, runs: int, until: float) -> None:
        self.server, self.told, self.ask = server, told, ask
        self.left = itertools.count()
        self.runs, self.until = runs, until
        self.threads = [threading.Thread(target=self.work) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def work(self) -> None:
        with Connection(self.server.port) as connection:
            while next(self.left) < self.runs and time.monotonic() < self.until:
                try:
                    self.ask(connection, self.told)
                except Exception as error:
                    self.told.wrong.append(repr(error)[:300])
                    return

    def join(self) -> None:
        for thread in self.threads:
            thread.join()


def honest(token: str):
    wanted = execute(BOLT.name, BOLT.inputs, token, 60)

    def ask(connection: Connection, told: Told) -> None:
        began = time.perf_counter()
        reply = connection.exchange(wanted)
        told.seconds.append(time.perf_counter() - began)
        completed(reply, BOLT)

    return ask


def hostile(token: str):
    choose = random.Random(1)

    def ask(connection: Connection, told: Told) -> None:
        name, attack, ends = choose.choice(ATTACKS)
        inputs = {"attack": attack, **INPUTS.get(attack, {})}
        began = time.perf_counter()
        task = connection.exchange(execute(name, inputs, token, 60)).expect(200)
        told.seconds.append(time.perf_counter() - began)
        end = task["status"] if task["status"] == "completed" else task["error"]["kind"]
        told.ends[f"{attack}: {end}"] += 1
        if end not in ends:
            told.wrong.append(f"{attack} ended {end}: {json.dumps(task)[:300]}")

    return ask


@dataclass(frozen=True)
class Held:
    """What the server and its launcher hold between two bursts."""

    processes: int
    files: int
    groups: int
    memory_bytes: int


def held(server: Server) -> Held:
    """Once it has come to rest."""
    last = -1
    for _ in range(300):
        processes = tree.tree(server.pid)
        if len(processes) == last:
            break
        last = len(processes)
        time.sleep(0.5)
    launcher = min(p.pid for p in processes if p.parent == server.pid)
    files = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (server.pid, launcher))
    names = {name for process in processes for name in process.groups}
    groups = sum(
        1
        for root, folders, _ in os.walk("/sys/fs/cgroup")
        if Path(root).name in names
        for _ in folders
    )
    memory = sum(tree.pss_bytes(pid) for pid in (server.pid, launcher))
    return Held(len(processes), files, groups, memory)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(
        asked.program, Path(folder), Path(sys.executable).resolve()
    ) as server:
        server.env["MECAPY_STATIC_CHECK"] = "off"
        server.restart()
        report, failures = measure(server, asked.seconds)
    text = "\n".join(report + ["", *(f"**Not met**: {failure}" for failure in failures)])
    print(text)
    if asked.output:
        asked.output.write_text(text.rstrip() + "\n")
    return 1 if failures else 0


def measure(server: Server, seconds: float) -> tuple[list[str], list[str]]:
    facts = machine.describe(Path(sys.executable).resolve())
    created = server.ask("POST", "/companies", {"name": "attackers"}).expect(201)
    attackers = created["admin_token"]["secret"]
    server.deploy(archive(BOLT.folder))
    for name in ("resources", "escape"):
        server.deploy(function(name), attackers)

    far = time.monotonic() + 3600
    warm, alone, beside, enemy = Told(), Told(), Told(), Told()
    Clients(server, warm, honest(server.token), 200, far).join()
    Clients(server, alone, honest(server.token), RUNS, far).join()
    began = time.monotonic()
    attack = Clients(server, enemy, hostile(attackers), RUNS, far)
    # The hostile ones take longer, so honest ones are asked for until they end.
    while any(thread.is_alive() for thread in attack.threads):
        Clients(server, beside, honest(server.token), RUNS, far).join()
    attack.join()
    mixed_s = time.monotonic() - began

    before = held(server)
    states = [before]
    until = time.monotonic() + max(0.0, seconds - mixed_s)
    rounds = 0
    while time.monotonic() < until:
        more = Told()
        pair = [
            Clients(server, enemy, hostile(attackers), 200, until),
            Clients(server, more, honest(server.token), 10**9, min(until, time.monotonic() + 20)),
        ]
        for clients in pair:
            clients.join()
        beside.wrong += more.wrong
        states.append(held(server))
        rounds += 1

    lines, failures = verdict(alone, beside, enemy, states, rounds, time.monotonic() - began)
    lines += ["", "| machine | |", "|---|---|"]
    lines += [f"| {name} | {fact} |" for name, fact in facts.items()]
    return lines, failures


def verdict(
    alone: Told, beside: Told, enemy: Told, states: list[Held], rounds: int, seconds: float
) -> tuple[list[str], list[str]]:
    delay = beside.percentile(0.99) / alone.percentile(0.99)
    first, last = states[0], states[-1]
    grown = [
        f"{name}: {getattr(first, name)} → {getattr(last, name)}"
        for name, slack in (
            ("processes", 0),
            ("files", FILES),
            ("groups", 24),
            ("memory_bytes", MEMORY_BYTES),
        )
        if getattr(last, name) > getattr(first, name) + slack
    ]
    failures = [f"wrong: {wrong}" for wrong in (alone.wrong + beside.wrong + enemy.wrong)[:10]]
    if delay > MOST_DELAY:
        failures.append(f"p99 is {delay:.1f} times that without hostile runs")
    failures += [f"grown: {what}" for what in grown]
    lines = [
        "# Honest runs among hostile ones",
        "",
        "Written by `make test-load`: one company asks for bolt checks on 16 connections, another "
        "for attacks on 16 more. Every honest answer was compared with the right one.",
        "",
        "| honest runs | | p50 ms | p99 ms | right |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, told in (("alone", alone), (f"beside {sum(enemy.ends.values())} attacks", beside)):
        p50, p99 = 1e3 * statistics.median(told.seconds), told.percentile(0.99)
        right = len(told.seconds) - len(told.wrong)
        lines.append(f"| {name} | {len(told.seconds)} | {p50:.1f} | {p99:.1f} | {right} |")
    lines += [
        "",
        f"p99 beside attacks is {delay:.2f} times that alone; at most {MOST_DELAY:.0f} is allowed.",
        "",
        f"| after | processes | open files | control groups | memory MB |\n|---|---:|---:|---:|---:|",
    ]
    for name, state in ((f"{RUNS} attacks", first), (f"{rounds} more rounds, {seconds:.0f} s in all", last)):
        lines.append(
            f"| {name} | {state.processes} | {state.files} | {state.groups} "
            f"| {state.memory_bytes / 1e6:.0f} |"
        )
    lines += ["", "| attack and its end | times |", "|---|---:|"]
    lines += [f"| {end} | {times} |" for end, times in sorted(enemy.ends.items())]
    return lines, failures


if __name__ == "__main__":
    sys.exit(main())
