"""A private engine for the tests of containers in each worker, a fresh project for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .engine import Engine, missing
from .plain import Plain
from .shop import Shop


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Skips with the reason where there can be none, unless everything has to run."""
    reason = missing()
    if reason and os.environ.get("GAPLESS_LAB") == "required":
        pytest.fail(f"GAPLESS_LAB=required, but {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)
    made = Engine()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def shop(engine: Engine, tmp_path: Path) -> Iterator[Shop]:
    """A project on disk; nothing runs yet."""
    made = Shop(engine, tmp_path / "shop")
    yield made
    made.close()


@pytest.fixture
def plain(engine: Engine, tmp_path: Path) -> Iterator[Plain]:
    """A program without compose, of which nothing runs yet."""
    made = Plain(engine, tmp_path / "plain")
    yield made
    made.close()
