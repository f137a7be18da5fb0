"""`python -m mecapy_bench`: measures and writes the page; see `scripts/bench`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from mecapy_bench import machine, report, suite
from mecapy_bench.checks import REPOSITORY


def main() -> None:
    """Parses the command line, measures, writes and prints the page."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("binary", nargs="?", type=Path, default=Path("target/release/mecapy"))
    parser.add_argument("--quick", action="store_true", help="few calls, into target/bench")
    parser.add_argument("--output", type=Path, help="folder of the page; docs unless --quick")
    given = parser.parse_args()
    binary = given.binary.resolve()
    if not binary.is_file():
        parser.error(f"there is no program {binary}; build it with `make build`")
    size = suite.QUICK if given.quick else suite.FULL
    folder = given.output or REPOSITORY / ("target/bench" if given.quick else "docs")

    # Ctrl-C and a kill both unwind, so that every process started here ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    described = machine.describe(python) | machine.contenders()
    found = suite.measure(binary, python, size, say)
    page = report.write(found, described, size.rounds, folder)
    print(page.read_text())
    say(f"written to {page}")


if __name__ == "__main__":
    main()
