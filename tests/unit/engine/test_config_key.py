"""The key of this controller: made once, for nobody else to read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gapless.engine.config_key import config_marks
from gapless.errors import JournalError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAPLESS_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_it_is_made_once_and_is_private(state: Path) -> None:
    first = config_marks()
    assert config_marks() == first
    assert (state / "config.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.iterdir()] == ["config.key"]


def test_of_two_that_make_it_at_once_one_wins(state: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: config_marks(), range(16)))
    assert set(made) == {made[0]}


def test_a_damaged_key_is_an_error(state: Path) -> None:
    state.mkdir()
    (state / "config.key").write_bytes(b"short")
    with pytest.raises(JournalError, match="damaged"):
        config_marks()
