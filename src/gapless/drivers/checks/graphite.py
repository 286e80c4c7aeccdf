"""Errors counted by Graphite: the points of a series added up.

1. A point stands for all of its interval. One that began before the window and ends in it counts
   whole, or the first errors of a new process would be lost; one that is not over does not.
2. null is no data. Without a point there is no data at all; where requests have points and errors
   have none, there were no errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gapless.config.verify_rates import GraphiteConfig
from gapless.drivers.checks.http_source import HttpSource
from gapless.drivers.checks.rates import Count, RateSource
from gapless.drivers.checks.reach import Reach

_LOOK_BACK = 300
"""Seconds before the window, so that the point in which it begins is among the answers."""


def make_sources(config: GraphiteConfig, reach: Reach) -> tuple[RateSource, ...]:
    """One."""
    return (GraphiteRate(config, reach),)


class _Points:
    """The points of all series of a target that are over: their intervals and their sum."""

    def __init__(self, series: Sequence[Any], since: float, until: float) -> None:
        self.intervals: dict[float, float] = {}
        self.sum = 0.0
        for one in series:
            points = one["datapoints"]
            step = float(points[1][1] - points[0][1]) if len(points) > 1 else 60.0
            for value, at in points:
                if value is not None and at + step > since and at + step <= until:
                    self.intervals[float(at)] = step
                    self.sum += float(value)

    @property
    def seconds(self) -> float:
        """What they cover."""
        return sum(self.intervals.values())


class GraphiteRate:
    """One pair of targets on one server."""

    def __init__(self, config: GraphiteConfig, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._server = HttpSource("Graphite", config, reach)
        self._asked: dict[str, tuple[float, float, Any]] = {}

    @property
    def name(self) -> str:
        """Short, for evidence."""
        return "graphite"

    async def begin(self, hosts: Sequence[str]) -> None:
        """Nothing: Graphite has a history."""

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """The sum of the points."""
        errors = await self._points(self._config.errors, host, since, until)
        if self._config.total is None:
            if not errors.intervals:
                return None
            return Count(round(errors.sum), errors.seconds)
        total = await self._points(self._config.total, host, since, until)
        if not total.intervals:
            return None
        return Count(round(errors.sum), total.seconds, round(total.sum))

    async def _points(self, target: str, host: str, since: float, until: float) -> _Points:
        """A part of what was asked last is not asked again."""
        wanted = self._reach.filled(target, host)
        begin, end, answer = self._asked.get(wanted, (since, since, []))
        if not (begin <= since and until <= end):
            fields = {
                "target": wanted,
                "from": str(int(since) - _LOOK_BACK),
                "until": str(int(until) + 1),
                "format": "json",
            }
            answer = await self._server.get("/render", fields)
            self._asked[wanted] = (since, until, answer)
        try:
            return _Points(answer, since, until)
        except (KeyError, TypeError, ValueError, IndexError):
            raise self._server.nonsense(answer) from None
