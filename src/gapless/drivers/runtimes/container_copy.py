"""One of the two containers that an instance may have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.base import Refusal, Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.container_source import Source, Whole
from gapless.drivers.runtimes.container_view import Container, Sight
from gapless.drivers.runtimes.paired import beside
from gapless.drivers.transports.base import Probe, Transport
from gapless.errors import HostFault
from gapless.model import Command, Completed, InstanceState, Observation, Verdict, VerdictStatus

_LINES = 20
_TEST = 30.0
"""Seconds a test may take, as with the engine."""
_MARGIN = 30.0
"""Seconds an action gets on top of its commands' own limits."""


class ContainerCopy:
    """The container in a slot, whether it is there or not. ``alone``: never two at a time."""

    def __init__(self, source: Source, slot: str, *, alone: bool) -> None:
        self._source = source
        self._orders = source.orders
        self._slot = slot
        self._alone = alone
        self._given: dict[str, Mapping[str, str]] = {}

    @property
    def unit(self) -> str:
        """There is none."""
        return ""

    async def observe(self, transport: Transport) -> Observation:
        """Unknown without an answer of the engine, and why."""
        try:
            seen, one = await self._seen(transport)
        except HostFault as error:
            return Observation(InstanceState.UNKNOWN, detail={"status": error.what})
        return view.observation(one, self._orders.config.reach, seen.images)

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Whether it can be replaced."""
        try:
            whole = await self._source.whole(transport, self._slot)
            return await self.examine(transport, whole)
        except HostFault as error:
            return (self.silence(error),)

    async def examine(self, transport: Transport, whole: Whole) -> tuple[Verdict, ...]:
        """The same, of what was seen already."""
        return (*await self._source.examine(transport, whole, alone=self._alone),)

    async def makeable(self, transport: Transport, release: str) -> Sequence[Verdict]:
        """See ``ComesWithRelease``."""
        try:
            return await self._source.makeable(transport, release, alone=self._alone)
        except HostFault as error:
            return (self.silence(error),)

    async def own_check(self, transport: Transport) -> tuple[Probe, ...]:
        """Its HEALTHCHECK, asked by us."""
        _, one = await self._seen(transport)
        if one is None:
            return ()
        spec = {"socket": self._orders.config.socket, "id": one.id, "name": one.name}
        return (Probe("healthcheck", "container", spec, _TEST),)

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """On the host, in a file for root alone: its environment may hold secrets."""
        _, one = await self._seen(transport)
        if one is None:
            return RuntimeSnapshot(stored=folder, facts={"absent": "yes"})
        file = f"{folder}/container.json"
        copied = await self._source.copied(transport, one)
        try:
            await transport.keep(self._orders.config.socket, one.id, file, copied)
        except HostFault as error:
            what, told = "the container cannot be kept", f"{error.what}\n{error.evidence}".strip()
            raise HostFault(what, where=transport.host, evidence=told) from error
        facts = {"container": one.name, "image": one.image, "file": file}
        return RuntimeSnapshot(stored=folder, facts=facts)

    async def fingerprint(self, transport: Transport) -> str:
        """What it was made of, and what is written now."""
        return (await self._source.whole(transport, self._slot)).fingerprint

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """A new container, as it is written now; what is in the slot goes before."""
        seen, one = await self._seen(transport)
        made = await self._source.making(transport, self._slot, seen)
        manner = "restart" if seen.copies else "install"
        return _replacement(manner, (*self._end(one), self._handing(transport, made)))

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Made again as it was, of the same image."""
        seen, one = await self._seen(transport)
        if snapshot.absent:
            return _replacement("remove", self._end(one) or (self._orders.nothing(self._slot),))
        file, other = str(snapshot.facts["file"]), self._other(seen)
        again = self._orders.again(file, self._slot, seen.generation, other)
        return _replacement("restart", (*self._end(one), self._handing(transport, again)))

    async def ending(
        self, transport: Transport, back_to: RuntimeSnapshot | None = None
    ) -> Replacement:
        """Stop and remove it by its id: nothing of it comes back with the engine."""
        _, one = await self._seen(transport)
        return _replacement("remove", self._end(one) or (self._orders.nothing(self._slot),))

    def _end(self, one: Container | None) -> tuple[Command, ...]:
        return self._orders.end(one) if one else ()

    async def prepare(
        self, transport: Transport, variables: Mapping[str, str]
    ) -> tuple[Command, ...]:
        """See ``HandsOver``. They become part of the container that is made next; whoever goes on
        after a crash prepares it again before that."""
        self._given[transport.host] = variables
        return (self._orders.nothing(self._slot),)

    def _handing(self, transport: Transport, making: Command) -> Command:
        given = self._given.get(transport.host)
        env = {"GAPLESS_HANDOVER": json.dumps(dict(given))} if given else {}
        return replace(making, env={**making.env, **env})

    async def disarm(self, transport: Transport) -> tuple[Command, ...]:
        """See ``HandsOver``. What is stopped does not come back with the engine either."""
        _, one = await self._seen(transport)
        return (self._orders.disarm(one) if one else self._orders.nothing(self._slot),)

    async def rearm(self, transport: Transport) -> tuple[Command, ...]:
        """See ``HandsOver``."""
        _, one = await self._seen(transport)
        return (self._orders.rearm(one) if one else self._orders.nothing(self._slot),)

    async def forget(self, transport: Transport) -> tuple[Command, ...]:
        """See ``HandsOver``. They went with the container."""
        self._given.pop(transport.host, None)
        return (self._orders.nothing(self._slot),)

    async def account(self, transport: Transport) -> str:
        """The uid that it was told to be, or root. What a name means, only its image knows; and
        before there is a container nobody does."""
        seen, one = await self._seen(transport)
        one = one or self._other(seen)
        if one is None:
            return ""
        done = await transport.run(self._orders.account(one))
        user = done.stdout.strip().partition(":")[0] or "0"
        return user if done.ok and user.isdigit() else ""

    def end_by_hand(self) -> str:
        """Whatever its name is by then."""
        return self._orders.end_by_hand(self._slot)

    def home(self, host: str, now: Observation) -> str:
        """A deploy brings no file but the release."""
        return ""

    def refusal(self, last: Completed) -> Refusal | None:
        """The last word of who makes them: their commands are long."""
        if last.timed_out:
            return None
        *before, told = last.stderr.strip().splitlines() or [""]
        return Refusal(told, "\n".join(_besides(told, before[-9:]))) if told else None

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """A new container, or one that was started anew."""
        return bool(now.identity) and now.identity != before.identity

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """There is no unit to watch; the checks do, and the identity is compared at the end."""
        return {}

    async def log(self, transport: Transport, since: float) -> str:
        """Also of one that has ended."""
        _, one = await self._seen(transport)
        if one is None:
            return ""
        done = await transport.run(self._orders.log(one, since, _LINES))
        return f"{done.stdout}{done.stderr}".strip()

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """What a person can do without us: what is written now."""
        if snapshot.absent:
            return (self.end_by_hand(),)
        return (self.look(""), self._orders.up_by_hand())

    def look(self, host: str) -> str:
        """All of the service."""
        return self._orders.look()

    def silence(self, error: HostFault) -> Verdict:
        """Nothing is known."""
        asked, by_hand = self._orders.silent()
        wanted = f"an answer; on {error.where}: {by_hand}"
        return Verdict(VerdictStatus.INCONCLUSIVE, "engine", asked, error.what, wanted)

    def _other(self, seen: Sight) -> Container | None:
        return seen.in_slots().get(beside(self._slot))

    async def _seen(self, transport: Transport) -> tuple[Sight, Container | None]:
        seen = await self._source.sight(transport)
        return seen, seen.in_slots().get(self._slot)


def _besides(told: str, before: Iterable[str]) -> Iterator[str]:
    """What was said before the last word, without what that says: compose tells a reason twice."""
    reason = told.removeprefix("Error response from daemon: ")
    for line in before:
        if rest := line.replace(reason, "").strip():
            yield rest


def _replacement(manner: str, commands: tuple[Command, ...]) -> Replacement:
    limit = sum(command.timeout for command in commands) + _MARGIN
    return Replacement(manner, commands, limit)
