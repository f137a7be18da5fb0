"""Clients of Celery: each asks for a calculation and waits for its result."""

from __future__ import annotations

import sys
import threading
import time

from mecapy_bench.celery_app import bolt, fft_filter
from mecapy_bench.checks import BOLT, FILTER

TASKS = {BOLT.name: (bolt, BOLT), FILTER.name: (fft_filter, FILTER)}
# A result that does not come is a failure, not a long latency.
PATIENCE_S = 30


def call(name: str, count: int) -> list[float]:
    """Seconds of each of `count` calls, one after the other."""
    task, check = TASKS[name]
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        outputs = task.delay(check.inputs).get(timeout=PATIENCE_S)
        seconds.append(time.perf_counter() - started)
        check.judge(outputs)
    return seconds


def call_from_threads(name: str, threads: int, count: int) -> list[float]:
    """The same from several threads that share `count` calls."""
    seconds: list[float] = []
    failures: list[BaseException] = []

    def client(calls: int) -> None:
        try:
            seconds.extend(call(name, calls))
        except BaseException as failure:
            failures.append(failure)

    shares = [count // threads + (i < count % threads) for i in range(threads)]
    running = [threading.Thread(target=client, args=(share,)) for share in shares]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
    return seconds


def serve() -> None:
    """Does what the lines of standard input ask for: `name threads count`."""
    for line in sys.stdin:
        name, threads, count = line.split()
        if threads == "1":
            seconds = call(name, int(count))
        else:
            seconds = call_from_threads(name, int(threads), int(count))
        print(" ".join(map(repr, seconds)), flush=True)


if __name__ == "__main__":
    serve()
