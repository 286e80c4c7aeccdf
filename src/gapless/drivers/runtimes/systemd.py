"""systemd units.

What replaces an instance, in order:

1. Staged unit files are moved into place.
2. ``daemon-reload`` when files were moved or changed behind systemd's back.
3. ``reload`` where it is asked for, possible and enough — new unit files need a restart.
4. Otherwise ``reset-failed`` (a start limit reached by earlier tries would refuse the start) and
   ``restart``, which blocks until the unit is active: with Type=notify, until it says READY.
5. A unit that was not there before is enabled, so that it comes back after a reboot, and started;
   going back stops it, disables it and moves its files aside.

The InvocationID is the identity: systemd gives a new one to each start, whoever asked for it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping

from gapless.config.releases import ReleaseConfig
from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes import systemd_files as files
from gapless.drivers.runtimes import systemd_preflight as preflight
from gapless.drivers.runtimes import systemd_view as view
from gapless.drivers.runtimes.base import Refusal, Replacement, RuntimeSnapshot
from gapless.drivers.transports.base import Transport
from gapless.errors import Refused
from gapless.model import Command, Completed, InstanceState, Observation, Verdict

_STEADY = ("InvocationID", "NRestarts", "MainPID", "ActiveState", "SubState")
_STEADY_ELSEWHERE = ("InvocationID", "ActiveState")
_MARGIN = 30.0
"""Seconds an action gets on top of its commands' own limits, for what the engine puts before."""


