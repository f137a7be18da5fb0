"""Checks a built site: every link and anchor leads somewhere, nothing is
fetched from another host, and each page leads to the other language.

Usage: links.py FOLDER
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
NOT_FETCHED = {"alternate", "canonical", "next", "prev"}


class Page(HTMLParser):
    """The ids and links of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = {""}
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.languages: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        for name in ("href", "src"):
            if name not in given:
                continue
            self.links.append(given[name])
            if (tag, name) in FETCHED and not NOT_FETCHED & set(given.get("rel", "").split()):
                self.fetched.append(given[name])
        if "languages__link" in given.get("class", ""):
            self.languages.append(given["href"])


def main(folder: Path) -> int:
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}
    faults = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        faults += [f"{name}: fetches {url}" for url in page.fetched if urlsplit(url).netloc]
        if path.name != "404.html":
            faults += [f"{name}: {fault}" for fault in broken(path, page, pages)]
            if not page.languages:
                faults.append(f"{name}: expected a link to the other language")
    for path in folder.rglob("*.css"):
        urls = re.findall(r"url\(['\"]?(https?:[^)]*)|@import", path.read_text("utf-8"))
        faults += [f"{path.relative_to(folder)}: fetches {url}" for url in urls]
    for fault in faults:
        print(fault, file=sys.stderr)
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages, {links} links, {len(faults)} broken")
    return 1 if faults else 0


def broken(path: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    faults = []
    for link in page.links:
        url = urlsplit(link)
        if url.scheme or url.netloc:
            continue
        target = (path.parent / unquote(url.path)).resolve() if url.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            faults.append(f"{link} leads nowhere")
        elif target in pages and unquote(url.fragment) not in pages[target].ids:
            faults.append(f"{link}: there is no such anchor")
    return faults


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
