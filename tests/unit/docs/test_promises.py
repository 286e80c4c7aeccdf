"""What the documentation claims has a test of that name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from .pages import PAGES, ROOT

_NODE = re.compile(r"`((?:tests|src|bench)/[\w/.-]+\.py)(?:::([\w:]+))?`")
CLAIMS = sorted(
    {
        (page.relative_to(ROOT).as_posix(), file, name)
        for page in PAGES
        for file, name in _NODE.findall(page.read_text("utf-8"))
    }
)
COVERAGE = ROOT / "docs" / "explanation" / "coverage.md"
GUARANTEES = ROOT / "docs" / "explanation" / "guarantees.md"

_ALLOWED_HEADERS = ("wish", "not of behaviour")


@cache
def _functions(file: str) -> frozenset[str]:
    """``name`` and ``Class::name`` of every function in a file."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    found |= {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
    for outer in tree.body:
        if isinstance(outer, ast.ClassDef):
            found.add(outer.name)
            found |= {
                f"{outer.name}::{node.name}"
                for node in outer.body
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            }
    return frozenset(found)


@pytest.mark.parametrize(("page", "file", "name"), CLAIMS)
def test_named_test_exists(page: str, file: str, name: str) -> None:
    assert Path(ROOT / file).is_file()
    if name:
        assert name in _functions(file), f"{page} names {file}::{name}"


def _rows(page: Path) -> list[list[str]]:
    """Cells of every table row but the headers."""
    text = page.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    headers = {i - 1 for i, row in enumerate(cells) if set(row[0]) <= set("- ")}
    return [row for i, row in enumerate(cells) if i not in headers and set(row[0]) - set("- ")]


def test_every_guarantee_names_a_test() -> None:
    rows = _rows(GUARANTEES)
    assert len(rows) >= 10
    assert [row[0] for row in rows if not _NODE.search(row[-1])] == []


def test_every_covered_requirement_names_a_test_or_says_why_not() -> None:
    rows = _rows(COVERAGE)
    assert len(rows) >= 60
    unnamed = [row[0] for row in rows if not _NODE.search(row[-1]) and len(row[-1]) < 8]
    assert unnamed == []
