"""The code blocks of a page, with what is said about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

MARKS = {"not run", "setup", "then", "into", "serves", "exits", "inputs", "given", "raises"}
COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
TITLE = re.compile(r'\btitle="([^"]+)"')


class Wrong(Exception):
    """A block does not do what the page says."""


@dataclass
class Block:
    """A fenced block: `line` is that of its fence, counted from 1."""

    page: Path
    line: int
    language: str
    title: str | None
    code: str
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str | None:
        """The file that the block is, or a part of."""
        return self.marks.get("into", self.title)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def of(page: Path, text: str | None = None) -> list[Block]:
    """Every block of a page, in order."""
    found = []
    marks: dict[str, str] = {}
    tokens = MarkdownIt("commonmark").parse(page.read_text("utf-8") if text is None else text)
    for token in tokens:
        if token.type == "html_block":
            marks |= read_marks(token.content)
        elif marks and token.type != "fence":
            line = f":{token.map[0] + 1}" if token.map else ""
            names = ", ".join(marks)
            raise Wrong(f"{page}{line}: expected a block right below what is said of it ({names})")
        elif token.type == "code_block":
            raise Wrong(f"{page}:{token.map[0] + 1}: expected a fence around code, found an indent")
        elif token.type == "fence":
            language, _, rest = token.info.partition(" ")
            title = TITLE.search(rest)
            line = token.map[0] + 1
            block = Block(page, line, language, title and title[1], token.content, marks)
            found.append(block)
            marks = {}
    if marks:
        raise Wrong(f"{page}: expected a block below {', '.join(marks)}, found the end")
    return found


def read_marks(html: str) -> dict[str, str]:
    marks = {}
    for comment in COMMENT.findall(html):
        name, _, value = comment.partition(":")
        if name.strip() in MARKS:
            marks[name.strip()] = value.strip()
    if marks.get("not run") == "":
        raise Wrong("expected a reason in `<!-- not run: … -->`, found none")
    return marks


def commands(transcript: str) -> list[tuple[str, list[str]]]:
    """Of a `console` block: each command, and the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    typing = False
    for line in transcript.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
            typing = True
        elif typing and line.startswith("> "):
            command, printed = found[-1]
            found[-1] = (f"{command}\n{line[2:]}", printed)
        elif not found:
            raise Wrong("expected `$ ` and a command on the first line of a console block")
        else:
            typing = False
            found[-1][1].append(line.rstrip())
    return found
