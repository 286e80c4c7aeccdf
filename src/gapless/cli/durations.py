"""Durations on the command line: ``2``, ``2s``, ``1m30s``."""

from __future__ import annotations

import re
from typing import Any

import click

DAY = 86400.0
"""The longest that anybody waits, in seconds."""
_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")


class DurationType(click.ParamType[float]):
    """Seconds from a number, or from what gapless.yaml takes; more than 0 unless it may be none,
    at most ``most``."""

    name = "duration"

    def __init__(self, most: float, *, none: bool = False) -> None:
        self._most = most
        self._none = none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Seconds. What reads units is imported only here: help has to be quick."""
        from gapless.config.quantities import format_duration, parse_duration

        text = str(value).strip()
        try:
            seconds = float(text) if _NUMBER.fullmatch(text) else parse_duration(text)
        except ValueError:
            self.fail(f"'{value}' is not a duration; write 10, 10s, 5m or 1h30m", param, ctx)
        if self._none and seconds == 0:
            return 0.0
        if not 0 < seconds <= self._most:
            most = format_duration(self._most)
            self.fail(f"'{value}' is not more than 0 and at most {most}", param, ctx)
        return seconds
