"""``init`` never replaces what is right by what is wrong, and guesses nothing that is not said."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.config.source import load_config
from tests.unit.cli.conftest import Ended

Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_wrong_answer_leaves_the_old_file(gl: Run, here: Path) -> None:
    assert gl("init", "--yes", "--unit", "a.service").code == 0
    before = (here / "gapless.yaml").read_text()
    ended = gl("init", "--yes", "--overwrite", "--host", "a b", "--unit", "x y")
    assert ended.code == 2
    assert "gapless init with other answers" in ended.err
    assert "'a b' cannot be the name of a host" in ended.err
    assert (here / "gapless.yaml").read_text() == before
    assert [path.name for path in here.iterdir()] == ["gapless.yaml"]


def test_answers_in_a_pipe_are_not_ignored(gl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\n"))
    ended = gl("init", "--project", "shop")
    assert (ended.code, "gapless init --project shop --yes" in ended.err) == (2, True)


def test_each_unit_has_its_own_address(gl: Run) -> None:
    two = ("--unit", "a.service", "--unit", "b.service")
    ended = gl("init", "--yes", *two, "--health", "http://localhost:1/")
    assert (ended.code, "which of 2 units" in ended.err) == (2, True)
    ended = gl("init", "--yes", *two, "--health", "a=http://localhost:1/", "--health", "b=b:2")
    assert ended.code == 0
    services = load_config("gapless.yaml").project.services
    assert [s.health[0].questions for s in services.values()] == [("http",), ("tcp",)]


def test_a_folder_that_is_not_there(gl: Run) -> None:
    ended = gl("init", "--yes", "-c", "sub/dir/g.yaml")
    assert (ended.code, "ls -ld" in ended.err) == (2, True)


def test_the_next_command_names_the_file(gl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gapless.cli.asking.units_here", lambda: ())
    ended = gl("init", "--yes", "-c", "other.yaml")
    assert "gapless check -c other.yaml, then gapless doctor -c other.yaml" in ended.err
    assert "in place of example;" in ended.err
