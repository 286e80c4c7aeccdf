"""Fixtures every test may use."""

import pytest

from gapless.render import spelling

pytest_plugins = ["tests.lab.fixtures"]


@pytest.fixture(autouse=True)
def _nothing_was_given() -> None:
    """What an earlier test gave a command in this process is not repeated in what is told now."""
    spelling.remember("", None, "")
