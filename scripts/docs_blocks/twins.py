"""A page and its twin in the other language hold the same code."""

from __future__ import annotations

import re
from itertools import zip_longest

from .blocks import Block, commands

COMMENT = re.compile(r"(^|\s)#\s.*$|(^|\s)#$", re.MULTILINE)
STRING = re.compile(r"\"\"\".*?\"\"\"|f?\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL)
PROSE = re.compile(
    r"^(\s*-?\s*(?:description|changelog|source|author):).*$|\b(title:)[^,}\n]*", re.MULTILINE
)


def differences(english: list[Block], french: list[Block]) -> list[str]:
    """Where the code of a French page is not that of the English one."""
    faults = []
    for one, other in zip_longest(english, french):
        if one is None or other is None:
            alone = one or other
            faults.append(f"{alone}: this block has no twin in the other language")
            break
        if (one.language, one.title) != (other.language, other.title):
            faults.append(f"{other}: expected {one.language} {one.title or ''}, as at {one}")
        elif core(one) != core(other):
            faults.append(f"{other}: expected the same code as at {one}\n{core(one)}\n---\n{core(other)}")
    return faults


def core(block: Block) -> str:
    """What does not depend on the language."""
    code = block.code
    if block.language == "text":
        return ""
    if block.language == "console":
        code = "\n".join(command for command, _ in commands(code))
    code = COMMENT.sub("", code)
    if block.language in ("python", "yaml", "json", "toml"):
        code = STRING.sub('""', PROSE.sub(r"\1\2", code))
    return "\n".join(line.rstrip() for line in code.splitlines() if line.strip())
