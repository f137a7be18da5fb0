"""Whether what was printed is what a page shows.

Ids, instants, durations and sizes of memory are those of another run, so each
agrees with every other; so do widths of columns, which follow from them. What
else varies is written `…`: anything within a line, or alone on it any lines.
"""

from __future__ import annotations

import difflib
import re

VARIES = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "INSTANT"),
    (re.compile(r"\b\d{8}T\d{6}Z"), "INSTANT"),
    (re.compile(r"\d+(?:[.,]\d+)? (?:ns|µs|ms|s|min)\b"), "DURATION"),
    (re.compile(r"\d+(?:[.,]\d+)? (?:[kM]?B|[kM]?o)\b"), "SIZE"),
    (re.compile(r"(?<=· )(?:warm|cold|à chaud|à froid)$"), "START"),
    (re.compile(r" {2,}"), " "),
]


def same(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines agree, line by line."""
    if not shown:
        return not printed
    if shown[0] == "…":
        return any(same(shown[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and agree(shown[0], printed[0]) and same(shown[1:], printed[1:])


def agree(shown: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(steady(part)) for part in shown.split("…"))
    return re.fullmatch(pattern, steady(printed)) is not None


def steady(text: str) -> str:
    for varies, name in VARIES:
        text = varies.sub(name, text)
    return text


def difference(shown: list[str], printed: list[str]) -> str:
    lines = difflib.unified_diff(shown, printed, "the page", "printed", lineterm="", n=99)
    return "\n".join(f"    {line}" for line in lines)
