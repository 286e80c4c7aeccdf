"""How long a person waits for the outcome of a flip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
DAY = 86400.0
"""As long as one may wait, in seconds."""


def timeout_option(function: F) -> F:
    """``--timeout``: of the waiting alone."""
    return click.option(
        "--timeout",
        metavar="TIME",
        callback=_seconds,
        help="Wait no longer than 30, 30s, 5m; it goes on all the same.",
    )(function)


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """A number of seconds, or a number with its unit. What reads units is imported only here:
    help has to be quick."""
    if value is None:
        return None
    try:
        number = float(value) if value.replace(".", "", 1).isdecimal() else _with_unit(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    if not 0 < number <= DAY:
        raise click.BadParameter(f"'{value}' is not more than 0 and at most a day", ctx, param)
    return number


def _with_unit(value: str) -> float:
    from gapless.config.quantities import parse_duration

    return parse_duration(value)


def waiting_options(function: F) -> F:
    """``--timeout`` and ``--no-wait``."""
    return click.option("--no-wait", is_flag=True, help="Ask for it and do not wait.")(
        timeout_option(function)
    )
