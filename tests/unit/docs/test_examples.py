"""Examples in the documentation work: configurations, command lines, programs, links."""

from __future__ import annotations

import ast
import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from jsonschema import Draft202012Validator

from gapless.cli.group import cli as root
from gapless.config.compiling import compile_file
from gapless.config.json_schema import Schema, json_schema
from gapless.config.problems import Findings
from gapless.config.run_schema import run_schema
from gapless.config.source import check_config, load_config
from gapless.config.tree import parse, to_data
from gapless.drivers.sinks.webhook import signature

from .pages import PAGES, ROOT, Block, anchors, blocks, inline_code, links

CONFIGS = [block for block in blocks("yaml") if "project:" in block.text]
RUN_FILES = [b for b in blocks("yaml") if re.search("^command:", b.text, re.MULTILINE)]
SHELL = blocks("sh", "console")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]+|…|\.\.\.")


def test_there_are_examples() -> None:
    assert len(CONFIGS) > 20
    assert len(RUN_FILES) > 2
    assert len(SHELL) > 20


@pytest.mark.parametrize("block", CONFIGS, ids=str)
def test_example_configuration_passes_the_loader(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "gapless.yaml"
    file.write_text(block.text, "utf-8")
    assert [str(problem) for problem in check_config(file)] == []
    if "environments:" not in block.text:
        assert load_config(file).project.services


@pytest.mark.parametrize("block", CONFIGS, ids=str)
def test_example_configuration_fits_the_schema(block: Block) -> None:
    assert _misfits(json_schema(), block) == []


@pytest.mark.parametrize("block", RUN_FILES, ids=str)
def test_example_run_file_fits_the_schema(block: Block) -> None:
    assert _misfits(run_schema(), block) == []


def _misfits(schema: Schema, block: Block) -> list[str]:
    """What an editor would underline."""
    data = to_data(parse(block.text, Findings(str(block))))
    return [error.message for error in Draft202012Validator(schema).iter_errors(data)]


@pytest.mark.parametrize("block", RUN_FILES, ids=str)
def test_example_run_file_can_be_compiled(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(block.text, "utf-8")
    assert compile_file(file).command


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_block_is_a_whole_example_or_at_least_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text) is not None


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_example_can_be_read(block: Block) -> None:
    if block.text.startswith("{\n"):
        json.loads(block.text)
    else:
        for line in block.text.splitlines():
            json.loads(line)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_example_compiles(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    broken = [link for link in links(page) if not _resolves(page, link)]
    assert broken == []


def _resolves(page: Path, link: str) -> bool:
    if link.startswith(("https://", "http://", "mailto:")):
        return True
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not fragment or fragment in anchors(target)


def _command_lines() -> list[tuple[str, str]]:
    """Every ``gapless …`` line of the documentation, with its place."""
    found = []
    for block in SHELL:
        text = block.text.replace("\\\n", " ")
        for line in text.splitlines():
            found += [(str(block), words) for words in _calls(line)]
    for page in PAGES:
        if page.parent.name == "reference":
            continue  # generated from what is asked here
        for word in inline_code(page):
            if word.startswith("gapless "):
                found.append((str(page.relative_to(ROOT)), word))
    return found


def _calls(line: str) -> list[str]:
    """The gapless commands of a shell line, without pipes, redirections and comments."""
    line = re.sub(r"(^|\s)#.*", "", line.strip().removeprefix("$ "))
    parts = re.split(r"\|\||&&|[|;<]|\d?>+|\bthen\b", line)
    return [match[0].strip() for part in parts if (match := re.search(r"\bgapless [^)]*", part))]


@pytest.mark.parametrize(("place", "line"), _command_lines(), ids=lambda value: str(value))
def test_command_line_parses(place: str, line: str) -> None:
    _parse(root, shlex.split(line)[1:], None)


def _parse(command: click.Command, words: list[str], parent: click.Context | None) -> None:
    settings = command.context_settings
    context = click.Context(command, parent=parent, info_name=command.name, **settings)
    options, rest, _ = command.make_parser(context).parse_args(args=list(words))
    _check_choices(command, options, context)
    if isinstance(command, click.Group) and rest:
        if rest == ["VERB"]:
            return
        inner = command.get_command(context, rest[0])
        if inner is not None:
            _parse(inner, rest[1:], context)
            return
        assert not command.no_args_is_help and not _is_root(command), f"no verb {rest[0]}"
    elif not isinstance(command, click.Group):
        assert not rest, f"too many arguments: {rest}"


def _is_root(command: click.Command) -> bool:
    return command is root


def _check_choices(
    command: click.Command, options: dict[str, object], context: click.Context
) -> None:
    for param in command.params:
        value = options.get(param.name or "")
        said = isinstance(value, str) and not _PLACEHOLDER.fullmatch(value)
        if isinstance(param.type, click.Choice) and said:
            param.type.convert(value, param, context)


def test_a_wrong_command_line_is_found() -> None:
    with pytest.raises(click.UsageError):
        _parse(root, ["restart", "--no-such-option"], None)
    with pytest.raises(AssertionError):
        _parse(root, ["no-such-verb"], None)


def test_the_webhook_example_accepts_our_signature_and_no_other() -> None:
    page = ROOT / "docs" / "how-to" / "events-and-sinks.md"
    source = next(b.text for b in blocks("python") if b.page == page and "is_genuine" in b.text)
    scope: dict[str, Any] = {}
    exec(compile(source, str(page), "exec"), scope)
    now, body = int(time.time()), b'{"type":"rollout.failed"}'
    assert scope["is_genuine"]("key", signature("key", now, body), body)
    assert not scope["is_genuine"]("other", signature("key", now, body), body)
    assert not scope["is_genuine"]("key", signature("key", now, body), body + b" ")
    assert not scope["is_genuine"]("key", signature("key", now - 3600, body), body)
