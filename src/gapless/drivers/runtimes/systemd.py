"""systemd units.

1. State and identity come from properties, never from ``is-active``: the InvocationID changes
   exactly when the unit is really started anew, NRestarts counts crashes nobody asked for.
2. Going back needs every fragment: the unit file and all drop-ins are copied per rollout.
3. Reload first where asked; it counts only when systemd saw the unit pass through "reloading".
4. Unit files are installed, systemd reloaded and the unit restarted in one critical action.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
from collections.abc import Iterable, Mapping

from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.base import Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.unit_properties import PROPERTIES, fragments, observation, seconds
from gapless.drivers.transports.base import Transport
from gapless.errors import ActionFailed
from gapless.model import Command, InstanceState, Observation, Verdict, VerdictStatus

_SOAKED = ("InvocationID", "NRestarts", "MainPID", "ActiveState", "SubState")
_ADMINISTRATED = ("/etc/systemd/", "/run/systemd/")
"""Where unit files are ours to remove; packages own the rest."""


class SystemdRuntime:
    """One unit, the same on every host of a service."""

    def __init__(self, config: SystemdConfig, service: str) -> None:
        self.config = config
        self.service = service

    @property
    def unit(self) -> str:
        """Unit name."""
        return self.config.unit

    async def observe(self, transport: Transport) -> Observation:
        """State and identity now."""
        return observation(await transport.unit(self.unit, PROPERTIES))

    # -- preflight --------------------------------------------------------------------------

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Loaded, active and not looping, what it requires active, reload possible."""
        now = await self.observe(transport)
        loaded = self._loaded(now)
        if not loaded.passed:
            return (loaded,)
        required = await self._required(transport, now)
        return (loaded, self._active(now), *required, *self._reloadable(now))

    def _loaded(self, now: Observation) -> Verdict:
        state = now.detail.get("LoadState", "")
        remedies = {
            "not-found": f"a unit file: systemctl list-unit-files '{self.unit}'",
            "masked": f"systemctl unmask {self.unit}",
        }
        answer = f"{self.unit} is {state}" if state else f"{self.unit}: systemd gave no answer"
        wanted = remedies.get(state, f"a unit that loads: systemd-analyze verify {self.unit}")
        return self._verdict(state == "loaded", "LoadState", answer, wanted)

    def _active(self, now: Observation) -> Verdict:
        detail = now.detail
        answer = f"{detail.get('ActiveState')} ({detail.get('SubState')})"
        result = detail.get("Result", "success")
        if result != "success":
            answer += f", result {result}"
        wanted = f"active; --force restarts it all the same: systemctl status {self.unit}"
        return self._verdict(now.state is InstanceState.RUNNING, "ActiveState", answer, wanted)

    async def _required(self, transport: Transport, now: Observation) -> list[Verdict]:
        names: dict[str, None] = {}
        for key in ("Requires", "Requisite", "BindsTo"):
            names.update(dict.fromkeys(now.detail.get(key, "").split()))
        verdicts = []
        for name in names:
            if not name.endswith((".service", ".socket", ".mount")) or name == "-.mount":
                continue
            state = (await transport.unit(name, ("ActiveState",))).get("ActiveState", "")
            fine = state in ("active", "reloading", "activating")
            answer = f"{name}, which it requires, is {state or 'unknown'}"
            verdicts.append(self._verdict(fine, "Requires", answer, f"systemctl start {name}"))
        return verdicts

    def _reloadable(self, now: Observation) -> list[Verdict]:
        if self.config.reload != "only":
            return []
        able = now.detail.get("CanReload") == "yes"
        wanted = "ExecReload= in the unit, or reload: try"
        return [self._verdict(able, "CanReload", f"CanReload={'yes' if able else 'no'}", wanted)]

    def _verdict(self, fine: bool, name: str, answer: str, wanted: str) -> Verdict:
        status = VerdictStatus.PASS if fine else VerdictStatus.FAIL
        return Verdict(status, "systemd", f"systemctl show {self.unit} -p {name}", answer, wanted)

    # -- what is needed to go back ----------------------------------------------------------

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """Copy every fragment below ``folder``, under its own absolute path."""
        now = await self.observe(transport)
        files: dict[str, tuple[str, str]] = {}
        for path in fragments(now.detail):
            content = await transport.get(path)
            if content is None:
                continue
            await self._keep(transport, path, f"{folder}{path}")
            files[path] = (base64.b64encode(content).decode(), "0644")
        return RuntimeSnapshot(files, folder, {"unit": self.unit})

    async def _keep(self, transport: Transport, path: str, copy: str) -> None:
        for command in (
            Command(("mkdir", "-p", "-m", "0700", posixpath.dirname(copy))),
            Command(("cp", "-a", path, copy)),
        ):
            done = await transport.run(command)
            if not done.ok:
                raise ActionFailed(
                    f"{path} cannot be copied aside",
                    where=transport.host,
                    evidence=done.evidence(),
                    next=f"free space or mend the file system of {posixpath.dirname(copy)}",
                )

    async def fingerprint(self, transport: Transport) -> str:
        """Digest of all fragments, and whether systemd has read them."""
        now = await self.observe(transport)
        paths = fragments(now.detail)
        digests = await transport.digest(paths) if paths else {}
        text = "\n".join(f"{path} {digests.get(path, '')}" for path in paths)
        stale = now.detail.get("NeedDaemonReload", "no")
        return hashlib.sha256(f"{text}\n{stale}".encode()).hexdigest()[:16]

    # -- replacing --------------------------------------------------------------------------

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """Install staged files, daemon-reload when fragments changed, then reload or restart."""
        now = await self.observe(transport)
        first = [self._run("install", "-D", "-m", "0644", *pair) for pair in install.items()]
        if install or now.detail.get("NeedDaemonReload") == "yes":
            first.append(self._systemctl("daemon-reload"))
        limit = self._stop_limit(now) + self._start_limit(now)
        restart = (self._reset(), self._systemctl("restart", limit=limit))
        timeout = limit + 4 * self.config.command_timeout
        if reload_allowed and self._reloads(now):
            fallback = restart if self.config.reload == "try" else ()
            reload = (*first, self._systemctl("reload", limit=self._start_limit(now)))
            return Replacement("reload", reload, timeout, fallback)
        return Replacement("restart", (*first, *restart), timeout)

    def _reloads(self, now: Observation) -> bool:
        possible = now.detail.get("CanReload") == "yes" and now.state is InstanceState.RUNNING
        return self.config.reload == "only" or (self.config.reload == "try" and possible)

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Stop, put every fragment back, remove those that were not there, start."""
        now = await self.observe(transport)
        limit = self._stop_limit(now) + self._start_limit(now)
        commands = [
            self._systemctl("stop", limit=self._stop_limit(now)),
            *self._put_back(snapshot, fragments(now.detail)),
            self._systemctl("daemon-reload"),
            self._reset(),
            self._systemctl("start", limit=self._start_limit(now)),
        ]
        return Replacement("restart", tuple(commands), limit + 6 * self.config.command_timeout)

    def _put_back(self, snapshot: RuntimeSnapshot, now: Iterable[str]) -> list[Command]:
        if not snapshot.files:
            return []
        back = [self._run("cp", "-aT", f"{snapshot.stored}{p}", p) for p in snapshot.files]
        new = [p for p in now if p not in snapshot.files and p.startswith(_ADMINISTRATED)]
        return [*back, *(self._run("rm", "-f", path) for path in new)]

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """A restart shows in the InvocationID, a reload in the last change of state."""
        if manner == "reload":
            changed = "StateChangeTimestampMonotonic"
            moved = before.detail.get(changed) != now.detail.get(changed)
            return now.state is InstanceState.RUNNING and moved
        return bool(now.identity) and now.identity != before.identity

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """What must stay as it was when the instance became ready."""
        return {name: ready.detail[name] for name in _SOAKED if name in ready.detail}

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """Stop, restore, daemon-reload, start, look."""
        back = [f"sudo cp -a {snapshot.stored}{path} {path}" for path in snapshot.files]
        return (
            f"sudo systemctl stop {self.unit}",
            *back,
            "sudo systemctl daemon-reload",
            f"sudo systemctl start {self.unit}",
            f"sudo systemctl status {self.unit}",
        )

    # -- commands ---------------------------------------------------------------------------

    def _systemctl(self, verb: str, *, limit: float = 0.0) -> Command:
        """A systemctl call; stop and start get the unit's own limits on top of the grace."""
        words = ("systemctl", verb) if verb == "daemon-reload" else ("systemctl", verb, self.unit)
        return Command(words, timeout=self.config.command_timeout + limit)

    def _reset(self) -> Command:
        """A start limit that was hit would refuse the start; nothing to reset is no error."""
        return Command(
            ("systemctl", "reset-failed", self.unit),
            timeout=self.config.command_timeout,
            check=False,
        )

    def _run(self, *argv: str) -> Command:
        return Command(argv, timeout=self.config.command_timeout)

    def _stop_limit(self, now: Observation) -> float:
        return seconds(now.detail.get("TimeoutStopUSec", ""))

    def _start_limit(self, now: Observation) -> float:
        return seconds(now.detail.get("TimeoutStartUSec", ""))
