"""What a thousand watchers of event streams cost, and what runs beside them take.

As a program (`python -m mecapy_bench.watchers PORT TOKEN NUMBER`) it is the
watchers: it says `ready` once each stream has begun, reads whatever comes, and
ends with its standard input. The measurement's own process stays out of that.
"""

from __future__ import annotations

import contextlib
import selectors
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from mecapy_bench import load, scale, tree
from mecapy_bench.checks import BOLT, REPOSITORY
from mecapy_bench.http import RECEIVE_BYTES, Connection, HttpError, request
from mecapy_bench.processes import FailedError
from mecapy_bench.samples import Samples
from mecapy_bench.server import Server

# A stream begins with the queue as it stands.
FIRST = b"event: queue"


@dataclass(frozen=True)
class Watchers:
    """Runs without watchers, beside idle ones, and told to every watcher."""

    watchers: int
    bytes_each: float
    idle_cores: float
    idle_s: float
    alone: dict[str, float]
    beside: dict[str, float]
    told: dict[str, float]

    @property
    def beside_ratio(self) -> float:
        return self.beside["p50_ms"] / self.alone["p50_ms"]

    @property
    def told_ratio(self) -> float:
        return self.told["p50_ms"] / self.alone["p50_ms"]


def measure(server: Server, number: int, rounds: int, calls: int, idle_s: float) -> Watchers:
    """Rounds without and with watchers take turns; one company's runs are timed."""
    quiet = scale.new_company(server, "watched-company")
    alone, beside, told = Samples(), Samples(), Samples()
    each: list[float] = []
    cores: list[float] = []
    for _ in range(rounds):
        load.one_client(server, BOLT, max(calls // 10, 1))
        before = tree.memory(server.pid).platform_bytes
        alone.add(load.one_client(server, BOLT, calls))
        with watching(server, quiet, number):
            beside.add(load.one_client(server, BOLT, calls))
            each.append((tree.memory(server.pid).platform_bytes - before) / number)
            cores.append(tree.cpu_share(server.pid, idle_s))
        with watching(server, server.token, number):
            told.add(load.one_client(server, BOLT, calls))
    return Watchers(
        number,
        statistics.median(each),
        statistics.median(cores),
        idle_s,
        alone.summary(),
        beside.summary(),
        told.summary(),
    )


@contextlib.contextmanager
def watching(server: Server, token: str, number: int) -> Iterator[None]:
    """A process that watches the queue of the token's company so many times."""
    command = [sys.executable, "-m", "mecapy_bench.watchers", str(server.port), token, str(number)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY / "benches"
    )
    try:
        assert child.stdout is not None
        if child.stdout.readline() != b"ready\n":
            raise FailedError("the watchers ended before they were ready")
        yield
    finally:
        assert child.stdin is not None
        child.stdin.close()
        if child.wait(60):
            raise FailedError("a stream ended early, or was told of what it may not see")


def watch(port: int, token: str, number: int) -> None:
    """Opens the streams and reads them until standard input ends."""
    wanted = request("GET", "/queue/events", token)
    files = load.open_files(number + 256)
    with files, contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(number):
            connection = stack.enter_context(Connection(port))
            connection.socket.sendall(wanted)
            begun = b""
            while FIRST not in begun:
                piece = connection.socket.recv(RECEIVE_BYTES)
                if not piece:
                    raise HttpError(f"no stream began: {begun[:500]!r}")
                begun += piece
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        selector.register(sys.stdin, selectors.EVENT_READ, None)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    return
                if not key.data.socket.recv(RECEIVE_BYTES):
                    raise HttpError("a stream ended")


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
