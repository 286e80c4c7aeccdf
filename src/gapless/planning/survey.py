"""What runs where now: every instance asked once, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.drivers.config_files.seen import SeenConfig
from gapless.drivers.releases.base import Release, ReleaseRef
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Transport
from gapless.engine.in_balancers import InBalancer
from gapless.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    GaplessError,
    HostKeyRejected,
    LostContact,
    Unreachable,
)
from gapless.model import Instance, InstanceState, Observation
from gapless.planning.refusals import CANNOT_BE_ASKED

ANSWER_WITHIN = 60.0
"""Seconds an instance may take to answer before it counts as not seen."""


@dataclass(frozen=True, slots=True)
class KeptOut:
    """What a host remembers of an instance that is out of traffic: ``by_hand`` who drained it, and
    why; ``left_out``: a rollout left it so, and the next one that succeeds lets it in."""

    by_hand: str = ""
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """Why an instance is not fit to be touched, "" when it is; ``unsure``: what nobody could tell
    of one that is."""

    unfit: str = ""
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drivers:
    """What an instance is asked through."""

    transport: Transport
    runtime: Runtime
    release: Release | None = None
    examine: Callable[[], Awaitable[Examined]] | None = None
    """Tells whether it is fit to be touched; None: nobody wants to know."""
    config: Callable[[], Awaitable[SeenConfig | None]] | None = None
    """Looks at its configuration files."""
    kept_out: Callable[[], Awaitable[KeptOut]] | None = None
    """Tells what its host remembers of that; None: nothing sends it traffic."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an instance answered; ``error`` says why it did not."""

    observation: Observation | None = None
    fingerprint: str = ""
    release: ReleaseRef | None = None
    error: str = ""
    reason: str = ""
    """The same in the words of a plan: unreachable, or what else was in the way."""
    next: str = ""
    """What helps where it was reached and could not be asked."""
    unfit: str = ""
    """Why it was not fit to be touched."""
    unsure: tuple[str, ...] = ()
    """What could not be told of it."""
    config: SeenConfig | None = None
    """Its configuration files; None where a deploy brings none."""
    by_hand: str = ""
    """Who drained it by hand, and why."""
    left_out: bool = False
    """Whether a rollout left it out of traffic."""

    @property
    def address(self) -> str:
        """Its own address, "" where it is reached at that of its host."""
        return str(self.observation.detail.get("address", "")) if self.observation else ""

    @property
    def running(self) -> bool:
        """Whether it was seen running."""
        return self.observation is not None and self.observation.state is InstanceState.RUNNING

    @property
    def serves(self) -> bool:
        """Whether it was seen running, and fit."""
        return self.running and not self.unfit

    @property
    def state(self) -> str:
        """A few words for notes."""
        if self.running and self.unfit:
            return self.unfit
        if self.observation is not None:
            return self.observation.state.value
        return self.reason.partition(":")[0] or "unreachable"


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """How a cluster stands; None where it could not be asked. ``findings`` speak against stopping
    its members, each by itself."""

    topology: Topology | None
    findings: tuple[Finding, ...] = ()
    neighbours: tuple[str, ...] = ()
    """Other clusters that have members on the same hosts."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Answers of instances; ``schemas`` holds live schema versions of services, where known;
    ``delays`` seconds each drain lasts in balancers that say so themselves; ``traffic`` how
    instances stand in their balancers; ``clusters`` how services that are clusters stand."""

    seen: Mapping[Instance, Seen] = field(default_factory=dict)
    schemas: Mapping[str, int] = field(default_factory=dict)
    delays: Mapping[str, float] = field(default_factory=dict)
    traffic: Mapping[Instance, tuple[InBalancer, ...]] = field(default_factory=dict)
    clusters: Mapping[str, SeenCluster] = field(default_factory=dict)

    def of(self, service: str, host: str) -> Seen | None:
        """What was seen of one instance; None when it was not asked."""
        return self.seen.get(Instance(service, host))

    def in_balancers(self, service: str, host: str) -> tuple[InBalancer, ...]:
        """How one instance stands in its balancers; none that was not asked."""
        return self.traffic.get(Instance(service, host), ())

    def none_live(self, service: str) -> bool:
        """Whether all its instances were asked and none has a release yet."""
        seen = [seen for instance, seen in self.seen.items() if instance.service == service]
        return not any(one.error or one.release for one in seen)

    @property
    def unreachable(self) -> Mapping[Instance, str]:
        """Instances that gave no answer, and why."""
        return {instance: seen.error for instance, seen in self.seen.items() if seen.error}


