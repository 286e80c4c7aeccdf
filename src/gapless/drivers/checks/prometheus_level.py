"""A number that Prometheus works out.

1. Of several series the largest value counts: it is the worst that has to be back.
2. NaN is no value: a quantile of nothing.
3. A query looks back up to five minutes for a sample. ``timestamp()`` of the query tells how old it
   is where the query is a selector; of an expression it tells nothing (it is as old as the
   question), so the first values after a switch are not asked for (``grace``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from gapless.config.verify_levels import LevelConfig
from gapless.drivers.checks.http_source import HttpSource
from gapless.drivers.checks.levels import Level
from gapless.drivers.checks.reach import Reach

_POINTS = 40
_FINEST = 5.0
"""Seconds between two points of what was before, at least."""


class PrometheusLevel:
    """One query on one server."""

    def __init__(self, config: LevelConfig, reach: Reach) -> None:
        self._config, self._reach = config, reach
        self._server = HttpSource("Prometheus", config, reach)

    async def now(self, host: str, at: float) -> Level | None:
        """The largest, as old as the oldest."""
        query = self._reach.filled(self._config.query, host)
        kind, values = await self._at(query, at)
        if not values:
            return None
        told = (await self._at(f"timestamp({query})", at))[1] if kind == "vector" else []
        return Level(max(values), min(told, default=at))

    async def before(self, host: str, since: float, until: float) -> Sequence[float]:
        """The largest at each moment."""
        form = {
            "query": self._reach.filled(self._config.query, host),
            "start": f"{since:.3f}",
            "end": f"{until:.3f}",
            "step": f"{max(_FINEST, (until - since) / _POINTS):.3f}",
        }
        answer = await self._server.post("/api/v1/query_range", form)
        try:
            pairs = [pair for one in answer["data"]["result"] for pair in one["values"]]
            largest: dict[float, list[float]] = defaultdict(list)
            for moment, value in pairs:
                largest[float(moment)] += _numbers([value])
        except (KeyError, TypeError, ValueError):
            raise self._server.nonsense(answer) from None
        return [max(values) for values in largest.values() if values]

    async def _at(self, query: str, at: float) -> tuple[str, list[float]]:
        """What kind of answer it was, and its numbers."""
        form = {"query": query, "time": f"{at:.3f}"}
        answer = await self._server.post("/api/v1/query", form)
        try:
            kind, result = answer["data"]["resultType"], answer["data"]["result"]
            if kind == "scalar":
                return kind, _numbers([result[1]])
            return kind, _numbers(one["value"][1] for one in result)
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._server.nonsense(answer) from None


def _numbers(texts: Iterable[Any]) -> list[float]:
    return [number for text in texts if not math.isnan(number := float(text))]
