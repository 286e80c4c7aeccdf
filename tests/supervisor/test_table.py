"""The tables of README.md name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMED = re.findall(r"`(test_\w+\.py)::(\w+)`", (HERE / "README.md").read_text())


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED)))
def test_a_named_test_is_there(file: str, test: str) -> None:
    assert f"def {test}(" in (HERE / file).read_text()
