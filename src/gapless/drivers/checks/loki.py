"""Errors found in Loki: lines of a LogQL query in a window.

1. The lines themselves are read, up to a limit, and become incidents as on a host: the same message
   within two seconds is one. Where there are more, Loki counts them, and each counts.
2. No line means no errors only where the host's streams have lines at all in the same window. Lines
   come late: what is younger than ``delay`` waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from gapless.config.verify_rates import LokiConfig
from gapless.drivers.checks.http_source import HttpSource
from gapless.drivers.checks.rates import Count, RateSource
from gapless.drivers.checks.reach import Reach
from gapless.drivers.checks.seen_messages import Messages, SeenMessages, top
from gapless.hostside.log_incidents import Tally
from gapless.hostside.log_levels import read

_MOST_LINES = 1000

_Line = tuple[float, str]


def make_sources(config: LokiConfig, reach: Reach) -> tuple[RateSource, ...]:
    """One."""
    return (LokiRate(config, reach),)


def streams(query: str) -> str:
    """The selector of a query, without filters; braces in its texts do not end it."""
    quoted, before = False, ""
    for place, letter in enumerate(query):
        if letter == '"' and before != "\\":
            quoted = not quoted
        if letter == "}" and not quoted:
            return query[: place + 1].strip()
        before = letter
    return query.strip()


class LokiRate:
    """One query on one server."""

    def __init__(self, config: LokiConfig, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._server = HttpSource("Loki", config, reach)
        self._seen = SeenMessages()

    @property
    def name(self) -> str:
        """Short, for evidence."""
        return "loki"

    async def begin(self, hosts: Sequence[str]) -> None:
        """Learn the messages of the baseline."""
        now = self._reach.clock.now()

        async def messages(host: str) -> Messages | None:
            found = await self._lines(host, now - self._config.baseline, now)
            return _counted(found) if len(found) < _MOST_LINES else None

        await self._seen.learn(hosts, messages)

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """Incidents."""
        until = min(until, self._reach.clock.now() - self._config.delay)
        if until <= since:
            return None
        lines = await self._lines(host, since, until)
        errors = _incidents(lines)
        if len(lines) >= _MOST_LINES:
            errors = await self._number(self._config.errors, host, since, until)
        total = None
        if self._config.total is not None:
            total = await self._number(self._config.total, host, since, until)
        if not errors and not total and not await self._alive(host, since, until):
            return None
        found = _counted(lines)
        return Count(errors, until - since, total, top(found), self._seen.unseen(host, found))

    async def _alive(self, host: str, since: float, until: float) -> bool:
        query = self._config.alive or streams(self._config.errors)
        return bool(await self._number(query, host, since, until))

    async def _lines(self, host: str, since: float, until: float) -> list[_Line]:
        fields = {
            "query": self._reach.filled(self._config.errors, host),
            "start": _nanos(since),
            "end": _nanos(until),
            "limit": str(_MOST_LINES),
            "direction": "forward",
        }
        answer = await self._server.get("/loki/api/v1/query_range", fields)
        try:
            return sorted(_of_streams(answer))
        except (KeyError, TypeError, ValueError):
            raise self._server.nonsense(answer) from None

    async def _number(self, query: str, host: str, since: float, until: float) -> int:
        window = max(math.floor(until * 1000) - math.floor(since * 1000), 1)
        counted = f"sum(count_over_time({self._reach.filled(query, host)} [{window}ms]))"
        fields = {"query": counted, "time": _nanos(until)}
        answer = await self._server.get("/loki/api/v1/query", fields)
        try:
            if answer["data"]["resultType"] != "vector":
                raise ValueError("not a vector")
            return sum(round(float(one["value"][1])) for one in answer["data"]["result"])
        except (KeyError, TypeError, ValueError, IndexError):
            raise self._server.nonsense(answer) from None


def _nanos(at: float) -> str:
    return str(math.floor(at * 1000) * 1_000_000)


def _of_streams(answer: Any) -> Iterator[_Line]:
    if answer["data"]["resultType"] != "streams":
        raise ValueError("not lines")
    for stream in answer["data"]["result"]:
        for at, line, *_ in stream["values"]:
            yield int(at) / 1e9, str(line)


def _incidents(lines: Sequence[_Line]) -> int:
    tally = Tally()
    for at, line in lines:
        tally.add(at, read(line)[1])
    return tally.errors


def _counted(lines: Sequence[_Line]) -> Messages:
    return [(read(line)[1], 1) for _, line in lines]
