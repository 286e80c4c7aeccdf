"""Commands that are told to a person, with the -c and -e that the person gave."""

from __future__ import annotations

import re
import shlex
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING

from gapless.errors import GaplessError

if TYPE_CHECKING:
    from gapless.report.report import Report

_given: ContextVar[str] = ContextVar("_given", default="")
_COMMAND = re.compile(
    r"\bgapless (check|doctor|plan|restart|deploy|catch-up|rollback|status|watch|history|events"
    r"|pause|resume|promote|abort|lock|prove)\b(?!\.| -[ce]\b)"
)


def remember(config: str, environment: str | None, default: str) -> None:
    """What this command was given; commands told from now on repeat it."""
    words = ["-c", config] if config != default else []
    words += ["-e", environment] if environment else []
    _given.set(shlex.join(words))


def spelled(text: str) -> str:
    """The text with the options behind every verb that takes them."""
    given = _given.get()
    return _COMMAND.sub(lambda match: f"{match[0]} {given}", text) if given else text


def spelled_error(error: GaplessError) -> GaplessError:
    """The error with its next command spelled out."""
    error.next = spelled(error.next)
    return error


def spelled_report(report: Report) -> Report:
    """The report with every next command spelled out."""
    return replace(
        report,
        next=spelled(report.next),
        failures=tuple(replace(item, next=spelled(item.next)) for item in report.failures),
        left_out=tuple(replace(item, next=spelled(item.next)) for item in report.left_out),
    )
