"""What runs where, asked now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gapless.drivers.balancers.base import MemberState
from gapless.drivers.checks import asking
from gapless.drivers.runtimes.own_check import asked_of
from gapless.drivers.runtimes.paired import Paired, beside, copy_of
from gapless.engine.missed import Missed
from gapless.engine.project_assembly import ProjectAssembly
from gapless.engine.steps.health import worst
from gapless.errors import GaplessError
from gapless.inventory.inventory import Inventory
from gapless.model import Instance, InstanceState, Observation, Verdict, VerdictStatus
from gapless.places import claim_name

_RUNS = (InstanceState.RUNNING, InstanceState.STARTING, InstanceState.STOPPING)


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One instance. ``since`` seconds since the epoch; ``serving`` what its balancers report
    ("" without one); ``verdict`` INCONCLUSIVE when nobody could be asked."""

    service: str
    host: str
    state: str
    release: str = ""
    identity: str = ""
    since: float | None = None
    restarts: int | None = None
    serving: str = ""
    verdict: Verdict | None = None
    error: str = ""
    last_good: str = ""
    """The release that was verified last, where that is not the one that is linked now."""
    behind: str = ""
    """The verified release that it missed and does not run."""
    config: str = ""
    """Mark of its configuration files as they are now; "" where a deploy brings none."""
    config_good: str = ""
    """The mark that was verified last, where that is another one."""
    by_hand: Mapping[str, Any] = field(default_factory=dict)
    """Who drained it by hand (actor), when (since, seconds since the epoch) and why (reason)."""
    has_it_in: tuple[str, ...] = ()
    """Balancers that report it up though it was drained by hand."""
    slot: str = ""
    """Which of two copies it is, where both run now."""

    @property
    def healthy(self) -> bool:
        """Whether it runs and its checks passed."""
        return self.state == "running" and (self.verdict is None or self.verdict.passed)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "service": self.service,
            "host": self.host,
            "state": self.state,
            "release": self.release,
            "identity": self.identity,
            "since": self.since,
            "restarts": self.restarts,
            "serving": self.serving,
            "verdict": self.verdict.to_json() if self.verdict else None,
            "error": self.error,
            "last_good": self.last_good,
            "behind": self.behind,
            "config": self.config,
            "config_good": self.config_good,
            "by_hand": dict(self.by_hand),
            "has_it_in": list(self.has_it_in),
            "slot": self.slot,
        }


async def ask_status(
    assembly: ProjectAssembly, inventory: Inventory, services: Sequence[str]
) -> list[StatusRow]:
    """One row per instance, in the order of the file; two where two copies of it run, the one that
    has run longer first."""
    instances = [i for name in services for i in inventory.instances(name)]
    gate = asyncio.Semaphore(assembly.config.defaults.connections)

    async def ask(instance: Instance) -> list[StatusRow]:
        async with gate:
            slots = await _running(assembly, instance)
            return [await _row(assembly, instance, slot) for slot in slots]

    asked = await asyncio.gather(*(ask(instance) for instance in instances))
    return [row for rows in asked for row in rows]


def with_behind(
    rows: Sequence[StatusRow], missed: Mapping[str, Sequence[Missed]]
) -> list[StatusRow]:
    """The rows with what each instance missed, unless it runs that by now."""
    due = {(n, host): m.name for n, found in missed.items() for m in found for host in m.hosts}
    return [
        replace(row, behind=name)
        if (name := due.get((row.service, row.host), "")) and name != row.release
        else row
        for row in rows
    ]


async def _running(assembly: ProjectAssembly, instance: Instance) -> tuple[str, ...]:
    """The slots of its copies, where both run; else "", for the one that there is."""
    transport = assembly.transport(instance.host)
    runtime = assembly.runtime(instance.service, instance.host)
    if not isinstance(runtime, Paired):
        return ("",)
    try:
        await transport.connect()
        first = await runtime.live(transport)
        other = await runtime.copy(beside(first)).observe(transport)
    except GaplessError:  # the row tells of it
        return ("",)
    return (first, beside(first)) if first and other.state in _RUNS else ("",)


