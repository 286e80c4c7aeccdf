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
FLIP = ROOT / "docs" / "explanation" / "coverage-flip.md"
FLEET = ROOT / "docs" / "explanation" / "coverage-fleet.md"
GUARANTEES = ROOT / "docs" / "explanation" / "guarantees.md"


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


def _rows(text: str) -> list[list[str]]:
    """Cells of every table row but the headers."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    headers = {i - 1 for i, row in enumerate(cells) if set(row[0]) <= set("- ")}
    return [row for i, row in enumerate(cells) if i not in headers and set(row[0]) - set("- ")]


def test_every_guarantee_names_a_test() -> None:
    rows = _rows(GUARANTEES.read_text("utf-8"))
    assert len(rows) >= 10
    assert [row[0] for row in rows if not _NODE.search(row[-1])] == []


def test_every_requirement_names_a_test_or_is_a_wish() -> None:
    covered, wishes = COVERAGE.read_text("utf-8").split("## The wish list")
    assert len(_rows(covered)) >= 60
    assert [row[0] for row in _rows(covered) if not _NODE.search(row[-1])] == []
    assert all(len(row) == 3 and all(row) for row in _rows(wishes))


def test_every_requirement_of_the_flipper_names_a_test() -> None:
    rows = _rows(FLIP.read_text("utf-8"))
    assert len(rows) >= 30
    assert [row[0] for row in rows if not _NODE.search(row[-1])] == []


def test_every_requirement_of_a_fleet_names_a_test_or_says_why_not() -> None:
    covered, not_shown = FLEET.read_text("utf-8").split("## Not shown")
    assert len(_rows(covered)) >= 100
    assert [row[0] for row in _rows(covered) if not _NODE.search(row[-1])] == []
    assert all(len(row) == 3 and all(row) for row in _rows(not_shown))
