"""Two units that are one instance: ``app@a`` and ``app@b``.

1. ``{slot}`` in the unit's name is the letter of the copy: mostly the instance of a template unit.
2. One of them runs. A replacement starts the other, and stops the first when traffic has moved.
3. The one that is stopped is also disabled, and the other enabled where it was: after a reboot the
   copy starts that was meant to run.
4. What is asked of the service as a whole is asked of the copy that serves; where none runs, of the
   one that a reboot would start, else of the first.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping

from gapless.config.releases import ReleaseConfig
from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes import systemd_files as files
from gapless.drivers.runtimes import systemd_handover as handover
from gapless.drivers.runtimes import systemd_view as view
from gapless.drivers.runtimes.base import Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.pair import Pair
from gapless.drivers.runtimes.paired import serving
from gapless.drivers.runtimes.systemd import SystemdRuntime, replacing
from gapless.drivers.transports.base import Transport
from gapless.model import Command, InstanceState, Observation, Verdict, VerdictStatus
from gapless.supervisor.spec import SLOTS
from gapless.supervisor.spec import filled as in_slot

_ENABLED = "enabled"


class SystemdCopy(SystemdRuntime):
    """The unit of one slot; ``other`` is that of the other."""

    def __init__(
        self,
        config: SystemdConfig,
        service: str,
        other: str,
        release: ReleaseConfig | None = None,
        *,
        hands_over: bool = False,
    ) -> None:
        super().__init__(config, service, release)
        self._other = other
        self._hands_over = hands_over

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """As for any unit; the other copy does not run beside it; and neither would be started with
        what is left of a handover."""
        found = (*await super().preflight(transport), await self._alone(transport))
        return found if self._hands_over else (*found, *await self._left_over(transport))

    async def _left_over(self, transport: Transport) -> tuple[Verdict, ...]:
        """Its variables are of an epoch that is over: whoever is started with them ends at once."""
        digests = await transport.digest([handover.path(self.unit), handover.path(self._other)])
        left = [path for path, digest in digests.items() if digest]
        if not left:
            return ()
        wanted = (
            "handover: {} in gapless.yaml, or none of it, in this order:"
            f" rm {shlex.join(left)}; systemctl daemon-reload; systemctl restart {self.unit}"
        )
        answer = "there are variables of a handover, and gapless.yaml knows of none"
        return (Verdict(VerdictStatus.FAIL, "handover", f"ls {left[0]}", answer, wanted),)

    async def _alone(self, transport: Transport) -> Verdict:
        state = view.state(await transport.unit(self._other, view.PROPERTIES))
        runs = state in (InstanceState.RUNNING, InstanceState.STARTING)
        return Verdict(
            VerdictStatus.FAIL if runs else VerdictStatus.PASS,
            "copies",
            f"systemctl status {self._other}",
            f"{self._other} is {state.value} beside {self.unit}",
            f"one of them; gapless resume, or: systemctl stop {self._other}",
        )

    async def ending(
        self, transport: Transport, back_to: RuntimeSnapshot | None = None
    ) -> Replacement:
        """Stop and disable it; what it was enabled for, the other is from then on."""
        shown = await self._show(transport)
        if back_to is not None and back_to.absent:
            return await self.restoration(transport, back_to)
        lasts = shown.get("UnitFileState") == _ENABLED
        moved = (_enable(self._config, self._other), self._systemctl("disable")) if lasts else ()
        back = await self._files_back(transport, back_to, shown) if back_to else ()
        # a unit that never failed may be unloaded by now: what ends the action must not be that
        state = Command(("systemctl", "show", "--property=ActiveState", "--", self.unit))
        return replacing("remove", (*moved, self._stop(shown), *back, *self._clear(), state))

    async def _files_back(
        self, transport: Transport, snapshot: RuntimeSnapshot, shown: Mapping[str, str]
    ) -> tuple[Command, ...]:
        await files.complete(transport, snapshot)
        back = await files.put_back(
            transport, self.unit, snapshot, view.fragments(shown), self._config.command_timeout
        )
        return (*back, self._systemctl("daemon-reload")) if back else ()

    async def prepare(
        self, transport: Transport, variables: Mapping[str, str]
    ) -> tuple[Command, ...]:
        """See ``HandsOver``."""
        return handover.prepare(self.unit, variables)

    async def disarm(self, transport: Transport) -> tuple[Command, ...]:
        """What a reboot starts from now on is the other."""
        shown = await self._show(transport)
        lasts = shown.get("UnitFileState") == _ENABLED
        moved = (_enable(self._config, self._other), self._systemctl("disable")) if lasts else ()
        return (*moved, *handover.disarm(self.unit))

    async def rearm(self, transport: Transport) -> tuple[Command, ...]:
        """What a reboot starts is this one again, where it was one of the two."""
        other = await transport.unit(self._other, view.PROPERTIES)
        lasts = other.get("UnitFileState") == _ENABLED
        moved = (self._systemctl("enable"), _disable(self._config, self._other)) if lasts else ()
        return (*moved, *handover.rearm(self.unit))

    async def forget(self, transport: Transport) -> tuple[Command, ...]:
        """See ``HandsOver``."""
        return handover.forget(self.unit)

    async def account(self, transport: Transport) -> str:
        """``User=``; a unit that is not there yet says nothing."""
        shown = await transport.unit(self.unit, ("User", "LoadState"))
        return shown.get("User", "")

    def end_by_hand(self) -> str:
        """Not after a reboot either."""
        return f"sudo systemctl disable --now {shlex.quote(self.unit)}"

    def home(self, host: str, now: Observation) -> str:
        """Both copies are of one template."""
        live = now.detail.get("FragmentPath", "")
        return live if live.startswith("/etc/") else f"/etc/systemd/system/{template(self.unit)}"


class SystemdPair(Pair[SystemdCopy]):
    """Both copies of a service, the same on every host."""

    def __init__(
        self,
        config: SystemdConfig,
        service: str,
        release: ReleaseConfig | None = None,
        *,
        hands_over: bool = False,
    ) -> None:
        """``hands_over``: its copies do so, by the variables that they are given."""
        units = [in_slot(config.unit, slot) for slot in SLOTS]
        self._config = config
        super().__init__(
            {
                slot: SystemdCopy(
                    config.model_copy(update={"unit": unit}),
                    service,
                    other,
                    release,
                    hands_over=hands_over,
                )
                for slot, unit, other in zip(SLOTS, units, reversed(units), strict=True)
            }
        )

    async def live(self, transport: Transport) -> str:
        """See ``Paired``."""
        seen = await self._observed(transport)
        lasting = [slot for slot in seen if seen[slot].detail.get("UnitFileState") == _ENABLED]
        return serving(seen, lasting)

    @property
    def unit(self) -> str:
        """Both, for people."""
        return self._config.unit

    def look(self, host: str) -> str:
        """Both."""
        return f"systemctl status {' '.join(self._copies[slot].unit for slot in SLOTS)}"

    async def _observed(self, transport: Transport) -> dict[str, Observation]:
        seen = await asyncio.gather(*(copy.observe(transport) for copy in self._copies.values()))
        return dict(zip(self._copies, seen, strict=True))


def template(unit: str) -> str:
    """The file a unit comes from: ``app@.service`` of ``app@a.service``."""
    prefix, at, rest = unit.partition("@")
    return f"{prefix}@.{rest.rpartition('.')[2]}" if at else unit


def _enable(config: SystemdConfig, unit: str) -> Command:
    return Command(("systemctl", "enable", "--", unit), timeout=config.command_timeout)


def _disable(config: SystemdConfig, unit: str) -> Command:
    return Command(("systemctl", "disable", "--", unit), timeout=config.command_timeout)
