"""One of the two containers that an instance may have."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.drivers.runtimes import compose_preflight as preflight
from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.base import Refusal, Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.compose_project import ComposeProject, Whole, Written
from gapless.drivers.runtimes.container_view import COMPOSE, Container, Sight
from gapless.drivers.runtimes.paired import beside
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault
from gapless.model import Command, Completed, InstanceState, Observation, Verdict, VerdictStatus

_LINES = 20
_MARGIN = 30.0
"""Seconds an action gets on top of its commands' own limits."""


class ComposeCopy:
    """The container in a slot, whether it is there or not. ``alone``: never two at a time."""

    def __init__(self, project: ComposeProject, slot: str, *, alone: bool) -> None:
        self._project = project
        self._orders = project.orders
        self._slot = slot
        self._alone = alone

    @property
    def unit(self) -> str:
        """There is none."""
        return ""

    async def observe(self, transport: Transport) -> Observation:
        """Unknown without an answer of the engine, and why."""
        try:
            _, one = await self._seen(transport)
        except HostFault as error:
            return Observation(InstanceState.UNKNOWN, detail={"status": error.what})
        return view.observation(one, self._orders.config.reach)

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Whether it can be replaced (see ``compose_preflight``)."""
        try:
            whole = await self._project.whole(transport, self._slot)
            return await self.examine(transport, whole)
        except HostFault as error:
            return (self.silence(error),)

    async def examine(self, transport: Transport, whole: Whole) -> tuple[Verdict, ...]:
        """The same, of what was seen already."""
        other = None if self._alone else await self._beside(transport, whole.written)
        return preflight.examine(self._orders, whole, other)

    async def _beside(self, transport: Transport, written: Written) -> Written:
        """What is written of the other copy. Only ports are compared."""
        if not written.ports or not self._orders.differs:
            return written
        return (await self._project.whole(transport, beside(self._slot))).written

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """On the host, in a file for root alone: its environment may hold secrets."""
        _, one = await self._seen(transport)
        if one is None:
            return RuntimeSnapshot(stored=folder, facts={"absent": "yes"})
        file = f"{folder}/container.json"
        done = await transport.run(self._orders.keep(one, file))
        if not done.ok:
            what, told = "the container cannot be kept", done.evidence()
            raise HostFault(what, where=transport.host, evidence=told)
        facts = {"container": one.name, "image": one.image, "file": file}
        return RuntimeSnapshot(stored=folder, facts=facts)

    async def fingerprint(self, transport: Transport) -> str:
        """What it was made of, and what the project says now."""
        return (await self._project.whole(transport, self._slot)).fingerprint

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """A new container, as the project is now; what is in the slot goes before."""
        seen, one = await self._seen(transport)
        project = await self._project.name(transport)
        others = sum(1 for other in seen.copies if other is not one)
        made = self._orders.make(project, self._slot, seen.generation, others)
        manner = "restart" if seen.copies else "install"
        return _replacement(manner, (*self._end(one), *made))

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Made again as it was, of the same image."""
        seen, one = await self._seen(transport)
        if snapshot.absent:
            return _replacement("remove", self._end(one) or (self._orders.nothing(self._slot),))
        again = self._orders.again(str(snapshot.facts["file"]), self._slot, seen.generation)
        return _replacement("restart", (*self._end(one), again))

    async def ending(
        self, transport: Transport, back_to: RuntimeSnapshot | None = None
    ) -> Replacement:
        """Stop and remove it by its id: nothing of it comes back with the engine."""
        _, one = await self._seen(transport)
        return _replacement("remove", self._end(one) or (self._orders.nothing(self._slot),))

    def _end(self, one: Container | None) -> tuple[Command, ...]:
        return self._orders.end(one) if one else ()

    def end_by_hand(self) -> str:
        """Whatever its name is by then."""
        return self._orders.end_by_hand(self._slot)

    def home(self, host: str, now: Observation) -> str:
        """A deploy brings no file but the release."""
        return ""

    def refusal(self, last: Completed) -> Refusal | None:
        """The last word of compose or the engine: their commands are long."""
        if last.timed_out:
            return None
        told = last.stderr.strip().splitlines()
        return Refusal(told[-1], "\n".join(told[-10:-1])) if told else None

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
        """What a person can do without us: the project as it is now."""
        if snapshot.absent:
            return (self.end_by_hand(),)
        return (self.look(""), self._orders.up_by_hand())

    def look(self, host: str) -> str:
        """All of the service."""
        wanted = f"label={COMPOSE}service={self._orders.service}"
        return self._orders.shown("ps", "--all", "--filter", wanted)

    def silence(self, error: HostFault) -> Verdict:
        """Nothing is known."""
        asked = self._orders.shown("compose", "config", "--quiet")
        return Verdict(
            VerdictStatus.INCONCLUSIVE,
            "engine",
            asked,
            error.what,
            f"an answer; on {error.where}: cd {self._orders.folder} && {asked}",
        )

    async def _seen(self, transport: Transport) -> tuple[Sight, Container | None]:
        seen = await self._project.sight(transport)
        return seen, seen.in_slots().get(self._slot)


def _replacement(manner: str, commands: tuple[Command, ...]) -> Replacement:
    limit = sum(command.timeout for command in commands) + _MARGIN
    return Replacement(manner, commands, limit)
