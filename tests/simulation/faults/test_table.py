"""The table of cases names every test of this folder, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TABLE = HERE.parent / "README.md"


def test_the_table_is_complete() -> None:
    named = set(re.findall(r"`([\w/]+\.py::\w+)`", TABLE.read_text("utf-8")))
    for node in named:
        file, _, name = node.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), node
    here = {
        f"{file.relative_to(ROOT)}::{name}"
        for file in HERE.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    }
    assert here - named == {"tests/simulation/faults/test_table.py::test_the_table_is_complete"}
