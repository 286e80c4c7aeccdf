"""Errors and reports whose next commands are told as the person has to type them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from gapless.errors import GaplessError
from gapless.render.spelling import spelled

if TYPE_CHECKING:
    from gapless.report.report import Report


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
        undone=tuple(replace(item, manual=_each(item.manual)) for item in report.undone),
    )


def _each(commands: Iterable[str]) -> tuple[str, ...]:
    return tuple(spelled(command) for command in commands)
