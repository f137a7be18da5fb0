"""Whether what was printed is what a page shows.

`…` stands for anything within a line, and alone on a line for any lines.
"""

from __future__ import annotations

import difflib
import re


def same(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines agree, line by line."""
    if not shown:
        return not printed
    if shown[0] == "…":
        return any(same(shown[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and agree(shown[0], printed[0]) and same(shown[1:], printed[1:])


def agree(shown: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    return re.fullmatch(pattern, printed) is not None


def difference(shown: list[str], printed: list[str]) -> str:
    lines = difflib.unified_diff(shown, printed, "the page", "printed", lineterm="", n=99)
    return "\n".join(f"    {line}" for line in lines)
