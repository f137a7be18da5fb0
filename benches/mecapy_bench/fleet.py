"""Many small functions on three environments, each with an answer of its own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mecapy_bench.checks import Check
from mecapy_bench.server import Server

MANIFEST = """\
version: "1.0"
metadata: {{name: {name}, tags: [benchmark]}}
runtime: {{base_image: {image}, timeout: 60, memory_limit: 512, cpu_limit: 1}}
dependencies: {{packages: [{packages}]}}
io:
  inputs_schema:
    type: object
    required: [length]
    properties: {{length: {{type: number, unit: mm}}}}
  outputs_schema: {{type: object}}
versioning: {{version: 1.0.0}}
"""

BASE = """\
import math


def calculate(inputs: dict) -> dict:
    return {{"value": math.sqrt(inputs["length"] ** 2) * {factor}}}
"""

SCIENTIFIC = """\
import numpy as np
from scipy.optimize import brentq


def calculate(inputs: dict) -> dict:
    root = brentq(lambda x: x - inputs["length"], 0.0, 1e3, xtol=1e-12)
    return {{"value": float(np.round(root, 6)) * {factor}}}
"""

PACKAGE = """\
import rainflow


def calculate(inputs: dict) -> dict:
    series = [0.0, inputs["length"], 0.0, inputs["length"], 0.0]
    largest = max(row[0] for row in rainflow.extract_cycles(series))
    return {{"value": largest * {factor}}}
"""

KINDS = (
    ("python-base", "", BASE),
    ("python-scientific", "", SCIENTIFIC),
    ("python-base", "rainflow==3.2.0", PACKAGE),
)
LENGTH = 2.0
DEPLOYING_AT_ONCE = 4


@dataclass(frozen=True)
class Member:
    """One function of the fleet."""

    check: Check
    archive: bytes


def _archive(name: str, image: str, packages: str, code: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archived:
        manifest = MANIFEST.format(name=name, image=image, packages=packages)
        archived.writestr("mecapy.yaml", manifest)
        archived.writestr("handler.py", code)
    return written.getvalue()


def members(number: int) -> Iterator[Member]:
    """Functions whose value is the length times their own factor."""
    for place in range(number):
        name = f"fleet-{place:03}"
        factor = float(place + 1)
        image, packages, code = KINDS[place % len(KINDS)]

        def is_right(outputs: dict[str, object], expected: float = LENGTH * factor) -> bool:
            return outputs == {"value": expected}

        check = Check(name, Path(name), {"length": LENGTH}, is_right)
        yield Member(check, _archive(name, image, packages, code.format(factor=factor)))


def deploy(server: Server, number: int) -> list[Check]:
    """Deploys them, the first of each environment ahead of the others."""
    fleet = list(members(number))
    first, rest = fleet[: len(KINDS)], fleet[len(KINDS) :]
    for member in first:
        server.deploy(member.archive)
    with ThreadPoolExecutor(DEPLOYING_AT_ONCE) as pool:
        for _ in pool.map(lambda member: server.deploy(member.archive), rest):
            pass
    return [member.check for member in fleet]
