"""`python -m docs_blocks PROGRAM [PAGE…]`: runs the blocks of the pages."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import kinds, twins
from .blocks import Block, Wrong, of
from .machine import ROOT, Machine

# Pages that programs write hold no commands to be typed.
FOLDERS = ("docs", "docs/fr", "docs/errors", "docs/decisions")
ALONE = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md")


class Told:
    """What became of one page's blocks."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.not_run: list[str] = []
        self.faults: list[str] = []


def main(program: Path, chosen: list[str]) -> int:
    pages = [Path(page) for page in chosen] or everything()
    with ThreadPoolExecutor(max_workers=2) as pool:
        told = list(pool.map(lambda page: try_page(page, program), pages))
    faults = [fault for one in told for fault in one.faults]
    faults += [fault for page in pages for fault in twin_faults(page)]
    for line in sorted(line for one in told for line in one.not_run):
        print(f"not run  {line}")
    counts = sum((one.counts for one in told), Counter())
    parts = ", ".join(f"{number} {how}" for how, number in sorted(counts.items()))
    print(f"{counts.total()} code blocks on {len(pages)} pages: {parts}; {len(faults)} faults")
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    return 1 if faults else 0


def everything() -> list[Path]:
    folders = [page for folder in FOLDERS for page in sorted((ROOT / folder).glob("*.md"))]
    return [page.relative_to(ROOT) for page in (*(ROOT / name for name in ALONE), *folders)]


def try_page(page: Path, program: Path) -> Told:
    told = Told()
    try:
        blocks = of(page)
    except Wrong as wrong:
        told.faults.append(str(wrong))
        return told
    folder = Path(tempfile.mkdtemp(prefix="mecapy-docs-"))
    machine = Machine(folder, program, page.parent.name == "fr") if any(map(needs_machine, blocks)) else None
    try:
        if machine and not any("serves" in block.marks for block in blocks):
            machine.serve()
        for block in blocks:
            try_block(block, machine, told)
    except Wrong as wrong:
        told.faults.append(f"{page}: {wrong}")
    finally:
        if machine:
            machine.close()
        shutil.rmtree(folder, ignore_errors=True)
    return told


def needs_machine(block: Block) -> bool:
    runs = block.language in kinds.SHELLS or block.language == "python"
    wanted = runs or block.file is not None or {"setup", "then"} & block.marks.keys()
    return bool(wanted) and "not run" not in block.marks


def try_block(block: Block, machine: Machine | None, told: Told) -> None:
    if reason := block.marks.get("not run"):
        told.counts["not run"] += 1
        told.not_run.append(f"{block}: {reason}")
        return
    try:
        told.counts[kinds.run(block, machine)] += 1
    except Exception as fault:  # a reader's own error is the block's
        told.counts["wrong"] += 1
        told.faults.append(f"{block}: {fault}")


def twin_faults(page: Path) -> list[str]:
    english = page.parent.parent / page.name
    if page.parent.name != "fr" or not english.exists():
        return []
    return twins.differences(of(english), of(page))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
