"""The suite of error counts on counters of balancers, and what resets do to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gapless.config.verify_rates import BalancerErrorsConfig
from gapless.drivers.balancers.base import Counters
from gapless.drivers.checks.balancer_errors import BalancerRate
from gapless.drivers.checks.rates import CountsCopies, RateSource
from gapless.errors import TrafficError
from gapless.model import Instance
from gapless.testing.rate_source_suite import RateRig, RateSourceSuite
from tests.unit.drivers.balancers.apps import get
from tests.unit.drivers.balancers.haproxy_rig import haproxy_rig, need_haproxy

from .reaching import reach


@dataclass
class Counting:
    """A balancer that does nothing but count."""

    name: str = "edge"
    requests: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    life: str = "1"
    gone: bool = False

    async def counters(self, instance: Instance) -> Counters:
        if self.gone:
            raise TrafficError("no answer", where="lb1")
        host = instance.host
        if host not in self.requests:
            return Counters()
        return Counters(
            self.requests[host], self.errors.get(host, 0), {"lb1": {}}, {"lb1": self.life}
        )


class BalancerRig:
    """See RateRig."""

    can = frozenset({"start", "total", "silence"})
    host, other = "web1", "web2"

    def __init__(self) -> None:
        self.balancer = Counting(requests={"web1": 1000, "web2": 1000}, errors={"web1": 50})

    def source(self) -> RateSource:
        return BalancerRate(BalancerErrorsConfig(), reach(balancers=(self.balancer,)))

    async def fail(self, host: str, number: int, word: str = "") -> None:
        await self.succeed(host, number)
        self.balancer.errors[host] = self.balancer.errors.get(host, 0) + number

    async def succeed(self, host: str, number: int) -> None:
        self.balancer.requests[host] += number

    async def start(self, host: str, number: int) -> None:
        await self.fail(host, number)

    async def silence(self) -> None:
        self.balancer.gone = True

    async def nonsense(self) -> None:
        raise NotImplementedError


@asynccontextmanager
async def balancer_rig() -> AsyncIterator[BalancerRig]:
    yield BalancerRig()


class TestBalancerErrors(RateSourceSuite):
    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        return balancer_rig()


def test_what_a_balancer_counted_around_its_restart_is_not_known() -> None:
    async def scene() -> None:
        rig = BalancerRig()
        source = rig.source()
        await source.begin(["web1"])
        since = time.time()
        await rig.fail("web1", 3)
        assert (await source.count("web1", since, time.time())) is not None
        rig.balancer.life, rig.balancer.requests["web1"] = "2", 5000
        rig.balancer.errors["web1"] = 900
        count = await source.count("web1", since, time.time())
        assert count is not None
        assert (count.errors, count.total) == (3, 3)
        assert count.seconds < 1.0
        await rig.fail("web1", 2)
        count = await source.count("web1", since, time.time())
        assert count is not None
        assert (count.errors, count.total) == (5, 5)

    asyncio.run(scene())


class CountingCopies(Counting):
    """The same of two copies: a member is ``web1/a``."""

    async def counters(self, instance: Instance) -> Counters:
        member = Instance(instance.service, f"{instance.host}/{instance.slot}")
        return await super().counters(member)


def test_the_copies_of_an_instance_are_counted_apart_and_together() -> None:
    async def scene() -> None:
        members = {"web1/a": 1000, "web1/b": 7}
        balancer = CountingCopies(requests=members, errors={"web1/a": 50, "web1/b": 7})

        async def copies(one: Instance) -> tuple[Instance, ...]:
            return tuple(replace(one, slot=slot) for slot in ("a", "b"))

        around = replace(reach(balancers=(balancer,)), copies=copies)
        source = BalancerRate(BalancerErrorsConfig(), around)
        await source.begin(["web1"])
        since = time.time()
        balancer.requests.update({"web1/a": 1095, "web1/b": 12})
        balancer.errors["web1/b"] = 8
        old, new = (Instance("shop", "web1", slot) for slot in ("a", "b"))
        until = time.time()
        told = [await source.count_copy(one, since, until) for one in (new, old)]
        assert [(one.errors, one.total) for one in told if one] == [(1, 5), (0, 95)]
        both = await source.count("web1", since, until)
        assert both is not None
        assert (both.errors, both.total) == (1, 100)
        assert isinstance(source, CountsCopies)

    asyncio.run(scene())


def test_a_new_copy_is_counted_from_its_first_request_on() -> None:
    """Not from the first look, which comes an interval later."""

    async def scene() -> None:
        balancer = CountingCopies(requests={"web1/b": 1000}, errors={})
        slots = ["b"]

        async def copies(one: Instance) -> tuple[Instance, ...]:
            return tuple(replace(one, slot=slot) for slot in slots)

        source = BalancerRate(
            BalancerErrorsConfig(), replace(reach(balancers=(balancer,)), copies=copies)
        )
        await source.begin(["web1"])
        slots.append("a")
        balancer.requests["web1/a"] = 0
        new = Instance("shop", "web1", "a")
        await source.begin_copy(new)
        since = time.time()
        balancer.requests["web1/a"], balancer.errors["web1/a"] = 50, 21
        found = await source.count_copy(new, since, time.time())
        assert found is not None and (found.errors, found.total) == (21, 50)

    asyncio.run(scene())


class CountingContainers(Counting):
    """Members are named by addresses."""

    async def counters(self, instance: Instance) -> Counters:
        return await super().counters(Instance(instance.service, instance.address))


def test_containers_are_counted_at_the_addresses_they_have_then() -> None:
    """Counts of another container in the same slot are no growth of the one before."""

    async def scene() -> None:
        balancer = CountingContainers(requests={"10.0.0.1": 1000, "10.0.0.2": 5000})
        at = ["10.0.0.1"]

        async def copies(one: Instance) -> tuple[Instance, ...]:
            return (replace(one, slot="a", address=at[-1]), replace(one, slot="b"))

        source = BalancerRate(
            BalancerErrorsConfig(), replace(reach(balancers=(balancer,)), copies=copies)
        )
        await source.begin(["web1"])
        since = time.time()
        balancer.requests["10.0.0.1"] = 1020
        first = await source.count("web1", since, time.time())
        assert first is not None
        assert first.total == 20
        at.append("10.0.0.2")
        await source.count("web1", since, time.time())
        balancer.requests["10.0.0.2"] = 5030
        both = await source.count("web1", since, time.time())
        assert both is not None
        assert both.total == 50

    asyncio.run(scene())


def test_balancers_that_count_nothing_give_no_data() -> None:
    async def scene() -> None:
        rig = BalancerRig()
        rig.balancer.requests.clear()
        source = rig.source()
        await source.begin(["web1"])
        assert await source.count("web1", time.time() - 5, time.time()) is None

    asyncio.run(scene())


def test_the_counters_of_a_real_haproxy(tmp_path: Path) -> None:
    need_haproxy()

    async def scene() -> None:
        async with haproxy_rig(tmp_path, checks="") as rig:
            host = rig.instance.host
            around = reach(balancers=(rig.balancer(),))
            source = BalancerRate(BalancerErrorsConfig(), around)
            await source.begin([host, rig.other.host])
            since = time.time()
            rig.apps[0].healthy = False
            for _ in range(10):
                await get(rig.proxies[0].port, "/health")
            await get(rig.proxies[1].port, "/health")
            count = await source.count(host, since, time.time())
            assert count is not None
            assert (count.errors, count.total) in ((5, 5), (6, 6))
            other = await source.count(rig.other.host, since, time.time())
            assert other is not None
            assert other.errors == 0
            await rig.restart(0)
            for _ in range(20):
                await get(rig.proxies[0].port, "/health")
            again = await source.count(host, since, time.time())
            assert again is not None
            assert again.errors == count.errors  # what was counted around the restart is not known
            await get(rig.proxies[0].port, "/health")
            await get(rig.proxies[0].port, "/health")
            later = await source.count(host, since, time.time())
            assert later is not None
            assert later.errors == count.errors + 1

    asyncio.run(scene())
