"""Latencies of one contender and what is said about them."""

from __future__ import annotations

from dataclasses import dataclass, field


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile; a value that was measured, never a mean."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


@dataclass
class Samples:
    """Seconds that single calls took, and the time that all of them took."""

    seconds: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0

    def add(self, other: Samples) -> None:
        """Puts another round behind this one."""
        self.seconds.extend(other.seconds)
        self.elapsed_s += other.elapsed_s

    @property
    def calls(self) -> int:
        return len(self.seconds)

    @property
    def throughput_per_s(self) -> float:
        return self.calls / self.elapsed_s

    def percentile_ms(self, percent: float) -> float:
        return percentile(self.seconds, percent) * 1e3

    def summary(self) -> dict[str, float]:
        """The figures as they are kept in the JSON file."""
        return {
            "calls": self.calls,
            "p50_ms": round(self.percentile_ms(50), 4),
            "p95_ms": round(self.percentile_ms(95), 4),
            "p99_ms": round(self.percentile_ms(99), 4),
            "max_ms": round(self.percentile_ms(100), 4),
            "throughput_per_s": round(self.throughput_per_s, 2),
        }
