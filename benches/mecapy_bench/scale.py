"""What one server bears: bursts, cold starts, many functions, idleness."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mecapy_bench import interpreter, load, tree
from mecapy_bench.checks import BOLT, FILTER, Check
from mecapy_bench.http import request
from mecapy_bench.processes import FailedError
from mecapy_bench.samples import percentile
from mecapy_bench.server import Server, archive, completed, execute

FINAL = ("completed", "failed", "cancelled")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Cold:
    """First calls after a restart beside a bare interpreter's imports."""

    first_ms: list[float]
    interpreter_ms: list[float]
    already_warm: int

    @property
    def ratio(self) -> float:
        return percentile(self.first_ms, 50) / percentile(self.interpreter_ms, 50)


def cold(server: Server, python: Path, rounds: int) -> Cold:
    """The environment is built and in the page cache; there is no template."""
    site = server.environment_site("numpy", "scipy")
    handler = FILTER.folder / "handler.py"
    interpreter.imports(python, site, handler)
    first, bare, warm = [], [], 0
    for _ in range(rounds):
        server.restart()
        seconds, task = server.run(FILTER)
        first.append(seconds * 1e3)
        warm += task["warm"] is True
        server.stop()
        # The kernel is still clearing the sandboxes away for a moment.
        time.sleep(0.5)
        bare.append(interpreter.imports(python, site, handler) * 1e3)
    server.start()
    return Cold(first, bare, warm)


@dataclass(frozen=True)
class Burst:
    """Submissions at once, and another company's run among them."""

    submissions: int
    accepted_s: float
    all_ended_s: float
    right: int
    other_company_s: float
    other_company_queued_s: float


def new_company(server: Server, name: str = "second-company") -> str:
    """The token of a new company that has the bolt check deployed."""
    created = server.ask("POST", "/companies", {"name": name}).expect(201)
    token: str = created["admin_token"]["secret"]
    server.deploy(archive(BOLT.folder), token)
    # Warm like the first company's, as a company in use would be.
    for _ in range(5):
        server.run(BOLT, token)
    return token


def burst(server: Server, submissions: int, other_token: str) -> Burst:
    """All are sent at once; in their middle another company waits for one run."""
    own = execute(BOLT.name, BOLT.inputs, server.token, None)
    other = execute(BOLT.name, BOLT.inputs, other_token, 60)
    middle = submissions // 2
    wanted = [own] * middle + [other] + [own] * (submissions - middle)
    began = time.perf_counter()
    answers = load.at_once(server, wanted)
    guest = answers.pop(middle)
    accepted_s = max(answer.answered_s for answer in answers)
    tasks = [answer.reply.expect(202)["task_id"] for answer in answers]
    right = sum(_is_right(server, task, BOLT) for task in tasks)
    all_ended_s = time.perf_counter() - began
    ran = completed(guest.reply, BOLT)
    waited = guest.answered_s - guest.sent_s
    return Burst(submissions, accepted_s, all_ended_s, right, waited, ran["queue_time"])


def _is_right(server: Server, task_id: str, check: Check) -> bool:
    until = time.monotonic() + 120
    wanted = request("GET", f"/tasks/{task_id}", server.token)
    with server.connect() as connection:
        while time.monotonic() < until:
            task = connection.exchange(wanted).expect(200)
            if task["status"] in FINAL:
                return bool(task["status"] == "completed" and check.is_right(task["result"]))
            time.sleep(0.05)
    raise FailedError(f"task {task_id} did not end within 120 s")


@dataclass(frozen=True)
class ColdStarts:
    """Functions that start at once on a server that has just started."""

    functions: int
    seconds: float
    peak_bytes: int
    right: int


def cold_starts(server: Server, fleet: list[Check]) -> ColdStarts:
    """Each function is called once, all at the same time, after a restart."""
    server.restart()
    wanted = [execute(check.name, check.inputs, server.token, 60) for check in fleet]
    with tree.Peak(server.pid) as peak:
        began = time.perf_counter()
        answers = load.at_once(server, wanted)
        seconds = time.perf_counter() - began
    right = 0
    for check, answer in zip(fleet, answers, strict=True):
        completed(answer.reply, check)
        right += 1
    return ColdStarts(len(fleet), seconds, peak.peak_bytes, right)


@dataclass(frozen=True)
class Resident:
    """What many warm functions hold, and what the server does when idle."""

    functions: int
    memory: tree.Memory
    second_calls_warm: int
    idle_cores: float
    idle_s: float


def resident(server: Server, fleet: list[Check], idle_s: float, say: Say) -> Resident:
    """Each function is called twice, then nothing happens for a while."""
    for check in fleet:
        server.run(check)
    warm = sum(server.run(check)[1]["warm"] is True for check in fleet)
    memory = tree.memory(server.pid)
    say(f"{len(fleet)} functions hold {memory.total_bytes / 1e6:.0f} MB")
    # What the last calls left to do is not idleness.
    time.sleep(2)
    idle = tree.cpu_share(server.pid, idle_s)
    return Resident(len(fleet), memory, warm, idle, idle_s)


def second_opinion(server: Server, requests: int) -> dict[str, float]:
    """What the program's own `mecapy bench` measures with one client and with 16."""
    found: dict[str, float] = {}
    for clients in (1, 16):
        command = [str(server.binary), "bench", BOLT.name, "--json", "--data", str(server.data)]
        command += ["--clients", str(clients), "--requests", str(requests)]
        command += [f"{name}={value}" for name, value in BOLT.inputs.items()]
        done = subprocess.run(command, env=server.env, capture_output=True, check=True)
        measured = json.loads(done.stdout)
        found[f"p50_ms_{clients}"] = measured["p50_ms"]
        found[f"throughput_per_s_{clients}"] = measured["throughput_per_s"]
    return found
