"""The calculations that are measured, their inputs and their right answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class WrongAnswerError(Exception):
    """A contender answered, but not with what is right."""


@dataclass(frozen=True)
class Check:
    """One function: what it is given and how its answer is judged."""

    name: str
    folder: Path
    inputs: dict[str, float]
    is_right: Callable[[dict[str, object]], bool]

    def judge(self, outputs: object) -> None:
        """Raises unless the outputs are the right ones."""
        if not isinstance(outputs, dict) or not self.is_right(outputs):
            raise WrongAnswerError(f"{self.name}: found {json.dumps(outputs)[:300]}")


def _is_bolt(outputs: dict[str, object]) -> bool:
    # 1000 N over 10 mm² is 100 MPa, and 640 MPa over that is 6.4, both exact
    # in float64.
    return outputs == {"stress": 100.0, "safety_factor": 6.4, "status": "ok"}


def _is_filter(outputs: dict[str, object]) -> bool:
    half_power = outputs.get("half_power")
    return isinstance(half_power, float) and math.isclose(half_power, 10.0, rel_tol=1e-9)


BOLT = Check(
    name="bolt-stress",
    folder=REPOSITORY / "examples" / "bolt-stress",
    # Given in full, as only the platform fills in defaults.
    inputs={"force": 1000.0, "section": 10.0, "yield_stress": 640.0},
    is_right=_is_bolt,
)
FILTER = Check(
    name="fft-filter",
    folder=REPOSITORY / "benches" / "functions" / "fft-filter",
    inputs={"cutoff": 10.0, "noise": 0.5},
    is_right=_is_filter,
)
