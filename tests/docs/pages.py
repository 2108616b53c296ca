"""The Markdown pages of the repository: their code blocks, links and headings."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.repo.tree import ROOT, files


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: the page it is on, the line of its first line of code (from 1), language and code."""

    page: Path
    line: int
    language: str
    code: str

    @property
    def where(self) -> str:
        """The place as `page:line`, for a message."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every Markdown file of the repository, relative to its root."""
    return [path for path in files() if path.suffix == ".md"]


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """The parsed page."""
    return tuple(MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text()))


def blocks(*languages: str) -> list[Block]:
    """The code blocks of all pages in the given languages, of every language if none is given."""
    return [
        Block(page, (token.map or [0])[0] + 2, language, token.content)
        for page in pages()
        for token in tokens(page)
        if token.type == "fence"
        for language in [(token.info.split() or [""])[0]]
        if not languages or language in languages
    ]


def links(page: Path) -> Iterator[tuple[int, str]]:
    """The targets of all links and images of a page, with the line of their paragraph (from 1)."""
    for token in tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") if child.type == "link_open" else child.attrGet("src")
            if child.type in {"link_open", "image"} and isinstance(target, str):
                yield (token.map or [0])[0] + 1, target


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page can be linked to, made as GitHub makes them."""
    found: set[str] = set()
    parsed = tokens(page)
    for opening, inline in itertools.pairwise(parsed):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            count = 1
            unique = slug
            while unique in found:
                unique, count = f"{slug}-{count}", count + 1
            found.add(unique)
    return found
