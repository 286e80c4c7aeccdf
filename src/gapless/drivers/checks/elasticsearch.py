"""Errors found in Elasticsearch or OpenSearch: hits of a query string in a window.

1. Hits are counted, not averaged: there are no buckets outside the first and the last hit.
2. An answer of some of the shards, or one that was cut off in time, is no answer.
3. No hit of errors means no errors only where the host's requests, or anything else it logs, is
   found in the same window. Documents come late: what is younger than ``delay`` waits.
4. The most frequent messages come from one aggregation; new is what none of them said before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gapless.config.verify_rates import ElasticsearchConfig
from gapless.drivers.checks.http_source import HttpSource
from gapless.drivers.checks.rates import Count, RateSource
from gapless.drivers.checks.reach import Reach
from gapless.drivers.checks.seen_messages import Messages, SeenMessages, top

_MOST_MESSAGES = 500
_FIELDS = {"ignore_unavailable": "false", "allow_no_indices": "false"}


def make_sources(config: ElasticsearchConfig, reach: Reach) -> tuple[RateSource, ...]:
    """One."""
    return (ElasticsearchRate(config, reach),)


class ElasticsearchRate:
    """One query on one index."""

    def __init__(self, config: ElasticsearchConfig, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._server = HttpSource("Elasticsearch", config, reach)
        self._seen = SeenMessages()

    @property
    def name(self) -> str:
        """Short, for evidence."""
        return "elasticsearch"

    async def begin(self, hosts: Sequence[str]) -> None:
        """Learn the messages of the baseline."""
        now = self._reach.clock.now()

        async def messages(host: str) -> Messages | None:
            since = now - self._config.baseline
            _, found = await self._search(self._config.errors, host, since, now, messages=True)
            return found if len(found) < _MOST_MESSAGES and self._config.message else None

        if self._config.message:
            await self._seen.learn(hosts, messages)

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """Hits."""
        until = min(until, self._reach.clock.now() - self._config.delay)
        if until <= since:
            return None
        errors, found = await self._search(self._config.errors, host, since, until, messages=True)
        total = await self._hits(self._config.total, host, since, until)
        if not errors and not total and not await self._alive(host, since, until):
            return None
        return Count(errors, until - since, total, top(found), self._seen.unseen(host, found))

    async def _alive(self, host: str, since: float, until: float) -> bool:
        return bool(await self._hits(self._config.alive, host, since, until))

    async def _hits(self, query: str | None, host: str, since: float, until: float) -> int | None:
        if query is None:
            return None
        return (await self._search(query, host, since, until, messages=False))[0]

    async def _search(
        self, query: str, host: str, since: float, until: float, *, messages: bool
    ) -> tuple[int, Messages]:
        body = self._body(self._reach.filled(query, host), since, until)
        if messages and self._config.message:
            terms = {"field": self._config.message, "size": _MOST_MESSAGES}
            body = {**body, "aggs": {"messages": {"terms": terms}}}
        index = quote(self._config.index, safe="*,")
        answer = await self._server.search(f"/{index}/_search", body, _FIELDS)
        try:
            return _whole(answer), _messages(answer)
        except (KeyError, TypeError, ValueError):
            raise self._server.nonsense(answer) from None

    def _body(self, query: str, since: float, until: float) -> dict[str, Any]:
        window = {"gte": _millis(since), "lt": _millis(until), "format": "epoch_millis"}
        asked = {"query_string": {"query": query}}
        filters = [asked, {"range": {self._config.time: window}}]
        return {"size": 0, "track_total_hits": True, "query": {"bool": {"filter": filters}}}


def _millis(at: float) -> int:
    return math.floor(at * 1000)


def _whole(answer: Mapping[str, Any]) -> int:
    """The number of hits; ValueError when not all shards answered."""
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise ValueError("not all shards answered")
    total = answer["hits"]["total"]
    return int(total["value"] if isinstance(total, dict) else total)


def _messages(answer: Mapping[str, Any]) -> Messages:
    buckets = answer.get("aggregations", {}).get("messages", {}).get("buckets", [])
    return [(str(one["key"]), int(one["doc_count"])) for one in buckets]