class SystemdRuntime:
    """One unit, the same on every host of a service."""

    def __init__(
        self,
        config: SystemdConfig,
        service: str,
        release: ReleaseConfig | None = None,
        *,
        stops: float = 0.0,
    ) -> None:
        """``stops``: seconds that it may need to stop, 0 where only its unit says that."""
        self._stops = stops
        self._config = config
        self._service = service
        self._release = release

    @property
    def unit(self) -> str:
        """Its full name."""
        return self._config.unit

    async def observe(self, transport: Transport) -> Observation:
        """State and identity."""
        return view.observation(await self._show(transport))

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Whether it is fit to be replaced (see ``systemd_preflight``)."""
        shown = await self._show(transport)
        return await preflight.examine(
            transport, self._config, shown, self._release, stops=self._stops
        )

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """Copies of all fragments (see ``systemd_files``)."""
        shown = await self._show(transport)
        facts = {name: shown.get(name, "") for name in ("UnitFileState", "FragmentPath")}
        if _absent(shown):
            facts["absent"] = "yes"
        return await files.keep(transport, view.fragments(shown), folder, facts)

    async def fingerprint(self, transport: Transport) -> str:
        """Digest of the unit file, a colon, and that of all fragments and of whether systemd knows
        them (see ``unit_file``)."""
        shown = await self._show(transport)
        digests = await transport.digest(view.fragments(shown))
        told = {"files": dict(digests), "known": shown.get("NeedDaemonReload", "no") != "yes"}
        rest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return f"{digests.get(shown.get('FragmentPath', ''), '')}:{rest}"

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """Reload or restart. Raises Refused where only a reload is allowed and it is not enough."""
        shown = await self._show(transport)
        placed = files.install(install, self._config.command_timeout)
        prepare = placed + self._take_in(bool(placed) or shown.get("NeedDaemonReload") == "yes")
        if placed and _absent(shown):
            enable = self._systemctl("enable")
            return replacing("install", (*prepare, enable, *self._start(shown)))
        restart = self._restart(shown)
        if self._config.reload == "no":
            return replacing("restart", prepare + restart)
        if reload_allowed and _can_reload(shown):
            fallback = restart if self._config.reload == "try" else ()
            return replacing("reload", prepare + self._reload(shown), fallback)
        if self._config.reload == "only":
            raise self._needs_restart(transport, bool(install))
        return replacing("restart", prepare + restart)

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Stop, put the files back, start. The unit is stopped and started even when no file
        differs: whoever asks for a restoration has switched something, if only the release. A
        running unit that must only be reloaded is reloaded."""
        shown = await self._show(transport)
        if snapshot.absent:
            return replacing("remove", await self._removal(transport, snapshot, shown))
        await files.complete(transport, snapshot)
        back = await files.put_back(
            transport, self.unit, snapshot, view.fragments(shown), self._config.command_timeout
        )
        back += self._take_in(bool(back) or shown.get("NeedDaemonReload") == "yes")
        if self._config.reload == "only" and _can_reload(shown):
            return replacing("reload", back + self._reload(shown))
        return replacing("restart", (self._stop(shown), *back, *self._start(shown)))

    async def _removal(
        self, transport: Transport, snapshot: RuntimeSnapshot, shown: Mapping[str, str]
    ) -> tuple[Command, ...]:
        # what of it fails shows in the state: the unit would still be there
        stop = self._systemctl("stop", limit=view.limit(shown, "TimeoutStopUSec"), check=False)
        disable = self._systemctl("disable", check=False)
        aside = await files.take_away(
            transport, self.unit, snapshot, view.fragments(shown), self._config.command_timeout
        )
        return (stop, *self._clear(), disable, *aside, self._systemctl("daemon-reload"))

    def home(self, host: str, now: Observation) -> str:
        """The unit may come from /usr/lib; an administrator's copy belongs into /etc."""
        live = now.detail.get("FragmentPath", "")
        return live if live.startswith("/etc/") else f"/etc/systemd/system/{self.unit}"

    def refusal(self, last: Completed) -> Refusal | None:
        """systemctl speaks for itself."""
        return None

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """A restart shows in a new InvocationID. A reload keeps it; that the unit went through
        "reloading" shows in the time of its last change of state, where systemd tells it."""
        renewed = bool(now.identity) and now.identity != before.identity
        if manner != "reload" or renewed:
            return renewed
        name = "StateChangeTimestampMonotonic"
        then, since = before.detail.get(name), now.detail.get(name)
        taken = then is None or since is None or then != since
        return now.state is InstanceState.RUNNING and taken

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """As it was when ready. After a reload the main process may be another one than before,
        but from then on it stays. Units other than services have no process."""
        names = _STEADY if self.unit.endswith(".service") else _STEADY_ELSEWHERE
        return {name: ready.detail[name] for name in names if name in ready.detail}

    async def log(self, transport: Transport, since: float) -> str:
        """From the journal."""
        return await transport.tail(self.unit, since)

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """Stop, restore, daemon-reload, forget the failures that forbid a start, start, look."""
        unit = shlex.quote(self.unit)
        if snapshot.absent:
            return (
                f"sudo systemctl disable --now {unit}",
                f"sudo rm /etc/systemd/system/{unit}",
                "sudo systemctl daemon-reload",
            )
        copies = [
            f"sudo cp -a {shlex.quote(snapshot.stored + path)} {shlex.quote(path)}"
            for path in snapshot.files
        ]
        return (
            f"sudo systemctl stop {unit}",
            *copies,
            "sudo systemctl daemon-reload",
            f"sudo systemctl reset-failed {unit}",
            f"sudo systemctl start {unit}",
            f"sudo systemctl status {unit}",
        )

    def look(self, host: str) -> str:
        """systemctl status."""
        return f"systemctl status {shlex.quote(self.unit)}"

    async def _show(self, transport: Transport) -> Mapping[str, str]:
        return await transport.unit(self.unit, view.PROPERTIES)

    def _take_in(self, needed: bool) -> tuple[Command, ...]:
        return (self._systemctl("daemon-reload"),) if needed else ()

    def _reload(self, shown: Mapping[str, str]) -> tuple[Command, ...]:
        return (self._systemctl("reload", limit=view.limit(shown, "TimeoutStartUSec")),)

    def _restart(self, shown: Mapping[str, str]) -> tuple[Command, ...]:
        limit = view.limit(shown, "TimeoutStopUSec") + view.limit(shown, "TimeoutStartUSec")
        return (*self._clear(), self._systemctl("restart", limit=limit))

    def _stop(self, shown: Mapping[str, str]) -> Command:
        return self._systemctl("stop", limit=self._stop_limit(shown))

    def _stop_limit(self, shown: Mapping[str, str]) -> float:
        return view.limit(shown, "TimeoutStopUSec")

    def _start(self, shown: Mapping[str, str]) -> tuple[Command, ...]:
        limit = view.limit(shown, "TimeoutStartUSec")
        return (*self._clear(), self._systemctl("start", limit=limit))

    def _clear(self) -> tuple[Command, ...]:
        # a unit that never failed may be unloaded by now, and then this is an error of no weight
        return (self._systemctl("reset-failed", check=False),)

    def _systemctl(self, verb: str, *, limit: float = 0.0, check: bool = True) -> Command:
        names = () if verb == "daemon-reload" else ("--", self.unit)
        timeout = self._config.command_timeout + limit
        return Command(("systemctl", verb, *names), timeout=timeout, check=check)

    def _needs_restart(self, transport: Transport, unit_file: bool) -> Refused:
        why = "a new unit file needs a restart" if unit_file else "it cannot reload now"
        return Refused(
            f"{why}, and reload: only forbids one",
            where=f"{self._service}@{transport.host}",
            next=f"reload: try in gapless.yaml, or: systemctl status {self.unit}",
        )


def replacing(
    manner: str, commands: tuple[Command, ...], fallback: tuple[Command, ...] = ()
) -> Replacement:
    """Commands with the time they may take together."""
    longest = max(_seconds(commands), _seconds(fallback))
    return Replacement(manner, commands, longest + _MARGIN, fallback)


def _seconds(commands: tuple[Command, ...]) -> float:
    return sum(command.timeout for command in commands)


def _absent(shown: Mapping[str, str]) -> bool:
    return shown.get("LoadState") == "not-found" and view.state(shown) is InstanceState.MISSING


def _can_reload(shown: Mapping[str, str]) -> bool:
    return shown.get("CanReload") == "yes" and view.state(shown) is InstanceState.RUNNING
