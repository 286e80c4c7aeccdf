"""The pages of the documentation, and what is inside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.generators.markdown import anchor

ROOT = Path(__file__).parents[3]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])

_FENCE = re.compile(r"^(\s*)```(\w*)[^\n]*\n(.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """Every block in one of the languages."""
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[2], match[3])
        for page in PAGES
        for text in (page.read_text("utf-8"),)
        for match in _FENCE.finditer(text)
        if match[2] in languages
    ]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> Iterator[str]:
    """Targets of links, as written."""
    without_code = _INLINE.sub("", prose(page))
    yield from _LINK.findall(without_code) or ()


def inline_code(page: Path) -> list[str]:
    """Words in backticks outside of blocks."""
    return _INLINE.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Fragments the page can be linked to by."""
    return {anchor(re.sub(r"[`*]", "", line)) for line in _headings(page)}


def _headings(page: Path) -> list[str]:
    return re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE)
