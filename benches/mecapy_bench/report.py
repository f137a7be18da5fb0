"""Writes `benchmarks.md` and `benchmarks.json`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from mecapy_bench.samples import Samples
from mecapy_bench.suite import Measured
from mecapy_bench.targets import Target, samples, targets

# Key, what it is, and the contender that its ratio is taken against.
ONE_CLIENT = (
    ("mecapy", "MecaPy, HTTP with `?wait`, a fresh sandbox each, durable", "celery"),
    ("celery", "(a) Celery, Redis, two prefork workers, no isolation", "celery"),
    ("bubblewrap", "(b) fresh interpreter in bubblewrap", "celery"),
    ("docker_exec", "(c) exec in a warm hardened container", "celery"),
    ("docker_run", "(c) `docker run`, hardened", "celery"),
)
SCIENTIFIC = (
    ("mecapy_scientific", "MecaPy, HTTP with `?wait`, a fresh sandbox each", "celery_scientific"),
    ("celery_scientific", "(a) Celery, NumPy and SciPy already imported", "celery_scientific"),
    ("bubblewrap_scientific", "(b) fresh interpreter in bubblewrap", "celery_scientific"),
)
TOGETHER = (
    ("mecapy_16", "MecaPy, 16 connections", "celery_16_best"),
    ("celery_16_threads", "(a) Celery, 16 client threads", "celery_16_best"),
    ("celery_16_processes", "(a) Celery, 16 client processes", "celery_16_best"),
)

METHOD = """\
## How it was measured

- One run of `make bench` on one machine; the contenders take turns in {rounds} rounds, each after
  a few calls that do not count, so that noise hits all alike. Percentiles are of the nearest rank.
- Every answer is compared with the right one; a wrong or failed one ends the contender's row.
- All contenders run the same `handler.py` with the same inputs on the same Python interpreter,
  with the same NumPy and SciPy. Times are the client's, from the request to the whole answer.
- MecaPy's client is one thread of Python on bare sockets with kept-alive connections; each task
  is durable before it is answered (`synchronous=FULL`) and runs in a process of its own.
- (a) Celery: `-O fair`, prefetch multiplier 1, two prefork workers, no events, gossip, mingle or
  heartbeat, hiredis; Redis keeps nothing on disk. `task.delay(inputs).get()` is timed. With 16
  clients, threads and processes were tried; the better one counts.
- (b) `bwrap --unshare-all`, read-only, no capability, `python -I`.
- (c) `dockerd` of its own ({driver}), image of the interpreter and its standard library only;
  no network, read-only, no capability, no new privileges, limits on memory and processes. The
  exec goes through the Engine API, which spares it the start of the `docker` program.
- Cold: `mecapy up` is started anew, so there is no template; the first call is timed. Beside it a
  plain `python -I` imports the same modules from the same folder. Both find a warm page cache.
- Memory is the proportional set size (PSS), summed over the whole process tree; processor time is
  that of the same tree.
