"""Two supervised processes that are one instance: ``bot-a`` and ``bot-b``.

1. ``{slot}`` in the name of the process is the letter of the copy. Each has a supervisor and a run
   file of its own; what is in the files is the same, and the name says which of the two is run.
2. One of them runs. A replacement starts the other, and stops the first when traffic has moved.
   Neither is ever flipped: a copy that is replaced in place is stopped and started.
3. Where no deploy brings the new copy's run file, it is that of the copy beside it.
4. With the copy that ends its run file goes, and with it all that could start it again; also the
   variables of one that handed over.
5. What is asked of the service as a whole is asked of the copy that serves; where none runs, of the
   one whose run file is there.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping

from gapless.config.process_service import ProcessRuntimeConfig
from gapless.drivers.runtimes import process_handover as handover
from gapless.drivers.runtimes import process_start as start
from gapless.drivers.runtimes import process_view as view
from gapless.drivers.runtimes.base import Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.pair import Pair
from gapless.drivers.runtimes.paired import beside, serving
from gapless.drivers.runtimes.process import ProcessRuntime, install_commands
from gapless.drivers.runtimes.process_view import Seen
from gapless.drivers.transports.base import Transport
from gapless.model import Command, InstanceState, Verdict, VerdictStatus
from gapless.supervisor.spec import SLOTS
from gapless.supervisor.spec import filled as in_slot

_ALONE = {
    InstanceState.STOPPED: VerdictStatus.PASS,
    InstanceState.FAILED: VerdictStatus.PASS,
    InstanceState.UNKNOWN: VerdictStatus.INCONCLUSIVE,
}
"""By the state of the other copy; one that starts or ends is one too many."""


class ProcessCopy(ProcessRuntime):
    """The process of one slot, whether it is there or not."""

    def __init__(
        self,
        config: ProcessRuntimeConfig,
        service: str,
        slot: str,
        *,
        state: Callable[[str], str],
    ) -> None:
        super().__init__(config, service, state=state)
        self.name = in_slot(config.name or "", slot)
        self._other = in_slot(config.name or "", beside(slot))

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """As for any process; and the other copy does not run beside it."""
        return (*await super().preflight(transport), await self._alone(transport))

    async def _alone(self, transport: Transport) -> Verdict:
        asked = self._gapless("run", "status", self._other, "--json")
        state = view.seen(await transport.run(asked), 0.0).observation.state
        return Verdict(
            _ALONE.get(state, VerdictStatus.FAIL),
            "copies",
            f"{self._config.gapless} run status {self._other}",
            f"{self._other} is {state.value} beside {self.name}",
            f"one of them; gapless resume, or: {self._stop_by_hand(self._other)}",
        )

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """Stop what is in the slot, and start it from the file that is brought, or there."""
        now = await self._seen(transport)
        placed = install_commands(install) or await self._as_beside(transport, now)
        manner = "install" if install and await self._is_first(transport) else "restart"
        return self._replacement(manner, (*placed, *await self._start(transport, now)))

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Keep, start or remove; never while a start is still under way."""
        await transport.run(self._gapless("run", "wait", self.name, timeout=self._limit))
        now = await self._seen(transport)
        if snapshot.absent:
            return self._replacement("remove", self._removal(transport.host, now))
        back = await self._put_back(transport, snapshot)
        running = now.observation.state is InstanceState.RUNNING
        if running and now.observation.identity == snapshot.facts.get("identity"):
            return self._replacement("keep", back or (self._status(),))
        return self._replacement("restart", (*back, *await self._start(transport, now)))

    async def ending(
        self, transport: Transport, back_to: RuntimeSnapshot | None = None
    ) -> Replacement:
        """Stop it and remove its files. Those of the other copy are its own."""
        now = await self._seen(transport)
        return self._replacement("remove", self._removal(transport.host, now))

    def _removal(self, host: str, now: Seen) -> tuple[Command, ...]:
        variables = handover.variables_file(self._file(host))
        return (*super()._removal(host, now), Command(("rm", "-f", "--", variables)))

    async def prepare(
        self, transport: Transport, variables: Mapping[str, str]
    ) -> tuple[Command, ...]:
        """See ``HandsOver``."""
        return handover.prepare(
            self._file(transport.host), await self._in_unit(transport), variables
        )

    async def disarm(self, transport: Transport) -> tuple[Command, ...]:
        """See ``HandsOver``. After a reboot neither copy is started."""
        return handover.disarm(await self._in_unit(transport))

    async def rearm(self, transport: Transport) -> tuple[Command, ...]:
        """See ``HandsOver``."""
        return handover.rearm(await self._in_unit(transport))

    async def forget(self, transport: Transport) -> tuple[Command, ...]:
        """See ``HandsOver``."""
        return handover.forget(self._file(transport.host), await self._in_unit(transport))

    async def account(self, transport: Transport) -> str:
        """``user:`` of the section; without it, that of whoever deploys."""
        return self._config.user or ""

    async def _in_unit(self, transport: Transport) -> str:
        """The unit in which its supervisor is started, where it is."""
        facts = await transport.facts()
        return start.unit_of(self.name) if start.in_a_unit(facts) else ""

    def look(self, host: str) -> str:
        """All that are supervised there: one that failed is gone when somebody looks."""
        return f"{self._config.gapless} run status"

    def end_by_hand(self) -> str:
        """Nothing starts it again without its supervisor."""
        return self._stop_by_hand(self.name)

    async def _as_beside(self, transport: Transport, now: Seen) -> tuple[Command, ...]:
        """The run file of the other copy, where there is none."""
        if now.observation.state is not InstanceState.MISSING:
            return ()
        there = self._file_of(transport.host, self._other)
        return install_commands({there: self._file(transport.host)})

    async def _is_first(self, transport: Transport) -> bool:
        names = (self.name, self._other)
        there = await transport.digest([self._file_of(transport.host, name) for name in names])
        return not any(there.values())

    def _stop_by_hand(self, name: str) -> str:
        return f"{shlex.quote(self._config.gapless)} run stop {name}"

    def _start_by_hand(self, gapless: str, file: str) -> str:
        return f"{gapless} run stop {self.name}; {gapless} run -c {file} --name {self.name}"


class ProcessPair(Pair[ProcessCopy]):
    """Both copies of a service, the same on every host. ``state`` as for one process."""

    def __init__(
        self, config: ProcessRuntimeConfig, service: str, *, state: Callable[[str], str]
    ) -> None:
        self._config = config
        super().__init__({slot: ProcessCopy(config, service, slot, state=state) for slot in SLOTS})

    async def live(self, transport: Transport) -> str:
        """See ``Paired``."""
        seen = await asyncio.gather(*(copy.observe(transport) for copy in self._copies.values()))
        return serving(dict(zip(self._copies, seen, strict=True)))

    @property
    def unit(self) -> str:
        """None that could be counted on."""
        return ""
