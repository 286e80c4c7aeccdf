"""A supervisor for each case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supervisor.rig import Rig, rigged


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    """Makes a supervised web server: flags of it, and keys of its Spec."""
    with rigged(tmp_path, monkeypatch) as made:
        yield made
