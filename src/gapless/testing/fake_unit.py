"""A systemd unit that lives in virtual time: it starts, answers, reloads, crashes, comes back.

What it does is a ``Behaviour``, chosen anew at every start: the next of ``unit.next_starts``, else
the one ``unit.behaviours`` has for the release that is live at that moment, else ``unit.normal``.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gapless.model import Instance

if TYPE_CHECKING:
    from gapless.testing.fake_host import FakeHost

START_LIMIT = (5, 10.0)
"""systemd's default: five starts in ten seconds, then start-limit-hit."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a program behaves from its start on. Seconds throughout; None: never.

    ``start`` until READY (a unit of Type=simple is active at once), ``healthy_after`` from then
    until its checks pass, ``crash_after``/``unhealthy_after`` counted from active, too. ``status``,
    ``body`` and ``headers`` are what it answers over HTTP while healthy.
    """

    start: float = 0.3
    healthy_after: float | None = 0.2
    stop: float = 0.1
    crash_after: float | None = None
    unhealthy_after: float | None = None
    start_fails: bool = False
    reload_takes: float = 0.05
    reload_fails: bool = False
    reload_ignored: bool = False
    """The reload command succeeds and nothing happens."""
    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    answers_after: float = 0.001
    says: tuple[bytes, ...] = ()
    """Lines it writes into the journal when it starts."""


_TEMPLATE = re.compile(r"@[^.@]+\.")
HEALTHY = Behaviour()
NEVER_READY = Behaviour(healthy_after=None)
NEVER_STARTS = Behaviour(start_fails=True)


class FakeUnit:
    """One unit on one host. Settings are plain attributes; set them before it is used."""

    def __init__(
        self,
        host: FakeHost,
        name: str,
        *,
        service: str = "",
        slot: str = "",
        place: str = "",
        behaviour: Behaviour = HEALTHY,
        type: str = "notify",  # noqa: A002 - systemd's word
        restart: bool = True,
        restart_after: float = 0.1,
        can_reload: bool = False,
        port: int = 0,
        release_link: str = "",
        timeout_start: float = 90.0,
        timeout_stop: float = 90.0,
        enabled: bool = True,
        requires: tuple[str, ...] = (),
    ) -> None:
        self.host = host
        self.name = name
        self.service = service or name.removesuffix(".service")
        self.slot = slot
        self.place = place or host.name
        """Where its instance is, on a host that has several of it (see ``places``)."""
        self.normal = behaviour
        self.behaviours: dict[str, Behaviour] = {}
        self.next_starts: list[Behaviour] = []
        self.type = type
        self.restart_always = restart
        self.restart_after = restart_after
        self.start_limit = START_LIMIT
        self.can_reload = can_reload
        self.port = port
        self.sockets: tuple[str, ...] = ()
        self.release_link = release_link
        self.timeout_start = timeout_start
        self.timeout_stop = timeout_stop
        self.enabled = enabled
        self.requires = requires
        self.extra: dict[str, str] = {}
        """Properties told instead of the simulated ones."""
        self.fragment = f"/etc/systemd/system/{_TEMPLATE.sub('@.', name)}"
        self.loaded: dict[str, bytes] = {}
        self._seen: tuple[int, dict[str, bytes]] = (-1, {})
        self.active, self.sub, self.result = "inactive", "dead", "success"
        self.healthy = False
        self.behaviour = behaviour
        self.version = ""
        self.invocation = ""
        self.main_pid = self.restarts = self.exit_status = 0
        self.entered = self.changed_at = self.left = self.stopped = 0.0
        self.log: list[tuple[float, str, bytes]] = []
        """Its journal: the host's wall clock, the incarnation, a line as it was written."""
        self._timers: list[asyncio.TimerHandle] = []
        self._starts: list[float] = []

    @property
    def instance(self) -> Instance:
        """The copy it is."""
        return Instance(self.service, self.place, self.slot)

    @property
    def running(self) -> bool:
        """Whether a process of it is up (also while it reloads)."""
        return self.active in ("active", "reloading")

    @property
    def serving(self) -> bool:
        """Whether a request sent to it now would be answered well."""
        return self.running and self.healthy

    # -- what systemctl asks of it ---------------------------------------------------------------

    async def start(self) -> str:
        """``systemctl start``: "" or what is printed when it fails."""
        if self.running:
            return ""
        self._record("start")
        return await self._launch()

    async def stop(self) -> str:
        """``systemctl stop``."""
        self._record("stop")
        await self._halt()
        return ""

    async def restart(self) -> str:
        """``systemctl restart``."""
        self._record("restart")
        if self.running or self.active in ("activating", "deactivating"):
            await self._halt()
        return await self._launch()

    async def reload(self) -> str:
        """``systemctl reload``."""
        if not self.can_reload:
            return f"Job type reload is not applicable for unit {self.name}."
        if self.active != "active":
            return f"{self.name} is not active, cannot reload."
        self._record("reload")
        self._become("reloading", "reload")
        await asyncio.sleep(self.behaviour.reload_takes)
        if self.active != "reloading":  # it died meanwhile
            return f"Job for {self.name} failed."
        self._become("active", "running")
        if self.behaviour.reload_fails:
            return f"Job for {self.name} failed because the control process exited with error code."
        if not self.behaviour.reload_ignored:
            self._adopt()
        return ""

    def reset_failed(self) -> None:
        """``systemctl reset-failed``."""
        self._starts.clear()
        self.restarts = 0
        if self.active == "failed":
            self.result = "success"
            self._become("inactive", "dead")

    # -- what happens to it ----------------------------------------------------------------------

    def crash(self, status: int = 1) -> None:
        """The main process dies by itself."""
        self._cancel_timers()
        self.healthy, self.main_pid, self.exit_status = False, 0, status
        self.result = "exit-code"
        self.say(f"main process exited, code=exited, status={status}")
        self.host.world.record(self.place, self.name, "crash")
        self._after_death()

    def end(self, *, again: bool) -> None:
        """The main process ends by itself, and well; ``again``: its unit starts it anew."""
        self._cancel_timers()
        self.healthy, self.main_pid, self.exit_status = False, 0, 0
        self.result = "success"
        self.host.world.record(self.place, self.name, "end")
        if again and self.restart_always:
            self._after_death()
        else:
            self._become("inactive", "dead")

    def power_off(self) -> None:
        """The host went down under it."""
        self._cancel_timers()
        self.healthy, self.main_pid, self.invocation, self.restarts = False, 0, "", 0
        self._starts.clear()
        self.result = "success"
        self._become("inactive", "dead")

    def boot(self) -> None:
        """The host came up; an enabled unit starts."""
        self.load()
        if self.enabled:
            self._record("boot")
            self.host.spawn(self._launch())

    def run_already(self) -> FakeUnit:
        """Make it running and healthy right now, as it was found; returns itself."""
        self.load()
        self._adopt_version()
        self.behaviour = self.behaviours.get(self.version, self.normal)
        self.invocation, self.main_pid = self.host.world.new_identity()
        self.healthy = True
        self.entered = self.changed_at = self.host.world.clock.monotonic() - 86_400.0
        self.active, self.sub = "active", "running"
        return self

    def become_unhealthy(self) -> None:
        """It runs on and answers badly."""
        self.healthy = False
        self.host.changed(f"{self.name} unhealthy")

    def say(self, line: str | bytes) -> None:
        """A line in the journal."""
        written = line.encode() if isinstance(line, str) else line
        self.log.append((self.host.now(), self.invocation, written))

    # -- its files -------------------------------------------------------------------------------

    def fragments(self) -> tuple[str, ...]:
        """Fragment and drop-ins as they are on the disk, in systemd's order."""
        files = self.host.files
        folder = f"{self.fragment}.d"
        names = files.children(folder) if files.exists(folder) else []
        dropins = [f"{folder}/{name}" for name in names if name.endswith(".conf")]
        return (*([self.fragment] if files.exists(self.fragment) else []), *dropins)

    def load(self) -> None:
        """``daemon-reload``: what is on the disk becomes what is known."""
        self.loaded = self._on_disk()

    def _on_disk(self) -> dict[str, bytes]:
        """The fragments' content; read anew only when a file of the host has changed."""
        files = self.host.files
        if self._seen[0] != files.version:
            self._seen = files.version, {path: files.read(path) for path in self.fragments()}
        return self._seen[1]

    def properties(self) -> Mapping[str, str]:
        """As ``systemctl show`` prints them."""
        on_disk = self._on_disk()
        known = self.fragment in self.loaded or self.active != "inactive"
        masked = self.host.files.node(self.fragment, follow=False)
        load = "loaded" if known else "not-found"
        if masked is not None and masked.kind == "link" and masked.target == "/dev/null":
            load = "masked"
        dropins = [path for path in self.loaded if path != self.fragment]
        return {
            "Id": self.name,
            "LoadState": load,
            "ActiveState": self.active,
            "SubState": self.sub,
            "Result": self.result,
            "NRestarts": str(self.restarts),
            "InvocationID": self.invocation,
            "MainPID": str(self.main_pid),
            "ActiveEnterTimestamp": _stamp(self.host.wall(self.entered)),
            "ActiveEnterTimestampMonotonic": _micros(self.entered),
            "StateChangeTimestampMonotonic": _micros(self.changed_at),
            "ActiveExitTimestampMonotonic": _micros(self.left),
            "InactiveEnterTimestampMonotonic": _micros(self.stopped),
            "FragmentPath": self.fragment if known else "",
            "DropInPaths": " ".join(dropins),
            "NeedDaemonReload": "yes" if on_disk != self.loaded and known else "no",
            "Type": self.type,
            "TimeoutStartUSec": _span(self.timeout_start),
            "TimeoutStopUSec": _span(self.timeout_stop),
            "CanReload": "yes" if self.can_reload else "no",
            "Job": "",
            "WorkingDirectory": self.release_link,
            "ExecMainStatus": str(self.exit_status),
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "Requires": " ".join(("sysinit.target", "system.slice", *self.requires)),
            "BindsTo": "",
            "Requisite": "",
            **self.extra,
        }

    # -- inside ----------------------------------------------------------------------------------

    async def _launch(self) -> str:
        self._cancel_timers()
        if self._limit_hit():
            self.result = "start-limit-hit"
            self._become("failed", "failed")
            return f"Job for {self.name} failed: start request repeated too quickly."
        self.behaviour = self._next_behaviour()
        self._adopt_version()
        self.invocation, self.main_pid = self.host.world.new_identity()
        self.result, self.exit_status = "success", 0
        self.say(f"Starting {self.name} {self.version}".rstrip())
        for line in self.behaviour.says:
            self.say(line)
        if self.type == "simple":
            self._enter_active()
            return ""
        return await self._notify_start()

    async def _notify_start(self) -> str:
        mine = self.invocation
        self._become("activating", "start")
        await asyncio.sleep(min(self.behaviour.start, self.timeout_start))
        if self.invocation != mine or self.active != "activating":
            return f"Job for {self.name} canceled."
        if self.behaviour.start > self.timeout_start:
            self.result = "timeout"
        elif self.behaviour.start_fails:
            self.result, self.exit_status = "exit-code", 1
        else:
            self._enter_active()
            return ""
        self.main_pid = 0
        self._after_death()
        return f"Job for {self.name} failed because the control process exited with error code."

    def _enter_active(self) -> None:
        self.entered = self.host.world.clock.monotonic()
        self._become("active", "running")
        if self.type == "simple" and self.behaviour.start_fails:
            self._later(min(self.behaviour.start, 0.05), self.crash)
            return
        delay = self.behaviour.start if self.type == "simple" else 0.0
        self._plan_health(delay)

    def _plan_health(self, delay: float) -> None:
        wanted = self.behaviour
        if wanted.healthy_after is not None:
            self._later(delay + wanted.healthy_after, self._become_healthy)
        if wanted.unhealthy_after is not None:
            self._later(delay + wanted.unhealthy_after, self.become_unhealthy)
        if wanted.crash_after is not None:
            self._later(wanted.crash_after, self.crash)

    def _adopt(self) -> None:
        """A reload took what is on the disk now; a good one is never unhealthy in between."""
        self._cancel_timers()
        self.behaviour = self._next_behaviour()
        self._adopt_version()
        self.healthy = self.healthy and self.behaviour.healthy_after is not None
        self._plan_health(0.0)
        self.host.changed(f"{self.name} reloaded")

    async def _halt(self) -> None:
        self._cancel_timers()
        self.healthy = False
        self._become("deactivating", "stop-sigterm")
        self.left = self.changed_at
        await asyncio.sleep(min(self.behaviour.stop, self.timeout_stop))
        self.result = "timeout" if self.behaviour.stop > self.timeout_stop else "success"
        self.main_pid = 0
        self._become("inactive", "dead")
        self.stopped = self.changed_at

    def _after_death(self) -> None:
        if not self.restart_always:
            self._become("failed", "failed")
            return
        self._become("activating", "auto-restart")
        self._later(self.restart_after, self._come_back)

    def _come_back(self) -> None:
        self.restarts += 1
        self.host.world.record(self.place, self.name, "auto-restart")
        self.host.spawn(self._launch())

    def _limit_hit(self) -> bool:
        burst, seconds = self.start_limit
        now = self.host.world.clock.monotonic()
        self._starts = [at for at in self._starts if now - at < seconds]
        self._starts.append(now)
        return len(self._starts) > burst

    def _next_behaviour(self) -> Behaviour:
        if self.next_starts:
            return self.next_starts.pop(0)
        return self.behaviours.get(self._live_version(), self.normal)

    def _adopt_version(self) -> None:
        self.version = self._live_version()

    def _live_version(self) -> str:
        if not self.release_link:
            return ""
        files = self.host.files
        node = files.node(self.release_link, follow=False)
        if node is not None and node.kind == "link":
            return node.target.rsplit("/", 1)[-1]
        version = f"{self.release_link}/VERSION"
        return files.read(version).decode().strip() if files.exists(version) else ""

    def _become_healthy(self) -> None:
        self.healthy = True
        self.say("ready")
        self.host.changed(f"{self.name} healthy")

    def _become(self, active: str, sub: str) -> None:
        self.active, self.sub = active, sub
        self.changed_at = self.host.world.clock.monotonic()
        self.host.changed(f"{self.name} {active} ({sub})")

    def _later(self, seconds: float, call: object) -> None:
        assert callable(call)
        if not math.isinf(seconds):
            self._timers.append(asyncio.get_running_loop().call_later(seconds, call))

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _record(self, what: str) -> None:
        self.host.world.record(self.place, self.name, what)


def _micros(seconds: float) -> str:
    # the virtual host had been up for ten days when time began
    return str(int((seconds + 864_000.0) * 1_000_000))


def _stamp(wall: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(wall, UTC).strftime("%a %Y-%m-%d %H:%M:%S UTC")


def _span(seconds: float) -> str:
    if math.isinf(seconds):
        return "infinity"
    minutes, rest = divmod(seconds, 60.0)
    parts = [f"{int(minutes)}min" if minutes else "", f"{rest:g}s" if rest or not minutes else ""]
    return " ".join(part for part in parts if part)
