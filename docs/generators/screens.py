"""Screens in the documentation are real output: the golden files of the renderers' tests."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "unit" / "render" / "golden"

_BLOCK = re.compile(r"<!-- golden: (\S+) -->\n```text\n.*?^```$", re.MULTILINE | re.DOTALL)


def pages_with_screens() -> list[Path]:
    """Hand-written pages that show a screen."""
    written = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in written if _BLOCK.search(page.read_text("utf-8"))]


def embed(text: str) -> str:
    """The page with each screen as the golden file has it now."""
    return _BLOCK.sub(lambda match: _block(match[1]), text)


def _block(name: str) -> str:
    lines = (GOLDEN / name).read_text("utf-8").rstrip("\n").splitlines()
    shown = [line.rstrip() for line in lines]
    while "" in shown and _is_padding(shown):
        del shown[shown.index("")]
    return f"<!-- golden: {name} -->\n```text\n" + "\n".join(shown) + "\n```"


def _is_padding(lines: list[str]) -> bool:
    """Whether two empty rows follow each other: the live view keeps its height with them."""
    return any(not first and not second for first, second in pairwise(lines))