SchemaTeller = Callable[[str, Survey], Awaitable[int | None]]
"""Tells the live schema version of a service; None when nobody knows."""


async def survey(
    instances: Iterable[Instance],
    drivers: Callable[[Instance], Drivers],
    *,
    at_once: int = 30,
    answer_within: float = ANSWER_WITHIN,
    schema: SchemaTeller | None = None,
) -> Survey:
    """Ask every instance; what fails is part of the answer. ``schema`` tells the live schema
    version of a service from what its instances answered."""
    asked = list(instances)
    found: dict[Instance, Seen] = {}

    async def ask(instance: Instance) -> None:
        found[instance] = await _ask(instance, drivers, answer_within)

    await _each(asked, ask, at_once)
    answers = Survey({instance: found[instance] for instance in asked})
    schemas = await _schemas(dict.fromkeys(i.service for i in asked), answers, schema, at_once)
    return replace(answers, schemas=schemas)


_Item = TypeVar("_Item")


async def _each(
    items: Iterable[_Item], ask: Callable[[_Item], Awaitable[None]], at_once: int
) -> None:
    """A few workers take from one iterator: ten thousand instances never are ten thousand
    tasks."""
    rest = iter(items)

    async def worker(mine: Iterator[_Item]) -> None:
        for item in mine:
            await ask(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker(rest))


async def _ask(
    instance: Instance, drivers: Callable[[Instance], Drivers], answer_within: float
) -> Seen:
    try:
        async with asyncio.timeout(answer_within):
            return await _answers(drivers(instance))
    except GaplessError as error:
        helps = "" if isinstance(error, _NO_CONNECTION) else error.next
        return Seen(error=str(error), reason=_reason(error), next=helps)
    except TimeoutError:
        slow = f"no answer within {answer_within:g} s"
        return Seen(error=slow, reason=f"unreachable: {slow}")


_NO_CONNECTION = (
    AuthenticationFailed, DeadlineExceeded, HostKeyRejected, LostContact, Unreachable
)  # fmt: skip


def _reason(error: GaplessError) -> str:
    kind = "unreachable" if isinstance(error, _NO_CONNECTION) else CANNOT_BE_ASKED
    return f"{kind}: {error.what}"


async def _answers(drivers: Drivers) -> Seen:
    await drivers.transport.connect()
    observation = await drivers.runtime.observe(drivers.transport)
    fingerprint = await drivers.runtime.fingerprint(drivers.transport)
    release = await drivers.release.current(drivers.transport) if drivers.release else None
    missing = observation.state is InstanceState.MISSING
    examined = Examined()
    if drivers.examine is not None and not missing:
        examined = await drivers.examine()
    config = await drivers.config() if drivers.config else None
    unfit = examined.unfit or (config.hindered if config else "")
    kept = await drivers.kept_out() if drivers.kept_out else KeptOut()
    return Seen(
        observation, fingerprint, release, unfit=unfit, unsure=examined.unsure, config=config,
        by_hand=kept.by_hand, left_out=kept.left_out,
    )  # fmt: skip


async def _schemas(
    services: Iterable[str], answers: Survey, schema: SchemaTeller | None, at_once: int
) -> dict[str, int]:
    found: dict[str, int] = {}
    if schema is None:
        return found

    async def ask(service: str) -> None:
        version = await schema(service, answers)
        if version is not None:
            found[service] = version

    await _each(services, ask, at_once)
    return found
