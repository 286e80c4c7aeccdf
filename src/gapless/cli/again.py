"""The command that was typed, to be told again with something added.

A command that is printed is typed as it stands: it must not do more than what was asked for. So
every argument and option is in it, quoted for a shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
from click.core import ParameterSource

_FIRST = ("config", "environment")
"""Behind the verb, where :mod:`gapless.cli.spelling` puts them."""


def again(*more: str) -> str:
    """The command under way with ``more`` options."""
    ctx = click.get_current_context()
    said = [parameter for parameter in ctx.command.params if _said(ctx, parameter)]
    first = [word for p in said if p.name in _FIRST for word in _option(ctx, p)]
    options = [p for p in said if isinstance(p, click.Option) and p.name not in _FIRST]
    rest = [*(word for p in options for word in _option(ctx, p)), *more]
    words = [word for p in said if isinstance(p, click.Argument) for word in _values(ctx, p)]
    odd = any(word.startswith("-") for word in words)
    told = [*first, *rest, "--", *words] if odd else [*first, *words, *rest]
    return f"{ctx.command_path} {shlex.join(told)}".rstrip()


def _said(ctx: click.Context, parameter: click.Parameter) -> bool:
    return ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE


def _option(ctx: click.Context, option: click.Parameter) -> Iterator[str]:
    name = min(option.opts, key=len)
    if isinstance(option, click.Option) and option.is_flag:
        yield name
        return
    for value in _values(ctx, option):
        yield from (name, value)


def _values(ctx: click.Context, parameter: click.Parameter) -> list[str]:
    value = ctx.params[parameter.name or ""]
    return [str(item) for item in value] if isinstance(value, tuple) else [str(value)]
