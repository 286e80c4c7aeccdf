from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from gapless.drivers.releases.base import Release, ReleaseRef
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Transport
from gapless.errors import Unreachable
from gapless.model import Instance, InstanceState, Observation
from gapless.planning import Drivers, Seen, Survey, survey


@dataclass
class Site:
    """Every host at once: counts how many are asked at the same time."""

    down: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    now: int = 0
    most: int = 0
    connected: list[str] = field(default_factory=list)

    def drivers(self, instance: Instance) -> Drivers:
        host = Host(self, instance.host)
        release = cast(Release, host) if instance.service == "api" else None
        return Drivers(cast(Transport, host), cast(Runtime, host), release)


@dataclass
class Host:
    """Transport, runtime and release of one host."""

    site: Site
    name: str

    async def connect(self) -> None:
        self.site.connected.append(self.name)
        if self.name in self.site.down:
            raise Unreachable("no route", where=self.name)

    async def observe(self, transport: Any) -> Observation:
        self.site.now += 1
        self.site.most = max(self.site.most, self.site.now)
        await asyncio.sleep(30 if self.name in self.site.slow else 0.001)
        self.site.now -= 1
        if self.name in self.site.broken:
            raise ZeroDivisionError
        return Observation(InstanceState.RUNNING, f"id-{self.name}")

    async def fingerprint(self, transport: Any) -> str:
        return f"f-{self.name}"

    async def current(self, transport: Any) -> ReleaseRef:
        return ReleaseRef("v41")


def ask(site: Site, *hosts: str, **limits: Any) -> Survey:
    instances = [Instance("api", host) for host in hosts]
    return asyncio.run(survey(instances, site.drivers, **limits))


def test_what_each_instance_answers() -> None:
    found = ask(Site(), "a", "b").of("api", "a")
    assert found == Seen(Observation(InstanceState.RUNNING, "id-a"), "f-a", ReleaseRef("v41"))
    assert found is not None and found.running and found.state == "running"


def test_a_service_without_release() -> None:
    found = asyncio.run(survey([Instance("db", "a")], Site().drivers))
    seen = found.of("db", "a")
    assert seen is not None and seen.release is None


def test_a_host_that_is_down_is_part_of_the_answer() -> None:
    found = ask(Site(down=frozenset("b")), "a", "b", "c")
    assert found.unreachable == {Instance("api", "b"): "b: no route"}
    seen = found.of("api", "b")
    assert seen is not None and not seen.running and seen.state == "unreachable"


def test_a_host_that_does_not_answer_has_a_limit() -> None:
    found = ask(Site(slow=frozenset("b")), "a", "b", answer_within=0.05)
    assert list(found.unreachable.values()) == ["no answer within 0.05 s"]


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        ask(Site(broken=frozenset("b")), "a", "b")
    assert caught.group_contains(ZeroDivisionError)


def test_never_more_at_once_than_allowed_and_each_once() -> None:
    site = Site()
    hosts = [f"h{n}" for n in range(200)]
    found = ask(site, *hosts, at_once=7)
    assert site.most == 7
    assert sorted(site.connected) == sorted(hosts)
    assert [instance.host for instance in found.seen] == hosts


def test_live_schemas() -> None:
    async def schema(service: str, _: Survey) -> int | None:
        return {"api": 7}.get(service)

    instances = [Instance("api", "a"), Instance("db", "a"), Instance("api", "b")]
    found = asyncio.run(survey(instances, Site().drivers, schema=schema))
    assert found.schemas == {"api": 7}


def test_nobody_to_ask() -> None:
    assert ask(Site()).seen == {}
    assert Survey().of("api", "a") is None
