"""What only ``gapless check`` minds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gapless.config.checking import checked
from gapless.config.source import load_config
from gapless.errors import ConfigError
from tests.unit.config.shop import service, write

TEXT = service(systemd="{unit: api, file: api.service}", release="{directory: dist, to: /srv/api}")


def told(file: Path, environment: str | None = None) -> list[str]:
    try:
        checked(file, environment)
    except ConfigError as error:
        return [str(problem).removeprefix(f"{file}:") for problem in error.problems]
    return []


def test_a_release_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    file = write(tmp_path, TEXT)
    assert told(file) == [
        f"7:32: file: '{tmp_path}/api.service' is not a file on this machine",
        f"8:26: directory: '{tmp_path}/dist' does not exist — build it first?",
    ]
    load_config(file)  # status and restart can do without
    (tmp_path / "api.service").touch()
    (tmp_path / "dist").touch()
    assert told(file) == [
        f"8:26: directory: '{tmp_path}/dist' is not a directory — build it first?"
    ]
    (tmp_path / "dist").unlink()
    (tmp_path / "dist").mkdir()
    assert told(file) == []


@pytest.mark.parametrize(("environment", "count"), [(None, 2), ("one", 1), ("two", 1)])
def test_every_environment_or_the_one_named(
    tmp_path: Path, environment: str | None, count: int
) -> None:
    extra = "".join(
        f"  {name}: {{services: {{api: {{release: {{directory: {name}, to: /a}}}}}}}}\n"
        for name in ("one", "two")
    )
    file = write(tmp_path, service() + "environments:\n" + extra)
    assert len(told(file, environment)) == count


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path, service().replace("{groups: [web]}", "{groups: [web], key: /no/key}"))
    assert told(file) == ["3:34: key: '/no/key' is not a file on this machine"]


def test_the_home_of_nobody_is_not_there(tmp_path: Path) -> None:
    keys = "{groups: [web], key: ~no-such-user/key}"
    release = "{directory: ~no-such-user/dist, to: /srv/api}"
    text = service(systemd="{unit: api, file: ~no-such-user/a.service}", release=release)
    file = write(tmp_path, text.replace("{groups: [web]}", keys))
    assert told(file) == [
        "3:34: key: '~no-such-user/key' is not a file on this machine",
        f"7:32: file: '{tmp_path}/~no-such-user/a.service' is not a file on this machine",
        f"8:26: directory: '{tmp_path}/~no-such-user/dist' does not exist — build it first?",
    ]


def test_what_nobody_may_look_into_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    keys = "{groups: [web], key: /root/key}"
    file = write(tmp_path, TEXT.replace("{groups: [web]}", keys))
    load_config(file)
    for name in ("is_file", "is_dir", "exists"):  # root may look anywhere
        monkeypatch.setattr(Path, name, refused)
    monkeypatch.setattr(os, "stat", refused)
    assert len(told(file)) == 3


@pytest.mark.parametrize("key", ["[a.lock, '*.sum']", "'*.sum'"])
def test_lock_files_that_are_not_in_the_release_are_told_with_their_place(
    tmp_path: Path, key: str
) -> None:
    build = f"build: {{run: make, keep: out, key: {key}}}"
    file = write(tmp_path, service(release=f"{{directory: dist, to: /srv/api, {build}}}"))
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "a.lock").touch()
    (problem,) = told(file)
    line, at, rest = problem.split(":", 2)
    text = file.read_text().splitlines()[int(line) - 1]
    assert text[int(at) - 1 :].startswith("'*.sum'")
    assert rest.startswith(f" key: nothing in '{tmp_path}/dist' matches *.sum")
    (tmp_path / "dist" / "b.sum").touch()
    assert told(file) == []
