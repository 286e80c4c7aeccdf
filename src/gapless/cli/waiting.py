"""How long a person waits for the outcome of a flip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gapless.cli.durations import DAY, DurationType

F = TypeVar("F", bound=Callable[..., Any])


def timeout_option(function: F) -> F:
    """``--timeout``: of the waiting alone."""
    return click.option(
        "--timeout",
        metavar="TIME",
        type=DurationType(most=DAY),
        help="Wait no longer than 30, 30s, 5m; it goes on all the same.",
    )(function)


def waiting_options(function: F) -> F:
    """``--timeout`` and ``--no-wait``."""
    return click.option("--no-wait", is_flag=True, help="Ask for it and do not wait.")(
        timeout_option(function)
    )