"""


def _cell(ms: float) -> str:
    return f"{ms:.2f}" if ms < 100 else f"{ms:.0f}"


def _rows(found: Measured, rows: tuple[tuple[str, str, str], ...], against: float) -> list[str]:
    lines = []
    for key, name, _ in rows:
        measured = samples(found, key)
        if measured is None:
            lines.append(f"| {name} | – | – | – | – | – | {found.contenders.get(key)} |")
            continue
        figures = [_cell(measured.percentile_ms(percent)) for percent in (50, 95, 99)]
        throughput = measured.throughput_per_s
        base = throughput if rows is TOGETHER else measured.percentile_ms(50)
        ratio = f"{base / against:.2f}" if against else "–"
        cells = [name, str(measured.calls), *figures, f"{throughput:.1f}", ratio]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _contenders(found: Measured, title: str, rows: tuple[tuple[str, str, str], ...]) -> list[str]:
    together = rows is TOGETHER
    ratio = "throughput / Celery's" if together else "p50 / Celery's"
    if together:
        best = [samples(found, key) for key, _, _ in rows[1:]]
        against = max((one.throughput_per_s for one in best if one), default=0.0)
    else:
        base = samples(found, rows[0][2])
        against = base.percentile_ms(50) if base else 0.0
    return [
        f"## {title}",
        "",
        f"| | calls | p50 ms | p95 ms | p99 ms | calls/s | {ratio} |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *_rows(found, rows, against),
        "",
    ]


def _target(target: Target) -> str:
    mark = "✓" if target.reached else "✗"
    cells = (target.name, target.must, target.measured, target.ratio, mark)
    return f"| {' | '.join(cells)} |"


def _second_opinion(found: Measured) -> list[str]:
    said = found.second_opinion
    if isinstance(said, str):
        return [f"`mecapy bench` could not be asked: {said}", ""]
    return [
        "`mecapy bench`, the program's own client, measured on the bolt check "
        f"{said['p50_ms_1']:.2f} ms (p50, one client) and {said['throughput_per_s_16']:.0f} "
        "calls/s (16 clients).",
        "",
    ]


def _watchers(found: Measured) -> list[str]:
    seen = found.watchers
    if isinstance(seen, str):
        return [f"Watchers could not be measured: {seen}", ""]
    lines = [
        f"## The bolt check beside {seen.watchers} watchers of `/queue/events`",
        "",
        "| | calls | p50 ms | p95 ms | p99 ms | p50 / alone |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row, ratio in (
        ("nobody watches", seen.alone, 1.0),
        ("watchers of a company in which nothing happens", seen.beside, seen.beside_ratio),
        ("watchers that are each told of every run", seen.told, seen.told_ratio),
    ):
        figures = [_cell(row[key]) for key in ("p50_ms", "p95_ms", "p99_ms")]
        lines.append(f"| {name} | {row['calls']:.0f} | {' | '.join(figures)} | {ratio:.2f} |")
    return [
        *lines,
        "",
        f"An idle watcher holds {seen.bytes_each / 1e3:.1f} kB of the server's memory; the server "
        f"with all of them uses {seen.idle_cores * 100:.1f} % of a core over {seen.idle_s:.0f} s. "
        "The watchers are one process on the same machine and take their share of it.",
        "",
    ]


def markdown(found: Measured, machine: dict[str, str], rounds: int) -> str:
    """The page."""
    written = "Written by `make bench`; the same figures are in [benchmarks.json](benchmarks.json)."
    lines = ["# Benchmarks", "", written, ""]
    lines += ["| | must | measured | ratio | |", "|---|---|---|---:|---|"]
    lines += [_target(target) for target in targets(found)]
    lines += [""]
    lines += _contenders(found, "The bolt check, one client", ONE_CLIENT)
    lines += _contenders(found, "A filter with NumPy and SciPy, one client", SCIENTIFIC)
    lines += _contenders(found, "The bolt check, 16 clients", TOGETHER)
    lines += _second_opinion(found)
    lines += _watchers(found)
    lines += ["## Machine", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in machine.items()]
    lines += ["", METHOD.format(rounds=rounds, driver=found.docker_driver or "not started")]
    return "\n".join(lines)


def _plain(value: object) -> object:
    if isinstance(value, Samples):
        return value.summary() if value.calls else "not measured"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


def write(found: Measured, machine: dict[str, str], rounds: int, folder: Path) -> Path:
    """Writes both files; the path of the page."""
    kept = {
        "machine": machine,
        "targets": [dataclasses.asdict(target) for target in targets(found)],
        "contenders": {key: _plain(value) for key, value in found.contenders.items()},
        "cold": _plain(found.cold),
        "burst": _plain(found.burst),
        "cold_starts": _plain(found.cold_starts),
        "resident": _plain(found.resident),
        "watchers": _plain(found.watchers),
        "mecapy_bench": found.second_opinion,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kept, indent=2, ensure_ascii=False)
    (folder / "benchmarks.json").write_text(text + "\n")
    page = folder / "benchmarks.md"
    page.write_text(markdown(found, machine, rounds))
    return page
