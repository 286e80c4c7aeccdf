"""Errors counted by Prometheus, from the samples themselves.

1. The samples of the counters are asked for the window and five minutes before it, so that there is
   one to begin with.
2. So are ``up`` and ``process_start_time_seconds`` of the same targets: they tell whether a series
   that was not there before is new or only unknown, and where a new process began.
3. Increases are computed here (see ``increases``).
4. Where there is no series of errors, there were none if something else of the host was scraped:
   its requests, or ``up`` with the same instance and job. Otherwise there is no data.
5. What is covered ends with the last scrape, not with now.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gapless.config.verify_rates import PrometheusConfig
from gapless.drivers.checks.http_source import HttpSource
from gapless.drivers.checks.increases import Samples, Target, increase
from gapless.drivers.checks.rates import Count, RateSource
from gapless.drivers.checks.reach import Reach

_LOOK_BACK = 300.0
"""Seconds before the window: scrapes are seldom rarer."""
_MATCHER = re.compile(r"\b(instance|job)\s*(=~|=)\s*(\"(?:[^\"\\]|\\.)*\")")
_SCRAPED = "up|process_start_time_seconds"

_Key = tuple[str, str]
"""Job and instance."""


def make_sources(config: PrometheusConfig, reach: Reach) -> tuple[RateSource, ...]:
    """One."""
    return (PrometheusRate(config, reach),)


@dataclass(frozen=True, slots=True)
class _Series:
    labels: Mapping[str, str]
    samples: Samples

    @property
    def key(self) -> _Key:
        return self.labels.get("job", ""), self.labels.get("instance", "")

    def until(self, end: float, begin: float) -> _Series:
        """Its samples of a part of the time."""
        return _Series(self.labels, [one for one in self.samples if begin <= one[0] <= end])


class PrometheusRate:
    """One pair of counters on one server."""

    def __init__(self, config: PrometheusConfig, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._server = HttpSource("Prometheus", config, reach)
        self._asked: dict[str, tuple[float, float, list[_Series]]] = {}

    @property
    def name(self) -> str:
        """Short, for evidence."""
        return "prometheus"

    async def begin(self, hosts: Sequence[str]) -> None:
        """Nothing: Prometheus has a history."""

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """Growth of the counters."""
        wanted = self._reach.filled(self._config.errors, host)
        errors = await self._samples(wanted, since, until)
        requests: list[_Series] = []
        if self._config.total is not None:
            total = self._reach.filled(self._config.total, host)
            requests = await self._samples(total, since, until)
        scraped = await self._scraped(wanted, [*errors, *requests], since, until)
        targets = _targets(scraped)
        seconds = _covered([*errors, *requests] or _up(scraped), scraped, since, until)
        if seconds is None or not (errors or requests or _up(scraped)):
            return None
        return Count(
            errors=_grown(errors, targets, since, until),
            seconds=seconds,
            total=_grown(requests, targets, since, until) if self._config.total else None,
        )

    async def _samples(self, selector: str, since: float, until: float) -> list[_Series]:
        """Up to the end of the window; a part of what was asked last is not asked again."""
        begin, end, found = self._asked.get(selector, (since, since, []))
        if not (begin <= since and until <= end):
            found = await self._ask(selector, since, until)
            self._asked[selector] = (since, until, found)
        return [one.until(until, since - _LOOK_BACK) for one in found]

    async def _ask(self, selector: str, since: float, until: float) -> list[_Series]:
        window = math.ceil((until - since + _LOOK_BACK) * 1000)
        form = {"query": f"{selector}[{window}ms]", "time": f"{until:.3f}"}
        answer = await self._server.post("/api/v1/query", form)
        try:
            return [_series(one) for one in answer["data"]["result"]]
        except (KeyError, TypeError, ValueError):
            raise self._server.nonsense(answer) from None

    async def _scraped(
        self, selector: str, found: Sequence[_Series], since: float, until: float
    ) -> list[_Series]:
        """``up`` and start times of the targets of what was found, or of the selector's."""
        instances = sorted({one.key[1] for one in found} - {""})
        if instances:
            several = "|".join(re.escape(instance) for instance in instances)
            matchers = [f"instance=~{_quoted(several)}"]
        else:
            matchers = ["".join(parts) for parts in _MATCHER.findall(selector)]
        if not matchers:
            return []
        names = f'__name__=~"{_SCRAPED}"'
        return await self._samples(f"{{{','.join([names, *matchers])}}}", since, until)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _series(data: Mapping[str, Any]) -> _Series:
    pairs = [(float(at), float(value)) for at, value in data["values"]]
    return _Series(data["metric"], [pair for pair in pairs if not math.isnan(pair[1])])


def _up(scraped: Sequence[_Series]) -> list[_Series]:
    """Targets that answered a scrape."""
    found = (one for one in scraped if one.labels.get("__name__") == "up")
    good = (_Series(one.labels, [pair for pair in one.samples if pair[1]]) for one in found)
    return [one for one in good if one.samples]


def _targets(scraped: Sequence[_Series]) -> dict[_Key, Target]:
    watched: dict[_Key, float] = {}
    started: dict[_Key, Samples] = {}
    for one in scraped:
        if one.labels.get("__name__") == "up" and one.samples:
            watched[one.key] = one.samples[0][0]
        elif one.samples:
            started[one.key] = one.samples
    return {
        key: Target(watched.get(key), _starts(started.get(key, ())), _last(started.get(key, ())))
        for key in {*watched, *started}
    }


def _starts(samples: Samples) -> tuple[float, ...]:
    """The scrapes that first saw another process."""
    return tuple(after[0] for before, after in pairwise(samples) if after[1] != before[1])


def _last(samples: Samples) -> float | None:
    return samples[-1][1] if samples else None


def _grown(
    series: Sequence[_Series], targets: Mapping[_Key, Target], since: float, until: float
) -> int:
    unknown = Target()
    return round(
        sum(increase(one.samples, since, until, targets.get(one.key, unknown)) for one in series)
    )


def _covered(
    series: Sequence[_Series], scraped: Sequence[_Series], since: float, until: float
) -> float | None:
    """Seconds between the first and the last scrape of the window; None without a scrape in it."""
    times = [at for one in series for at, _ in one.samples if at <= until]
    if not times or max(times) <= since:
        return None
    first = min([*times, *(one.samples[0][0] for one in _up(scraped))])
    return max(times) - max(first, since)
