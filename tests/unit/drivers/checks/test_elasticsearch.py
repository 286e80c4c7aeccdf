"""The suite of error counts on a fake Elasticsearch that answers in the shapes of a real one."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from gapless.config.verify_rates import ElasticsearchConfig
from gapless.drivers.checks.elasticsearch import ElasticsearchRate
from gapless.drivers.checks.rates import RateSource
from gapless.errors import SourceUnavailable
from gapless.testing.rate_source_suite import RateRig, RateSourceSuite

from .reaching import in_letters, reach
from .servers import Answers

_SHARDS = {"total": 5, "successful": 5, "skipped": 0, "failed": 0}


class ElasticsearchRig:
    """See RateRig."""

    can = frozenset({"start", "messages", "total", "silence", "nonsense", "past"})
    host, other = "web1", "web2"

    def __init__(self) -> None:
        self.server = Answers(self._answer)
        self.documents: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = None
        self._number = 0

    def source(self) -> RateSource:
        config = ElasticsearchConfig(
            url=f"http://127.0.0.1:{self.server.port}/es",
            errors='host:"{name}" AND level:error',
            total='host:"{name}" AND kind:request',
            alive='host:"{name}"',
            delay="0s",
        )
        return ElasticsearchRate(config, reach())

    async def fail(self, host: str, number: int, word: str = "") -> None:
        for _ in range(number):
            self._number += 1
            self._add(host, "error", word or f"broken {in_letters(self._number)}")

    async def succeed(self, host: str, number: int) -> None:
        for _ in range(number):
            self._add(host, "info", "served")

    async def start(self, host: str, number: int) -> None:
        await self.fail(host, number)

    async def silence(self) -> None:
        await self.server.stop()

    async def nonsense(self) -> None:
        self.answer = {"hits": {"total": {"value": 0}}}

    def _add(self, host: str, level: str, message: str) -> None:
        document = {"host": host, "level": level, "kind": "request", "message": message}
        self.documents.append({**document, "at": time.time() * 1000})

    def _answer(self, method: str, path: str, body: str) -> tuple[int, str]:
        assert (method, path.partition("?")[0]) == ("POST", "/es/logstash-*/_search")
        if self.answer is not None:
            return 200, json.dumps(self.answer)
        asked = json.loads(body)
        query, window = asked["query"]["bool"]["filter"]
        wanted = re.findall(r'(\w+):"?([\w-]+)"?', query["query_string"]["query"])
        span = window["range"]["@timestamp"]
        hits = [
            document
            for document in self.documents
            if all(document[name] == value for name, value in wanted)
            and span["gte"] <= document["at"] < span["lt"]
        ]
        answer: dict[str, Any] = {
            "took": 3,
            "timed_out": False,
            "_shards": _SHARDS,
            "hits": {
                "total": {"value": len(hits), "relation": "eq"},
                "max_score": None,
                "hits": [],
            },
        }
        if "aggs" in asked:
            terms = Counter(document["message"] for document in hits).most_common()
            answer["aggregations"] = {
                "messages": {
                    "doc_count_error_upper_bound": 0,
                    "sum_other_doc_count": 0,
                    "buckets": [{"key": key, "doc_count": count} for key, count in terms],
                }
            }
        return 200, json.dumps(answer)


@asynccontextmanager
async def elasticsearch_rig() -> AsyncIterator[ElasticsearchRig]:
    rig = ElasticsearchRig()
    await rig.server.start()
    try:
        yield rig
    finally:
        await rig.server.stop()


class TestElasticsearch(RateSourceSuite):
    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        return elasticsearch_rig()


@pytest.mark.parametrize("change", [{"timed_out": True}, {"_shards": {**_SHARDS, "failed": 1}}])
def test_a_part_of_the_answer_is_none(change: dict[str, Any]) -> None:
    whole = {"timed_out": False, "_shards": _SHARDS, "hits": {"total": {"value": 0}}}

    async def scene() -> None:
        async with elasticsearch_rig() as rig:
            rig.answer = {**whole, **change}
            with pytest.raises(SourceUnavailable, match="nobody can read"):
                await rig.source().count("web1", time.time() - 10, time.time())

    asyncio.run(scene())


def test_the_total_of_older_servers_is_a_number() -> None:
    async def scene() -> None:
        async with elasticsearch_rig() as rig:
            rig.answer = {"timed_out": False, "_shards": _SHARDS, "hits": {"total": 12}}
            count = await rig.source().count("web1", time.time() - 10, time.time())
            assert count is not None
            assert (count.errors, count.total) == (12, 12)

    asyncio.run(scene())


def test_without_a_sign_of_life_no_hit_says_nothing() -> None:
    with pytest.raises(ValueError, match="give total or alive"):
        ElasticsearchConfig(url="http://e:9200", errors="level:error")
