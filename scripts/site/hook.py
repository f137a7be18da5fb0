"""What MkDocs needs to be told about this repository's documentation.

The pages stay where people read them in the repository, with links that work
there. Here the links that leave a language's folder are led to where the site
has their targets, pages from elsewhere are taken in, and each page learns its
twin in the other language.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FROM_THE_ROOT = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"\[((?:[^\[\]]|\n(?!\n))*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```[^\S\n]*$)", re.MULTILINE | re.DOTALL)
# Pages of one wide table, which needs the room of the table of contents.
WIDE = ("settings.md",)
OTHER_HOME = {"en": "Français", "fr": "English"}


def on_config(config):
    """`errors/*` in the navigation is every page of that folder."""
    config.nav = [expanded(entry) for entry in config.nav]
    return config


def expanded(entry):
    if isinstance(entry, dict):
        return {title: expanded(below) for title, below in entry.items()}
    if not isinstance(entry, list):
        return entry
    pages = []
    for item in entry:
        if isinstance(item, str) and item.endswith("/*"):
            folder = item.removesuffix("*")
            pages += [named(folder, page) for page in sorted((DOCS / folder).glob("*.md"))]
        else:
            pages.append(expanded(item))
    return pages


def named(folder, page):
    path = folder + page.name
    return {page.stem: path} if folder == "errors/" else path


def on_files(files, config):
    """Pages that lie outside the language's folder."""
    if config.theme["language"] == "en":
        for name in FROM_THE_ROOT:
            files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    else:
        for page in sorted((DOCS / "errors").glob("*.md")):
            name = f"errors/{page.name}"
            files.append(File.generated(config, name, abs_src_path=str(page)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links that work in the repository work on the site."""
    lang = config.theme["language"]
    source = Path(page.file.abs_src_path).resolve()
    if source.parent == DOCS / "errors":
        markdown = half(markdown, lang)
    page.meta["twins"] = twins(page, lang)
    if page.file.src_uri in WIDE:
        page.meta["hide"] = ["toc"]

    def led(match):
        text, target = match.groups()
        if re.match(r"[a-z]+:|#|/", target):
            return match.group(0)
        path, _, anchor = target.partition("#")
        anchor = anchor and "#" + anchor
        found = (source.parent / path).resolve()
        if found in (DOCS / "errors", DOCS / "fr" / "errors"):
            found = (DOCS if lang == "en" else DOCS / "fr") / "errors.md"
        if found == DOCS / "decisions":
            found = sorted(found.glob("*.md"))[0]
        if not found.exists():
            return match.group(0)  # MkDocs reports it
        url = site_url(found, lang)
        if url is None:
            return text  # a source file, which the site does not have
        here = posixpath.dirname(site_url(source, lang))
        return f'<a href="{posixpath.relpath(url, here or ".")}{anchor}">{text}</a>'

    def shown(part):
        if part.startswith("```"):
            return part
        part = LINK.sub(led, part)
        return part if lang == "en" else unbroken(part)

    return "".join(map(shown, FENCE.split(markdown)))


def unbroken(text):
    """French signs that stand apart from their word stay on its line."""
    prose = re.split(r"(`[^`\n]*`|<[^>]*>)", text)
    return "".join(
        part if part.startswith(("`", "<")) else re.sub(r"(?<=\S) (?=[?!;:»](?:\s|$))", "\u202f", part)
        for part in prose
    )


def on_page_context(context, page, config, nav):
    """Names in wide tables may break after `_`; the search has read them whole."""
    if page.file.src_uri in WIDE:
        page.content = re.sub(
            r"<td><code>([\w.]+)</code></td>",
            lambda match: "<td><code>" + re.sub("([_.])", r"\1<wbr>", match[1]) + "</code></td>",
            page.content,
        )
    return context


def half(markdown, lang):
    """The half of an error's page that is in this language."""
    english, french = re.split(r"^(?=# )", markdown, flags=re.MULTILINE)[1:]
    if lang == "en":
        return english
    # What the API answers is the same; the example stands in the first half.
    example = FENCE.search(english)
    shown = f"## Exemple\n\n{example[0]}\n\n" if example else ""
    return french.replace("## Que faire", shown + "## Que faire", 1)


def site_url(path, lang):
    """Where the site has this file, seen from a page in `lang`; None if nowhere."""
    if path.name in FROM_THE_ROOT and path.parent == ROOT:
        return path.stem + ".html"
    if path == ROOT / "README.md":
        return "index.html" if lang == "en" else "fr/index.html"
    if not path.is_relative_to(DOCS):
        return None
    name = path.relative_to(DOCS).as_posix()
    if lang == "fr" and name.startswith("errors/"):
        name = "fr/" + name
    return name.removesuffix(".md") + ".html" if name.endswith(".md") else name


def twins(page, lang):
    """This page in both languages; the other one's home where it has no twin."""
    name = page.file.src_uri
    other = "fr" if lang == "en" else "en"
    own = site_name(name, lang)
    there = name if has(name, other) else "index.md"
    link = posixpath.relpath(site_name(there, other), posixpath.dirname(own) or ".")
    both = [
        {"lang": lang, "here": True},
        {"lang": other, "here": False, "link": link, "title": OTHER_HOME[lang]},
    ]
    return sorted(both, key=lambda twin: twin["lang"])


def site_name(name, lang):
    return ("fr/" if lang == "fr" else "") + name.removesuffix(".md") + ".html"


def has(name, lang):
    if name.startswith("errors/"):
        return True
    return ((DOCS / "fr" if lang == "fr" else DOCS) / name).exists()
