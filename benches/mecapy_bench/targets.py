"""The figures that were asked for, beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from mecapy_bench.samples import Samples, percentile
from mecapy_bench.suite import Measured

# The default budget for templates (`MECAPY_TEMPLATE_MEMORY_MB`), in bytes.
TEMPLATE_BUDGET = 2048 * 2**20


@dataclass(frozen=True)
class Target:
    """One line of the table."""

    name: str
    must: str
    measured: str
    ratio: str
    reached: bool


def samples(found: Measured, key: str) -> Samples | None:
    """A contender's samples, if it could be measured."""
    contender = found.contenders.get(key)
    return contender if isinstance(contender, Samples) and contender.calls else None


def best_celery(found: Measured) -> Samples | None:
    """Sixteen clients as threads or as processes, whichever Celery is faster with."""
    both = [samples(found, f"celery_16_{kind}") for kind in ("threads", "processes")]
    measured = [one for one in both if one is not None]
    return max(measured, key=lambda one: one.throughput_per_s, default=None)


def _failed(name: str, must: str, why: object) -> Target:
    return Target(name, must, str(why) if isinstance(why, str) else "not measured", "–", False)


def _median(
    found: Measured, key: str, against: str, name: str, must: str, at_most: float
) -> Target:
    ours, theirs = samples(found, key), samples(found, against)
    if ours is None or theirs is None:
        return _failed(name, must, found.contenders.get(key if ours is None else against))
    ratio = ours.percentile_ms(50) / theirs.percentile_ms(50)
    measured = f"{ours.percentile_ms(50):.2f} ms, Celery {theirs.percentile_ms(50):.2f} ms"
    return Target(name, must, measured, f"{ratio:.2f}", ratio < at_most)


def _tail(found: Measured, key: str, name: str) -> Target:
    must = "≤ 4"
    ours = samples(found, key)
    if ours is None:
        return _failed(name, must, found.contenders.get(key))
    p50, p99 = ours.percentile_ms(50), ours.percentile_ms(99)
    return Target(name, must, f"{p99:.2f} / {p50:.2f} ms", f"{p99 / p50:.2f}", p99 / p50 <= 4)


def _throughput(found: Measured) -> Target:
    name, must = "throughput, 16 clients, a fresh isolated process each", "at least Celery's"
    ours, theirs = samples(found, "mecapy_16"), best_celery(found)
    if ours is None or theirs is None:
        return _failed(name, must, found.contenders.get("mecapy_16"))
    ratio = ours.throughput_per_s / theirs.throughput_per_s
    measured = f"{ours.throughput_per_s:.0f} /s, Celery {theirs.throughput_per_s:.0f} /s"
    return Target(name, must, measured, f"{ratio:.2f}", ratio >= 1)


def _cold(found: Measured) -> Target:
    name = "cold (environment built, no template), SciPy"
    must = "≤ 1.3 × a plain interpreter importing the same"
    cold = found.cold
    if isinstance(cold, str):
        return _failed(name, must, cold)
    first, bare = percentile(cold.first_ms, 50), percentile(cold.interpreter_ms, 50)
    measured = f"{first:.0f} ms, interpreter {bare:.0f} ms"
    if cold.already_warm:
        measured += f" ({cold.already_warm} of {len(cold.first_ms)} were warm by then)"
    return Target(name, must, measured, f"{cold.ratio:.2f}", cold.ratio <= 1.3)


def _burst(found: Measured) -> list[Target]:
    burst = found.burst
    names = ("submissions at once", "another company's run among them")
    musts = ("accepted within 2 s, all right", "waits < 1 s")
    if isinstance(burst, str):
        return [_failed(name, must, burst) for name, must in zip(names, musts, strict=True)]
    accepted = (
        f"accepted in {burst.accepted_s:.2f} s, {burst.right} right, "
        f"all ended after {burst.all_ended_s:.1f} s"
    )
    good = burst.accepted_s <= 2 and burst.right == burst.submissions
    waited = (
        f"{burst.other_company_s:.3f} s from request to result, "
        f"{burst.other_company_queued_s:.3f} s of it queued"
    )
    return [
        Target(f"{burst.submissions:,} {names[0]}", musts[0], accepted, "–", good),
        Target(names[1], musts[1], waited, "–", burst.other_company_s < 1),
    ]


def _cold_starts(found: Measured) -> Target:
    must = f"all right, memory bounded (templates' budget {TEMPLATE_BUDGET / 2**20:.0f} MiB)"
    starts = found.cold_starts
    if isinstance(starts, str):
        return _failed("cold starts at once", must, starts)
    measured = (
        f"{starts.right} right in {starts.seconds:.1f} s, "
        f"at most {starts.peak_bytes / 1e6:.0f} MB (summed PSS)"
    )
    good = starts.right == starts.functions and starts.peak_bytes <= TEMPLATE_BUDGET
    return Target(f"{starts.functions} cold starts at once", must, measured, "–", good)


def _resident(found: Measured) -> list[Target]:
    resident = found.resident
    names = ("deployed functions on 3 environments, warm", "idle", "memory beside templates")
    musts = ("< 1 GB summed PSS", "< 0.5 % of a core", "< 100 MB")
    if isinstance(resident, str):
        return [_failed(name, must, resident) for name, must in zip(names, musts, strict=True)]
    memory, functions = resident.memory, resident.functions
    held = f"{memory.total_bytes / 1e6:.0f} MB in {memory.processes} processes"
    held += f", {resident.second_calls_warm} of {functions} second calls warm"
    warm = resident.second_calls_warm == functions
    idle = f"{resident.idle_cores:.2%} of a core over {resident.idle_s:.0f} s"
    beside = memory.platform_bytes
    return [
        Target(f"{functions} {names[0]}", musts[0], held, "–", warm and memory.total_bytes < 1e9),
        Target(names[1], musts[1], idle, "–", resident.idle_cores < 0.005),
        Target(names[2], musts[2], f"{beside / 1e6:.0f} MB (summed PSS)", "–", beside < 1e8),
    ]


def targets(found: Measured) -> list[Target]:
    """Every line, also those that were missed."""
    base = "warm p50, one client, `python-base`"
    scientific = "warm p50, `python-scientific`, NumPy and SciPy used"
    return [
        _median(found, "mecapy", "celery", base, "below Celery's; aim 3 ms", 1.0),
        _median(
            found,
            "mecapy_scientific",
            "celery_scientific",
            scientific,
            "below 1.5 × Celery's, same function",
            1.5,
        ),
        _tail(found, "mecapy", "p99 / p50, one client, `python-base`"),
        _tail(found, "mecapy_scientific", "p99 / p50, one client, `python-scientific`"),
        _throughput(found),
        _cold(found),
        *_burst(found),
        _cold_starts(found),
        *_resident(found),
    ]
