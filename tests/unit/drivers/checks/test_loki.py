"""The suite of error counts on a fake Loki that answers in the shapes of a real one."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from gapless.config.verify_rates import LokiConfig
from gapless.drivers.checks.loki import LokiRate, streams
from gapless.drivers.checks.rates import RateSource
from gapless.testing.rate_source_suite import RateRig, RateSourceSuite, reached

from .reaching import in_letters, reach
from .servers import Answers

_COUNTING = re.compile(r"sum\(count_over_time\((.*) \[(\d+)ms\]\)\)")
_FILTER = re.compile(r'\{host="(\w+)"\}(?: \|= "(\w+)")?')


class LokiRig:
    """See RateRig."""

    can = frozenset({"start", "messages", "total", "silence", "nonsense", "past"})
    host, other = "web1", "web2"

    def __init__(self) -> None:
        self.server = Answers(self._answer)
        self.lines: list[tuple[float, str, str]] = []
        self.broken = False
        self._number = 0

    def source(self) -> RateSource:
        config = LokiConfig(
            url=f"http://127.0.0.1:{self.server.port}",
            errors='{host="{name}"} |= "ERROR"',
            total='{host="{name}"} |= "request"',
            delay="0s",
        )
        return LokiRate(config, reach())

    async def fail(self, host: str, number: int, word: str = "") -> None:
        for _ in range(number):
            self._number += 1
            what = word or f"broken {in_letters(self._number)}"
            self.lines.append((time.time(), host, f"ERROR request {what}"))

    async def succeed(self, host: str, number: int) -> None:
        self.lines += [(time.time(), host, "INFO request served")] * number

    async def start(self, host: str, number: int) -> None:
        await self.fail(host, number)

    async def silence(self) -> None:
        await self.server.stop()

    async def nonsense(self) -> None:
        self.broken = True

    def _answer(self, method: str, target: str, _body: str) -> tuple[int, str]:
        url = urlsplit(target)
        fields = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.broken:
            return 200, '{"status": "success", "data": {"resultType": "matrix", "result": []}}'
        counting = _COUNTING.fullmatch(fields["query"])
        if url.path == "/loki/api/v1/query" and counting:
            end = int(fields["time"]) / 1e9
            found = self._found(counting[1], end - int(counting[2]) / 1000, end)
            value = {"metric": {}, "value": [end, str(len(found))]}
            result = [value] if found else []
            return 200, json.dumps(_data("vector", result))
        assert url.path == "/loki/api/v1/query_range"
        begin, end = int(fields["start"]) / 1e9, int(fields["end"]) / 1e9
        found = self._found(fields["query"], begin, end)[: int(fields["limit"])]
        values = [[str(int(at * 1e9)), text] for at, _, text in found]
        result = [{"stream": {"host": found[0][1]}, "values": values}] if found else []
        return 200, json.dumps(_data("streams", result))

    def _found(self, query: str, begin: float, end: float) -> list[tuple[float, str, str]]:
        match = _FILTER.fullmatch(query)
        assert match, query
        host, text = match[1], match[2] or ""
        return [
            one for one in self.lines if begin <= one[0] < end and one[1] == host and text in one[2]
        ]


def _data(kind: str, result: list[object]) -> dict[str, object]:
    return {"status": "success", "data": {"resultType": kind, "result": result, "stats": {}}}


@asynccontextmanager
async def loki_rig() -> AsyncIterator[LokiRig]:
    rig = LokiRig()
    await rig.server.start()
    try:
        yield rig
    finally:
        await rig.server.stop()


class TestLoki(RateSourceSuite):
    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        return loki_rig()


def test_lines_beyond_the_limit_are_counted_by_loki() -> None:
    async def scene() -> None:
        async with loki_rig() as rig:
            since = time.time()
            await rig.fail("web1", 1500)
            count = await reached(rig.source(), "web1", since, lambda c: c.errors >= 1500)
            assert count.errors == 1500

    asyncio.run(scene())


def test_the_same_message_in_two_seconds_is_one_incident() -> None:
    async def scene() -> None:
        async with loki_rig() as rig:
            since = time.time()
            await rig.fail("web1", 9, "alike")
            count = await reached(
                rig.source(), "web1", since, lambda c: sum(n for _, n in c.top) == 9
            )
            assert (count.errors, count.top) == (1, (("ERROR request alike", 9),))

    asyncio.run(scene())


def test_the_streams_of_a_query() -> None:
    assert streams('{host="a", app=~"b}c"} |= "x" | json') == '{host="a", app=~"b}c"}'