async def _row(assembly: ProjectAssembly, instance: Instance, slot: str) -> StatusRow:
    service, host = instance.service, instance.host
    transport = assembly.transport(host)
    try:
        await transport.connect()
        runtime, instance = await copy_of(
            assembly.runtime(service, host), transport, instance, slot
        )
        seen = await runtime.observe(transport)
        release = assembly.release(service)
        current = await release.current(transport) if release else None
        linked = current.name if current else ""
        probes = await asked_of(runtime, transport, assembly.health(instance, linked))
        verdicts = await asking.once(transport, lambda: assembly.transport(""), probes)
        serving, up_in = await _serving(assembly, instance)
        by_hand = await _by_hand(assembly, instance)
        files = assembly.config_files(service)
        config = (await files.live(transport)).mark if files else ""
        good, config_good = await _last_good(assembly, instance) if release or files else ("", "")
    except GaplessError as error:
        unknown = Verdict(VerdictStatus.INCONCLUSIVE, "contact", f"ask {host}", error.what)
        return StatusRow(service, host, "unknown", verdict=unknown, error=str(error))
    verdict = worst(verdicts) or (verdicts[-1] if verdicts else None)
    if seen.state is InstanceState.UNKNOWN:  # then what the checks say is not all there is to say
        verdict = _unknown(runtime.look(host), seen)
    if seen.state is InstanceState.FAILED and seen.detail.get("status"):  # how it ended says more
        asked, how = runtime.look(host), seen.detail["status"]
        verdict = Verdict(VerdictStatus.FAIL, "status", asked, how, "running")
    return StatusRow(
        service,
        host,
        seen.state.value,
        linked or seen.detail.get("image", ""),
        seen.identity,
        seen.since,
        seen.restarts,
        serving,
        verdict,
        last_good=good if release and good != linked else "",
        config=config,
        config_good=config_good if config_good != config else "",
        by_hand=by_hand,
        has_it_in=up_in if by_hand else (),
        slot=slot,
    )


async def _by_hand(assembly: ProjectAssembly, instance: Instance) -> Mapping[str, Any]:
    """What its host remembers of who drained it; empty where nothing sends it traffic."""
    if not assembly.balancers(instance.service):
        return {}
    name = claim_name(assembly.project, instance.service, instance.host)
    known = await assembly.transport(instance.host).recall(name)
    found: Mapping[str, Any] = known.get("by_hand") or {}
    return found


async def _last_good(assembly: ProjectAssembly, instance: Instance) -> tuple[str, str]:
    """The release its host remembers as verified, and the mark of the configuration; "" for what it
    does not remember, what another environment brought, or what another controller marked."""
    name = claim_name(assembly.project, instance.service, instance.host)
    known = await assembly.transport(instance.host).recall(name)
    good = known.get("last_good") or {}
    here = assembly.config.environment or ""
    if good.get("environment", here) != here:
        return "", ""
    files, mark = (
        assembly.config_files(instance.service),
        (good.get("config") or {}).get("mark", ""),
    )
    ours = files is not None and files.marks.knows(mark)
    return str((good.get("release") or {}).get("name", "")), mark if ours else ""


def _unknown(asked: str, seen: Observation) -> Verdict:
    said = seen.detail.get("status", "") or "its state is not known"
    return Verdict(VerdictStatus.INCONCLUSIVE, "status", asked, said)


async def _serving(assembly: ProjectAssembly, instance: Instance) -> tuple[str, tuple[str, ...]]:
    """What its balancers report, and those of them that report it up."""
    states: set[str] = set()
    up_in: list[str] = []
    for balancer in assembly.balancers(instance.service):
        try:
            for node in balancer.hosts:
                await assembly.transport(node).connect()
            members = await balancer.members(instance)
        except GaplessError as error:
            return f"{balancer.name}: {error.what}", tuple(up_in)
        states.update(member.state.value for member in members)
        if any(member.state is MemberState.UP for member in members):
            up_in.append(balancer.name)
    return "/".join(sorted(states)), tuple(up_in)
