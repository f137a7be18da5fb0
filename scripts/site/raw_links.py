"""Checks the links of the repository's own Markdown, as its viewers follow them:
each file is there, and has the heading that the link names.

Usage: raw_links.py, in the repository.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt


class Page:
    """The links of a page, and the anchors of its headings."""

    def __init__(self, path: Path) -> None:
        self.links: list[tuple[int, str]] = []
        self.anchors: set[str] = {""}
        tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text("utf-8"))
        for at, token in enumerate(tokens):
            line = token.map[0] + 1 if token.map else 0
            for child in token.children or []:
                if child.type == "link_open":
                    self.links.append((line, str(child.attrs["href"])))
            if token.type == "heading_open":
                self.anchors.add(anchor(tokens[at + 1].content))


def anchor(heading: str) -> str:
    """As GitHub makes it, without the numbers of headings that stand twice."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).strip(" ").replace(" ", "-")


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        check=True,
        capture_output=True,
    )
    paths = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    pages = {path.resolve(): Page(path) for path in paths if path.exists()}
    faults = []
    for path, page in pages.items():
        for line, link in page.links:
            target, _, fragment = unquote(link).partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            found = (path.parent / target).resolve() if target else path
            name = f"{path.relative_to(Path.cwd())}:{line}"
            if not found.exists():
                faults.append(f"{name}: {link} leads nowhere")
            elif found in pages and fragment not in pages[found].anchors:
                faults.append(f"{name}: {link}: there is no such heading")
    for fault in faults:
        print(fault, file=sys.stderr)
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} Markdown files, {links} links, {len(faults)} broken")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
