"""Celery with a Redis broker and two prefork workers, without isolation."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from mecapy_bench.checks import BOLT, FILTER, REPOSITORY, Check
from mecapy_bench.processes import Child, FailedError, free_port, wait_for, without_settings
from mecapy_bench.samples import Samples

WORKERS = 2


class Client:
    """A client process that waits on its standard input for work."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mecapy_bench.celery_clients"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
                text=True,
            )
        self.log = log

    def ask(self, check: Check, threads: int, count: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{check.name} {threads} {count}\n")
        self.process.stdin.flush()

    def answer(self) -> list[float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            last = self.log.read_text(errors="replace")[-2000:]
            raise FailedError(f"a client of Celery ended: {last}")
        return [float(word) for word in line.split()]

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class CeleryRedis:
    """The whole of it: Redis, the workers, and client processes made ahead."""

    def __init__(self, folder: Path, processes: int = 16) -> None:
        self.folder = folder
        self.processes = processes
        self.stack = contextlib.ExitStack()
        self.clients: list[Client] = []

    def __enter__(self) -> CeleryRedis:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _start(self, stack: contextlib.ExitStack) -> None:
        port = free_port()
        env = without_settings() | {
            "BENCH_REDIS": f"redis://127.0.0.1:{port}/0",
            "PYTHONPATH": str(REPOSITORY / "benches"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        redis = stack.enter_context(Child(command, self.folder / "redis.log", env))
        ping = ["redis-cli", "-p", str(port), "ping"]

        def answers() -> bool:
            redis.check()
            return b"PONG" in subprocess.run(ping, capture_output=True, check=False).stdout

        wait_for("redis-server", answers)
        command = [sys.executable, "-m", "celery", "-A", "mecapy_bench.celery_app", "worker"]
        command += ["--pool", "prefork", "--concurrency", str(WORKERS), "-O", "fair"]
        command += ["--prefetch-multiplier", "1", "--loglevel", "WARNING"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        stack.enter_context(Child(command, self.folder / "celery.log", env))
        for _ in range(self.processes):
            self.clients.append(client := Client(env, self.folder / "clients.log"))
            stack.callback(client.stop)
        for check in (BOLT, FILTER):
            # Each client makes its connections, each worker its first call.
            for client in self.clients:
                client.ask(check, 1, 4)
                client.answer()
            self.one_client(check, 50)
        self.threads(BOLT, 16, 64)

    def one_client(self, check: Check, count: int) -> Samples:
        """One client that waits for each result."""
        return self.threads(check, 1, count)

    def threads(self, check: Check, threads: int, count: int) -> Samples:
        """Clients that are threads of one process."""
        started = time.perf_counter()
        self.clients[0].ask(check, threads, count)
        seconds = self.clients[0].answer()
        return Samples(seconds, time.perf_counter() - started)

    def separate(self, check: Check, count: int) -> Samples:
        """Clients that are a process each."""
        started = time.perf_counter()
        share, more = divmod(count, len(self.clients))
        for place, client in enumerate(self.clients):
            client.ask(check, 1, share + (place < more))
        seconds = [s for client in self.clients for s in client.answer()]
        return Samples(seconds, time.perf_counter() - started)
