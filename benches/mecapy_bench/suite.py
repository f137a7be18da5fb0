"""The measurement: all contenders in rounds, then what one server bears."""

from __future__ import annotations

import contextlib
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mecapy_bench import fleet, interpreter, load, scale, watchers
from mecapy_bench.celery_redis import CeleryRedis
from mecapy_bench.checks import BOLT, FILTER, WrongAnswerError
from mecapy_bench.docker import Docker
from mecapy_bench.http import HttpError
from mecapy_bench.processes import FailedError
from mecapy_bench.samples import Samples
from mecapy_bench.server import Server, archive

CLIENTS = 16
FAILURES = (FailedError, HttpError, WrongAnswerError, OSError, subprocess.CalledProcessError)
Part = TypeVar("Part")


@dataclass(frozen=True)
class Size:
    """How much is measured; calls are per round."""

    rounds: int
    calls: int
    scientific_calls: int
    slow_calls: int
    together_calls: int
    cold_rounds: int
    submissions: int
    cold_functions: int
    functions: int
    idle_s: float
    watchers: int
    watched_rounds: int


FULL = Size(10, 50, 50, 2, 200, 10, 1000, 50, 200, 20.0, 1000, 4)
QUICK = Size(3, 20, 20, 1, 100, 2, 300, 9, 18, 5.0, 200, 2)


@dataclass(frozen=True)
class Contender:
    """One row: what is called, how often per round, and how."""

    key: str
    calls: int
    measure: Callable[[int], Samples]


@dataclass
class Measured:
    """Everything that was found; a text where something could not be measured."""

    contenders: dict[str, Samples | str] = field(default_factory=dict)
    cold: scale.Cold | str = "not measured"
    burst: scale.Burst | str = "not measured"
    cold_starts: scale.ColdStarts | str = "not measured"
    resident: scale.Resident | str = "not measured"
    watchers: watchers.Watchers | str = "not measured"
    second_opinion: dict[str, float] | str = "not measured"
    docker_driver: str = ""


def attempt(say: Callable[[str], None], what: str, part: Callable[[], Part]) -> Part | str:
    """The part's figures, or why there are none: the rest is still measured."""
    say(what)
    try:
        return part()
    except FAILURES as failure:
        say(f"failed: {failure}")
        return reason(failure)


def reason(failure: BaseException) -> str:
    """One line that says why, short enough for a table."""
    return " ".join(str(failure).split()).replace("|", "/")[-300:] or type(failure).__name__


def measure(binary: Path, python: Path, size: Size, say: Callable[[str], None]) -> Measured:
    """Runs all of it; its files and processes are gone afterwards."""
    found = Measured()
    with tempfile.TemporaryDirectory(prefix="mecapy-bench-") as name:
        folder = Path(name)
        say("Starting MecaPy and deploying the two functions")
        with Server(binary, folder, python) as server:
            for check in (BOLT, FILTER):
                server.deploy(archive(check.folder))
            _rounds(found, server, folder, python, size, say)
            _bears(found, server, python, size, say)
            say("Stopping")
    return found


def _rounds(
    found: Measured,
    server: Server,
    folder: Path,
    python: Path,
    size: Size,
    say: Callable[[str], None],
) -> None:
    site = Path(sysconfig.get_path("purelib"))
    with contextlib.ExitStack() as stack:
        say("Starting Redis and Celery")
        celery = stack.enter_context(CeleryRedis(folder))
        bolt = interpreter.bubblewrap(python, site, BOLT)
        filtered = interpreter.bubblewrap(python, site, FILTER)
        contenders = [
            Contender("mecapy", size.calls, lambda n: load.one_client(server, BOLT, n)),
            Contender("celery", size.calls, lambda n: celery.one_client(BOLT, n)),
            Contender("bubblewrap", size.calls, lambda n: interpreter.call(bolt, BOLT, n)),
            Contender(
                "mecapy_16", size.together_calls, lambda n: load.clients(server, BOLT, CLIENTS, n)
            ),
            Contender(
                "celery_16_threads",
                size.together_calls,
                lambda n: celery.threads(BOLT, CLIENTS, n),
            ),
            Contender(
                "celery_16_processes", size.together_calls, lambda n: celery.separate(BOLT, n)
            ),
            Contender(
                "mecapy_scientific",
                size.scientific_calls,
                lambda n: load.one_client(server, FILTER, n),
            ),
            Contender(
                "celery_scientific", size.scientific_calls, lambda n: celery.one_client(FILTER, n)
            ),
            Contender(
                "bubblewrap_scientific",
                size.slow_calls,
                lambda n: interpreter.call(filtered, FILTER, n),
            ),
        ]
        say("Starting Docker")
        try:
            docker = stack.enter_context(Docker(folder, python))
        except FAILURES as failure:
            say(f"no Docker: {failure}")
            found.contenders |= dict.fromkeys(("docker_exec", "docker_run"), reason(failure))
        else:
            found.docker_driver = docker.driver
            contenders += [
                Contender("docker_exec", size.calls, lambda n: docker.execute(BOLT, n)),
                Contender("docker_run", size.calls, lambda n: docker.run(BOLT, n)),
            ]
        interleave(found, contenders, size.rounds, say)


def interleave(
    found: Measured, contenders: list[Contender], rounds: int, say: Callable[[str], None]
) -> None:
    """Each round calls all of them, so that the machine's moods hit all alike."""
    for place in range(rounds):
        say(f"Round {place + 1} of {rounds}")
        for contender in contenders:
            so_far = found.contenders.setdefault(contender.key, Samples())
            if isinstance(so_far, str):
                continue
            try:
                # What ran before has taken the caches; a few calls bring them back.
                contender.measure(max(contender.calls // 10, 1))
                so_far.add(contender.measure(contender.calls))
            except (*FAILURES, RuntimeError) as failure:
                say(f"{contender.key} failed: {failure}")
                found.contenders[contender.key] = reason(failure)


def _bears(
    found: Measured, server: Server, python: Path, size: Size, say: Callable[[str], None]
) -> None:
    calls = size.rounds * size.calls
    found.second_opinion = attempt(
        say, "The same by `mecapy bench`", lambda: scale.second_opinion(server, calls)
    )
    found.watchers = attempt(
        say,
        f"Runs beside {size.watchers} watchers",
        lambda: watchers.measure(
            server, size.watchers, size.watched_rounds, size.calls, size.idle_s
        ),
    )
    found.burst = attempt(
        say,
        f"{size.submissions} submissions at once",
        lambda: scale.burst(server, size.submissions, scale.new_company(server)),
    )
    found.cold = attempt(
        say, "First calls after a restart", lambda: scale.cold(server, python, size.cold_rounds)
    )
    deployed = attempt(
        say,
        f"Deploying {size.functions} functions",
        lambda: fleet.deploy(server, size.functions),
    )
    if isinstance(deployed, str):
        found.cold_starts = found.resident = deployed
        return
    found.cold_starts = attempt(
        say,
        f"{size.cold_functions} functions started cold at once",
        lambda: scale.cold_starts(server, deployed[: size.cold_functions]),
    )
    found.resident = attempt(
        say,
        f"{size.functions} functions called, then idle",
        lambda: scale.resident(server, deployed, size.idle_s, say),
    )
