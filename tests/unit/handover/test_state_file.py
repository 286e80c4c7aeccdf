from __future__ import annotations

from pathlib import Path

import pytest

from gapless.handover.state_file import Place, read
from tests.unit.handover.site import state


def test_what_the_orchestrator_wrote(tmp_path: Path) -> None:
    state(tmp_path, "joint", active=6, next=7, unknown="ignored")
    found = read(tmp_path).state
    assert found is not None
    assert (found.phase, found.latest, found.lock) == ("joint", 7, True)
    assert found.active == Place("bot-6", 6)
    assert found.next == Place("bot-7", 7)


def test_missing_is_no_problem(tmp_path: Path) -> None:
    assert read(tmp_path).state is None
    assert read(tmp_path).problem == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        "null",
        '{"protocol": "handover/2", "phase": "done"}',
        '{"protocol": "handover/1", "phase": "over"}',
        '{"protocol": "handover/1", "phase": "done", "active": "bot-6"}',
        '{"protocol": "handover/1", "phase": "done", "active": {"id": "bot", "epoch": "6"}}',
        '{"protocol": "handover/1", "phase": "done", "latest": true}',
        '{"protocol": "handover/1", "phase": "done", "latest": -1}',
        '{"protocol": "handover/1", "phase": "done", "lock": "yes"}',
    ],
)
def test_what_cannot_be_used_is_missing_and_a_problem(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    found = read(tmp_path)
    assert found.state is None
    assert found.problem.startswith("state.json")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b"\xff\xfe\x00")
    assert read(tmp_path).problem


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    assert "cannot be read" in read(tmp_path).problem
