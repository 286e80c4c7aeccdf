"""The suite of error counts on a real Prometheus that scrapes real exporters."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gapless.config.verify_levels import LevelConfig
from gapless.config.verify_rates import PrometheusConfig
from gapless.drivers.checks.levels import Level
from gapless.drivers.checks.prometheus import PrometheusRate
from gapless.drivers.checks.prometheus_level import PrometheusLevel
from gapless.drivers.checks.rates import RateSource
from gapless.errors import SourceUnavailable
from gapless.testing.rate_source_suite import RateRig, RateSourceSuite, reached
from tests.ports import free_port

from .reaching import reach
from .servers import Answers, Door, Process, need, until

pytestmark = pytest.mark.xdist_group("prometheus")
_NETWORK = "127.0.61."
_CONFIG = """
global: {{scrape_interval: 300ms, scrape_timeout: 300ms}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: [{targets}]}}]
"""
_MOST_HOSTS = 40


class Shared:
    """One Prometheus for all cases: it takes five seconds until it scrapes anything. Each case has
    hosts of its own, at the next free addresses."""

    def __init__(self, folder: Path) -> None:
        self.port, self.exporting = free_port(), free_port()
        self._last = 0
        targets = ", ".join(f'"{_NETWORK}{n}:{self.exporting}"' for n in range(1, _MOST_HOSTS))
        (folder / "prometheus.yml").write_text(_CONFIG.format(targets=targets))
        self._process = Process(
            folder,
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{self.port}",
        )
        self._process.wait_for("127.0.0.1", self.port)

    def address(self) -> str:
        self._last += 1
        assert self._last < _MOST_HOSTS
        return f"{_NETWORK}{self._last}"

    def stop(self) -> None:
        self._process.stop()


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    need("prometheus", package="prometheus")
    server = Shared(tmp_path_factory.mktemp("prometheus"))
    yield server
    server.stop()


class Exporter:
    """What a service says of itself: counters that begin when it does."""

    def __init__(self, address: str, port: int) -> None:
        self._where = (address, port)
        self._server = Answers(self._metrics)
        self.started = time.time()
        self.errors: dict[str, int] = {}
        self.requests = 0
        self.scrapes = 0

    async def scraped(self) -> None:
        """Until a scrape is over: one that is under way has a time before what happens now, and
        would see it all the same."""
        before = self.scrapes

        async def over() -> bool:
            return self.scrapes > before

        await until(over, "the exporter is scraped")

    async def begin(self) -> None:
        await self._server.start(*self._where)

    async def end(self) -> None:
        await self._server.stop()

    def _metrics(self, *_: str) -> tuple[int, str]:
        self.scrapes += 1
        lines = [f"process_start_time_seconds {self.started}"]
        lines += [f'shop_errors_total{{code="{k}"}} {n}' for k, n in self.errors.items()]
        lines += [f"shop_requests_total {self.requests}"]
        return 200, "\n".join(lines) + "\n"


class PrometheusRig:
    """See RateRig."""

    can = frozenset({"start", "total", "silence", "nonsense", "past"})
    host, other = "web1", "web2"

    def __init__(self, shared: Shared) -> None:
        self._exporting = shared.exporting
        self._addresses = {host: shared.address() for host in (self.host, self.other)}
        self.exporters: dict[str, Exporter] = {}
        self._door = Door(shared.port)

    async def begin(self) -> None:
        await self._door.open()
        for host in self._addresses:
            await self.replace(host)
        await until(self._scraped, "both exporters are scraped")

    async def replace(self, host: str, **counters: Any) -> None:
        """Another process answers there, with counters of its own."""
        if host in self.exporters:
            await self.exporters[host].end()
        self.exporters[host] = Exporter(self._addresses[host], self._exporting)
        for name, value in counters.items():
            setattr(self.exporters[host], name, value)
        await self.exporters[host].begin()

    async def close(self) -> None:
        await asyncio.gather(*(one.end() for one in self.exporters.values()), self._door.close())

    def source(self) -> RateSource:
        labels = ",".join(('instance=~"{address}:.*"', 'job="shop"'))
        config = PrometheusConfig(
            url=f"http://127.0.0.1:{self._door.port}",
            errors=f'shop_errors_total{{code=~"5..",{labels}}}',
            total=f"shop_requests_total{{{labels}}}",
            answer="5s",
        )
        return PrometheusRate(config, reach(address=lambda host: self._addresses.get(host, host)))

    def selector(self, host: str) -> str:
        return f'shop_errors_total{{instance=~"{self._addresses[host]}:.*"}}'

    async def _scraped(self) -> bool:
        now = time.time()
        try:
            counts = [await self.source().count(host, now - 5, now) for host in self._addresses]
        except SourceUnavailable:
            return False
        return all(count is not None and count.seconds > 0 for count in counts)

    async def fail(self, host: str, number: int, word: str = "") -> None:
        exporter = self.exporters[host]
        await exporter.scraped()
        exporter.errors["500"] = exporter.errors.get("500", 0) + number
        exporter.errors["404"] = exporter.errors.get("404", 0) + 1
        exporter.requests += number

    async def succeed(self, host: str, number: int) -> None:
        await self.exporters[host].scraped()
        self.exporters[host].requests += number

    async def start(self, host: str, number: int) -> None:
        await self.exporters[host].scraped()
        await self.replace(host, errors={"500": number}, requests=number)

    async def silence(self) -> None:
        await self._door.close()

    async def nonsense(self) -> None:
        await self._door.lead_to('{"status":"success","data":{"result":[{}]}}')


@asynccontextmanager
async def prometheus_rig(shared: Shared) -> AsyncIterator[PrometheusRig]:
    rig = PrometheusRig(shared)
    try:
        await rig.begin()
        yield rig
    finally:
        await rig.close()


class TestPrometheus(RateSourceSuite):
    @pytest.fixture(autouse=True)
    def _server(self, shared: Shared) -> None:
        self.shared = shared

    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        return prometheus_rig(self.shared)


def test_errors_at_the_start_count_although_the_old_one_had_counted_less(shared: Shared) -> None:
    """The counter of the new process is higher than the last sample of the old one, so nothing
    went back that anybody could see: the start time of the process tells."""

    async def scene() -> None:
        async with prometheus_rig(shared) as rig:
            source, before = rig.source(), time.time()
            await rig.fail(rig.host, 5)
            await reached(source, rig.host, before, lambda count: count.errors == 5)
            await asyncio.sleep(0.3)  # so that the next window begins after that scrape
            since = time.time()
            await rig.start(rig.host, 40)
            count = await reached(source, rig.host, since, lambda count: count.errors > 0)
            assert count.errors == 40

    asyncio.run(scene())


def test_increase_of_prometheus_itself_does_not_see_them(shared: Shared) -> None:
    """Why the samples are read: this is what every query with increase() would have said."""

    async def scene() -> None:
        async with prometheus_rig(shared) as rig:
            since = time.time()
            await rig.start(rig.host, 40)
            await reached(rig.source(), rig.host, since, lambda count: count.errors == 40)
            answer = await _query(shared.port, f"sum(increase({rig.selector(rig.host)}[30s]))")
            assert float((answer or [[0, "0"]])[0][1]) == 0

    asyncio.run(scene())


async def _query(port: int, query: str) -> list[Any]:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/api/v1/query"
        async with session.get(url, params={"query": query}) as response:
            found = json.loads(await response.text())["data"]["result"]
    return [one["value"] for one in found]


def test_a_target_nobody_watched_before_is_not_blamed_for_its_past() -> None:
    answers = {
        "errors": {"shop_errors_total": [[100.0, "7000"], [105.0, "7002"]]},
        "scraped": {"up": [[100.0, "1"], [105.0, "1"]]},
    }
    count = _told(answers, since=90.0, until=110.0)
    assert (count.errors, count.seconds) == (2, 5.0)


def test_a_new_series_of_a_watched_target_began_at_zero() -> None:
    answers = {
        "errors": {"shop_errors_total": [[100.0, "40"], [105.0, "42"]]},
        "scraped": {"up": [[80.0, "1"], [95.0, "0"], [100.0, "1"]]},
    }
    assert _told(answers, since=90.0, until=110.0).errors == 42


def test_a_host_that_is_not_scraped_any_more_covers_no_more() -> None:
    answers = {
        "errors": {"shop_errors_total": [[80.0, "1"], [92.0, "1"]]},
        "scraped": {"up": [[80.0, "1"], [92.0, "1"], [97.0, "0"]]},
    }
    assert _told(answers, since=90.0, until=110.0).seconds == 2.0


def _told(answers: dict[str, dict[str, Any]], since: float, until: float) -> Any:
    """A count by what a server would have answered."""

    def answer(_method: str, _path: str, body: str) -> tuple[int, str]:
        found = answers["scraped" if "__name__" in body else "errors"]
        result = [
            {"metric": {"__name__": name, "instance": "a:1", "job": "shop"}, "values": values}
            for name, values in found.items()
        ]
        return 200, json.dumps({"data": {"resultType": "matrix", "result": result}})

    async def scene() -> Any:
        server = Answers(answer)
        await server.start()
        try:
            config = PrometheusConfig(
                url=f"http://127.0.0.1:{server.port}", errors="shop_errors_total"
            )
            return await PrometheusRate(config, reach()).count("web1", since, until)
        finally:
            await server.stop()

    return asyncio.run(scene())


@pytest.mark.parametrize("wrong", ["rate(a_total[5m])", "a_total[5m]", "sum(a_total)", "a / b"])
def test_only_a_counter_is_taken(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a counter"):
        PrometheusConfig(url="http://p:9090", errors=wrong)


def test_a_level_is_as_it_was_scraped(shared: Shared) -> None:
    """As high as the node says, as old as the scrape, and gone with the node."""
    asyncio.run(_levels(shared))


async def _levels(shared: Shared) -> None:
    address, p99 = shared.address(), "0.02"
    name = "chronik_produce_latency_seconds"
    node = Answers(lambda *_: (200, f'{name}{{quantile="0.99"}} {p99}\n'))
    selector = f'{name}{{quantile="0.99",instance=~"{{address}}:.*"}}'
    plain, summed = (
        PrometheusLevel(
            LevelConfig(url=f"http://127.0.0.1:{shared.port}", query=query, most=0.1),
            reach(address=lambda _: address),
        )
        for query in (selector, f"1000 * max({selector})")
    )
    began = time.time()
    assert await plain.now("n1", began) is None

    async def is_at(level: PrometheusLevel, value: float | None) -> Level | None:
        found: list[Level | None] = []

        async def holds() -> bool:
            found[:] = [await level.now("n1", time.time())]
            return (found[0].value if found[0] else None) == value

        await until(holds, f"it is {value}")
        return found[0]

    await node.start(address, shared.exporting)
    first = await is_at(plain, 0.02)
    assert first is not None and began <= first.at < time.time()
    p99 = "0.5"
    later = await is_at(plain, 0.5)
    assert later is not None and later.at > first.at
    assert await is_at(summed, 500.0)
    assert {0.02, 0.5} >= set(await plain.before("n1", time.time() - 30, time.time())) != set()
    await node.stop()
    await is_at(plain, None)
