"""The gap of a rollout: what clients see before, during and after the change.

1. A front door is asked over HTTP, or by a command (``Prover``), where the ``prove`` section says
   how. Every cluster that the plan restarts has a client of its own beside that (``Load``).
2. The clients connect before the rollout is opened: where one cannot write and read, nothing is
   begun. A cluster that there is no client for is told of, and is refused where nothing else would
   be measured.
3. All of them measure for two seconds before the first step, and then to the end of the rollout.
   What clusters acknowledged is read back, and what was written is removed, then the gap is
   journaled.
4. Whatever happens, what was written is removed, as far as the cluster lets us.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gapless.config.definitions import from_definitions
from gapless.config.groups import groups_of, hosts_on
from gapless.config.project import ProjectConfig, ProveConfig
from gapless.config.workload import WorkloadConfig
from gapless.engine.worker import Worker
from gapless.errors import PreflightFailed, UsageError
from gapless.events.event import Event
from gapless.plans import Plan

if TYPE_CHECKING:
    from gapless.project import Project
    from gapless.prove.client_view import ClientView
    from gapless.prove.load import Load
    from gapless.prove.prover import Prover

BASELINE = 2.0
"""Seconds measured before the first step, to compare with."""

EVERY = 1.0
"""Seconds between two readings shown."""

_DECLARED = ("chronik", "http", "command")
"""Systems whose requests have to be declared."""


@dataclass(frozen=True, slots=True)
class Proof:
    """All that measures one rollout; ``without`` are clusters that there is no client for."""

    prover: Prover | None
    loads: tuple[Load, ...]
    without: tuple[ClientView, ...]

    def mark_change(self) -> None:
        """The baseline ends."""
        if self.prover is not None:
            self.prover.mark("change")
        for load in self.loads:
            load.mark_change()

    def to_json(self) -> dict[str, Any]:
        """What an event holds."""
        data = self.prover.gap().to_json() if self.prover is not None else {}
        views = [*(load.view() for load in self.loads), *self.without]
        return {**data, "workloads": [view.to_json() for view in views]} if views else data


@contextlib.asynccontextmanager
async def opened(project: Project, plan: Plan, *, prove: bool) -> AsyncIterator[Proof | None]:
    """What measures the rollout of this plan, with its clients let in. Raises UsageError where
    nothing can be measured, PreflightFailed where a cluster lets a client do nothing."""
    if not prove:
        yield None
        return
    config = project.config.prove
    loads, without = _clients(project, plan, config)
    prover = _prover(config, project)
    if prover is None and not loads:
        raise _nothing_to_measure(project, without)
    try:
        opening = await asyncio.gather(*map(_open, loads), return_exceptions=True)
        for failed in filter(None, opening):
            raise failed
        yield Proof(prover, loads, without)
    finally:
        await asyncio.gather(*(load.close() for load in loads), return_exceptions=True)


@contextlib.asynccontextmanager
async def proved(
    proof: Proof | None, project: Project, worker: Worker, rollout: str
) -> AsyncIterator[None]:
    """Measure while the body runs and journal the gap at its end; None measures nothing."""
    if proof is None:
        yield
        return
    async with proof.prover or contextlib.nullcontext():
        for load in proof.loads:
            load.begin()
        await project.clock.sleep(BASELINE)
        proof.mark_change()
        showing = asyncio.create_task(_show(proof, project, worker, rollout))
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    await asyncio.gather(*(load.finish() for load in proof.loads))
    event = _event("prove.finished", proof, project, rollout)
    worker.observer(project.journal.append(event))


async def _show(proof: Proof, project: Project, worker: Worker, rollout: str) -> None:
    while True:
        await project.clock.sleep(EVERY)
        worker.observer(_event("prove.reading", proof, project, rollout))


def _event(kind: str, proof: Proof, project: Project, rollout: str) -> Event:
    return Event(kind, rollout=rollout, ts=project.clock.now(), data=proof.to_json())


def _prover(config: ProveConfig | None, project: Project) -> Prover | None:
    if config is None or not config.asks:
        return None
    from gapless.prove.prover import Prover  # few rollouts are measured

    return Prover(config, project.clock)


def _clients(
    project: Project, plan: Plan, config: ProveConfig | None
) -> tuple[tuple[Load, ...], tuple[ClientView, ...]]:
    """One for each cluster of the plan."""
    from gapless.prove.client_view import ClientView
    from gapless.prove.load import Load

    planned, run = from_definitions(plan), secrets.token_hex(4)
    loads: list[Load] = []
    without: list[ClientView] = []
    for name, kind in _clusters(plan, planned):
        client = config.workloads.get(name) if config is not None else None
        client = client or WorkloadConfig()
        made = _workload(planned, name, client, run)
        if made is None:
            without.append(ClientView(name, kind, unmeasured=_no_client(name, kind)))
        else:
            loads.append(Load(name, made, client.rate, client.budget, project.clock, run))
    return tuple(loads), tuple(without)


def _clusters(plan: Plan, planned: ProjectConfig) -> Iterator[tuple[str, str]]:
    """Name and kind of each that has members to restart."""
    for service in plan.services:
        cluster = planned.services[service.name].cluster
        if cluster is not None:
            yield service.name, cluster.kind


def _workload(planned: ProjectConfig, name: str, client: WorkloadConfig, run: str) -> Any:
    from gapless.drivers.workloads.addresses import Addresses
    from gapless.drivers.workloads.making import Wish, workload

    service = planned.services[name]
    assert service.cluster is not None
    hosts = hosts_on(service.on, planned.hosts, groups_of(planned.hosts))
    addresses = Addresses(name, hosts, planned.hosts)
    return workload(Wish(name, service.cluster, client, addresses, run))


async def _open(load: Load) -> None:
    from gapless.prove.workload import NotDone

    try:
        await load.open()
    except NotDone as error:
        name, kind = load.service, load.workload.kind
        raise PreflightFailed(
            f"--prove cannot write and read as a client of {kind}, from where gapless runs",
            where=name,
            evidence=f"{load.workload.addresses}: {error}",
            next=f"set addresses, tls, user, password of prove.workloads.{name} in gapless.yaml, or"
            f" mend the cluster's own: what is not set there is taken from services.{name}.cluster",
        ) from None


def _no_client(name: str, kind: str) -> str:
    if kind in _DECLARED:
        return f"nothing says how a client of {kind} writes and reads"
    return f"gapless has no client of {kind}"


def _nothing_to_measure(project: Project, without: tuple[ClientView, ...]) -> UsageError:
    if not without:
        return _nothing_to_ask(project)
    one = without[0]
    return UsageError(
        f"--prove would measure nothing of {one.service}: {one.unmeasured}",
        where=str(project.path),
        next=f"add write and read under prove.workloads.{one.service}"
        if one.kind in _DECLARED
        else "add for example   prove: {command: [sh, -c, a client that writes and reads]}",
    )


def _nothing_to_ask(project: Project) -> UsageError:
    return UsageError(
        "--prove needs to know what to ask: the file has no prove section",
        where=str(project.path),
        next="add for example   prove: {url: http://shop.example/, rate: 20}",
    )


def refuse_nothing_to_ask(project: Project) -> None:
    """Before anything is planned. Raises UsageError when the file says nothing that could be
    measured."""
    config, services = project.config.prove, project.config.services.values()
    if (config is None or not config.asks) and all(one.cluster is None for one in services):
        raise _nothing_to_ask(project)


def front_door(project: Project) -> ProveConfig:
    """What is asked at the front door; UsageError when the file does not say."""
    if project.config.prove is None or not project.config.prove.asks:
        raise _nothing_to_ask(project)
    return project.config.prove
