"""What gapless.yaml says wrongly of a file is told at its line and column there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gapless import project as projects
from gapless.config.source import Loaded
from gapless.drivers.config_files.checking import template_problems
from gapless.errors import ConfigError

from .site import project

ENTRIES = """
      - template: good
        to: /etc/a
        mode: 0644
      - {to: /etc/b, template: nope}
      - {to: /etc/c, file: gone}"""


def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    monkeypatch.setenv("GAPLESS_STATE", str(folder / "state"))
    monkeypatch.setenv("WEB_DB", "s3cr3t")
    monkeypatch.setenv("OTHER", "other")
    (folder / "good").write_text("{{ secrets.db }}")
    return project(folder, ENTRIES)


def expected(loaded: Loaded) -> list[str]:
    """Each problem as it starts, at the place of the value that is wrong."""
    lines = loaded.path.read_text().splitlines()

    def at(text: str, key: str, value: str) -> str:
        (number,) = [n for n, line in enumerate(lines, 1) if f"{key}: {value}" in line]
        column = lines[number - 1].index(f"{key}: {value}") + len(f"{key}: ") + 1
        return f"{loaded.path}:{number}:{column}: {key}: {loaded.path.parent}/{text}"

    return [
        at("good: it has a secret in it, and mode 0644 lets everybody read it", "mode", "0644"),
        at("nope: No such file or directory", "template", "nope"),
        at("gone: No such file or directory", "file", "gone"),
    ]


def test_check_tells_the_line_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = site(tmp_path, monkeypatch)
    told = [str(problem) for problem in template_problems(loaded)]
    assert [one.partition(" (on ")[0] for one in told] == expected(loaded)
    assert told[0].endswith(" — mode: 0640, or less")


def test_a_plan_tells_the_line_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = site(tmp_path, monkeypatch)

    async def render() -> None:
        async with projects.assembled(projects.load(loaded.path)) as assembly:
            files = assembly.config_files("api")
            assert files is not None
            await files.render(["web1"], "r1")

    with pytest.raises(ConfigError) as caught:
        asyncio.run(render())
    told = caught.value.evidence.splitlines()
    assert [one.partition(" (on ")[0] for one in told] == expected(loaded)
    assert caught.value.where == str(loaded.path)
    assert "s3cr3t" not in caught.value.evidence
