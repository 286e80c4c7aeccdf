"""A fresh shop for each case."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from .fleet import make_fleet
from .local import Local
from .shop import Shop


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shop:
    """Three instances of release "1" behind a balancer."""
    return Shop(tmp_path, monkeypatch, capsys)


@pytest.fixture
def fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Shop]:
    """Makes twenty instances of release "1" behind a balancer; see ``make_fleet``."""
    return partial(make_fleet, tmp_path, monkeypatch, capsys)


@pytest.fixture
def local(tmp_path: Path) -> Local:
    """A service on this machine, with real processes."""
    return Local(tmp_path)
