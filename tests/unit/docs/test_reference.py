"""The generated reference is complete and fresh."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from docs import generate
from docs.generators import cli, config, errors, exit_codes, screens
from docs.generators.markdown import code
from gapless.cli.exit_codes import ExitCode
from gapless.cli.group import cli as root
from gapless.config.base import Section
from gapless.config.descriptions import descriptions
from gapless.config.process import ProcessConfig
from gapless.config.project import ProjectConfig
from gapless.events.event import TYPES
from gapless.render.codes import ADVICE
from gapless.report.outcome import EXIT_CODES

from .pages import ROOT

REFERENCE = ROOT / "docs" / "reference"


def test_generated_text_is_up_to_date() -> None:
    stale = [path for path, text in generate.wanted().items() if path.read_text("utf-8") != text]
    assert stale == [], "run: python -m docs.generate"


def test_screens_are_the_golden_ones() -> None:
    assert ROOT / "README.md" in screens.pages_with_screens()
    golden = (screens.GOLDEN / "not_ready.txt").read_text("utf-8")
    assert golden.strip() in (ROOT / "README.md").read_text("utf-8")


def test_check_tells_what_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "REFERENCE", tmp_path)
    monkeypatch.setattr(generate, "pages_with_screens", list)
    assert generate.main(["--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "events.md").write_text("old")
    assert generate.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("page", "root"), [("config.md", ProjectConfig), ("run.md", ProcessConfig)]
)
def test_every_config_key_is_documented(page: str, root: type[Section]) -> None:
    text = (REFERENCE / page).read_text("utf-8")
    for model in config.sections(root):
        section = text.split(f"\n## {config.title(model)}\n")[1].split("\n## ")[0]
        for (key, *_), said in zip(config.keys(model), descriptions(model).values(), strict=True):
            if key == "environment":
                continue
            assert f"| {code(key)} |" in section, f"{model.__name__}.{key}"
            assert said, f"{model.__name__}.{key} has no description"


def test_every_verb_and_option_is_documented() -> None:
    text = (REFERENCE / "cli.md").read_text("utf-8")
    verbs = [verb for verb, _ in _commands()]
    assert "gapless restart" in verbs
    for verb, command in _commands():
        section = text.split(f"\n## {verb}\n")[1].split("\n## ")[0]
        assert command.help, f"{verb} has no help"
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[-1] in section, f"{verb} {option.opts}"


def _commands() -> list[tuple[str, click.Command]]:
    with click.Context(root, info_name="gapless", **root.context_settings) as context:
        return [(verb.command_path, verb.command) for verb in cli.walk(context)]


def test_every_event_type_is_documented() -> None:
    text = (REFERENCE / "events.md").read_text("utf-8")
    assert [name for name in TYPES if f"| {code(name)} |" not in text] == []


def test_every_emitted_event_type_is_known() -> None:
    """What the code emits is in TYPES, and so in the reference."""
    emitted = set()
    for file in (ROOT / "src" / "gapless").rglob("*.py"):
        emitted |= set(
            re.findall(r"(?:emit|event|Event)\(\s*\"([a-z_]+\.[a-z_]+)\"", file.read_text())
        )
    assert emitted
    assert emitted - set(TYPES) == set()


def test_every_error_code_is_documented_with_what_to_do() -> None:
    text = (REFERENCE / "errors.md").read_text("utf-8")
    codes = set()
    for file in (ROOT / "src" / "gapless").rglob("*.py"):
        codes |= set(re.findall(r'^    code = "(GL-\d+)"', file.read_text(), re.MULTILINE))
    assert {error.code for error in errors.errors()} >= codes
    for error in errors.errors():
        assert f"| {code(error.code)} | {code(error.__name__)} |" in text
        assert ADVICE[error.code]


def test_error_codes_are_not_given_twice() -> None:
    codes = [error.code for error in errors.errors()]
    assert sorted(set(codes)) == sorted(codes)
    assert set(errors.GUIDES) <= set(codes)
    assert set(ADVICE) == set(codes)


def test_every_exit_code_is_documented() -> None:
    text = exit_codes.generate()
    raised = {error.exit_code for error in errors.errors()}
    assert {*EXIT_CODES.values(), *raised} <= set(ExitCode)
    for number in map(int, ExitCode):
        assert f"| {code(str(number))} |" in text
