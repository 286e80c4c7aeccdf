"""``cli.md``: every verb and option, from the click tree."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from docs.generators.markdown import anchor, code, page, prose, table
from gapless.cli.group import cli as root

_INTRO = """
Verbs and options of `gapless`. `gapless VERB --help` says the same in the terminal. What a command
ends with is in [exit codes](exit-codes.md).
"""


def generate() -> str:
    """The whole page."""
    with click.Context(root, info_name="gapless", **root.context_settings) as context:
        verbs = list(walk(context))
        return page(
            "Command line",
            _INTRO,
            table(("verb", "does"), [_line(verb) for verb in verbs]),
            "## gapless\n\nOptions that stand before the verb.\n\n" + _options(context),
            *(_verb(verb) for verb in verbs),
        )


def walk(context: click.Context) -> Iterator[click.Context]:
    """A context for each verb and for each verb below it, hidden ones left out."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        settings = command.context_settings
        inner = click.Context(command, info_name=name, parent=context, **settings)
        yield inner
        if isinstance(command, click.Group):
            yield from walk(inner)


def _line(verb: click.Context) -> tuple[str, str]:
    path = verb.command_path
    return f"[{path}](#{anchor(path)})", verb.command.get_short_help_str(limit=200)


def _verb(verb: click.Context) -> str:
    usage = " ".join((verb.command_path, *verb.command.collect_usage_pieces(verb)))
    help_text = inspect.cleandoc(verb.command.help or "")
    parts = [f"## {verb.command_path}", f"```text\n{usage}\n```", _text(help_text)]
    options = _options(verb)
    if options:
        parts.append(options)
    return "\n\n".join(part for part in parts if part)


def _text(help_text: str) -> str:
    """Help as paragraphs; what click is told not to wrap stays as it stands."""
    parts = []
    for paragraph in help_text.split("\f")[0].split("\n\n"):
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            parts.append("```text\n" + inspect.cleandoc("\n".join(lines[1:])) + "\n```")
        elif lines:
            parts.append(prose(" ".join(lines)))
    return "\n\n".join(parts)


def _options(context: click.Context) -> str:
    rows = []
    for option in context.command.get_params(context):
        if isinstance(option, click.Option) and not option.hidden:
            record = option.get_help_record(context)
            if record is not None:
                rows.append((code(record[0]), record[1]))
    return table(("option", "meaning"), rows) if rows else ""
