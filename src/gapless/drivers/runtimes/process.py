"""Processes that ``gapless run`` supervises.

1. An instance is one supervisor on its host. A deploy brings its run file; the supervisor was
   started from it, and reads it again at each flip.
2. Replacing a running one is a flip: the old copy serves until the new one has settled, and is not
   touched when that comes to nothing. The outcome is that of ``gapless flip``.
3. One that does not run is started, in a way that outlives us (see ``process_start``).
4. Going back: the run file and the release are as they were by then. A copy that was never stopped
   is kept. Else the supervisor flips back, where that leads to the settings of the copy that
   served before; where it does not, a flip to what its files say now.

The supervisor, since when it lives, and the number of its copy are the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gapless.config.process_service import ProcessRuntimeConfig
from gapless.drivers.runtimes import process_preflight as preflight
from gapless.drivers.runtimes import process_start as start
from gapless.drivers.runtimes import process_view as view
from gapless.drivers.runtimes import systemd_files as files
from gapless.drivers.runtimes.base import NOT_FOUND, Refusal, Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.process_view import Seen
from gapless.drivers.transports.base import Transport
from gapless.model import Command, Completed, InstanceState, Observation, Verdict

_BRIEF = 10.0
"""Limit of commands that only look, or move a file."""
_LOG = 32 * 1024
"""Bytes of the log that are looked at for the newest copy's last lines."""
_MARGIN = 30.0
"""Seconds on top of what the run file allows a flip, for a busy host."""


class ProcessRuntime:
    """One supervised process, the same on every host of a service. ``state`` gives the folder in
    which a host keeps what is ours."""

    def __init__(
        self, config: ProcessRuntimeConfig, service: str, *, state: Callable[[str], str]
    ) -> None:
        self._config = config
        self._service = service
        self._state = state
        self.name = config.name or service

    @property
    def unit(self) -> str:
        """None that could be counted on."""
        return ""

    async def observe(self, transport: Transport) -> Observation:
        """State and identity; missing when there is not even a run file."""
        return (await self._seen(transport)).observation

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Whether it can be flipped (see ``process_preflight``)."""
        file = self._file(transport.host)
        return preflight.examine(await self._seen(transport), self._asked, file)

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """A copy of the run file, and which copy serves."""
        now = await self._seen(transport)
        facts: dict[str, Any] = {
            "identity": now.observation.identity,
            "host": transport.host,
            "privileged": (await transport.facts()).privileged,
        }
        file = self._file(transport.host)
        there = (await transport.digest([file]))[file]
        if not there and not now.there:
            facts["absent"] = "yes"
        return await files.keep(transport, (file,) if there else (), folder, facts)

    async def fingerprint(self, transport: Transport) -> str:
        """Digest of the run file, a colon, and its path."""
        file = self._file(transport.host)
        return f"{(await transport.digest([file]))[file]}:{file}"

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """Flip, or start what does not run."""
        now = await self._seen(transport)
        placed = install_commands(install)
        if now.there and now.observation.state is not InstanceState.STOPPING:
            return self._replacement("restart", (*placed, self._flip("flip")))
        missing = now.observation.state is InstanceState.MISSING
        manner = "install" if missing and placed else "restart"
        return self._replacement(manner, (*placed, *await self._start(transport, now)))

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Keep, flip back, start or remove; never while a flip is still under way."""
        await transport.run(self._gapless("run", "wait", self.name, timeout=self._limit))
        now = await self._seen(transport)
        if snapshot.absent:
            return self._replacement("remove", self._removal(transport.host, now))
        back = await self._put_back(transport, snapshot)
        if not now.there or now.observation.state is InstanceState.STOPPING:
            return self._replacement("restart", (*back, *await self._start(transport, now)))
        if now.observation.identity == snapshot.facts.get("identity"):
            return self._replacement("keep", back or (self._status(),))
        return self._replacement("restart", (*back, self._flip(_way_back(snapshot, now))))

    def home(self, host: str, now: Observation) -> str:
        """The run file's place."""
        return self._file(host)

    def refusal(self, last: Completed) -> Refusal | None:
        """What the supervisor said of the new copy, or of its own start."""
        return start.failure(last) or view.refusal(last)

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """A flip or a start shows in the identity; a copy that is kept is the same."""
        if now.state is not InstanceState.RUNNING:
            return False
        return (now.identity == before.identity) is (manner == "keep")

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """There is no unit to watch; the checks do, and the identity is compared at the end."""
        return {}

    async def log(self, transport: Transport, since: float) -> str:
        """From where the supervisor was started to write to."""
        if start.in_a_unit(await transport.facts()):
            return await transport.tail(start.unit_of(self.name), since)
        tail = ("tail", "-c", str(_LOG), "--", self._log(transport.host))
        return view.newest((await transport.run(Command(tail, timeout=_BRIEF))).stdout)

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """The run file back, then flip; the release goes in between."""
        sudo = "" if snapshot.facts.get("privileged") is False else "sudo "
        gapless, file = f"{sudo}{self._config.gapless}", self._file(str(snapshot.facts["host"]))
        if snapshot.absent:
            return (f"{gapless} run stop {self.name}", f"{sudo}rm -f {file}")
        kept = next(iter(snapshot.files), file)
        back = f"{sudo}cp -a {snapshot.stored}{kept} {file}"
        return (back, self._start_by_hand(gapless, file))

    def look(self, host: str) -> str:
        """Its copies."""
        return self._asked

    @property
    def _asked(self) -> str:
        return f"{self._config.gapless} run status {self.name}"

    # -- what is asked ----------------------------------------------------------------------------

    async def _seen(self, transport: Transport) -> Seen:
        done = await transport.run(self._status())
        clock = (await transport.facts()).clock if done.ok else 0.0
        found = view.seen(done, clock)
        file = self._file(transport.host)
        if found.observation.state not in (InstanceState.STOPPED, InstanceState.FAILED):
            return found
        if (await transport.digest([file]))[file]:
            return found
        detail = {**found.observation.detail, "LoadState": NOT_FOUND}
        return Seen(Observation(InstanceState.MISSING, detail=detail))

    def _start_by_hand(self, gapless: str, file: str) -> str:
        return f"{gapless} flip {self.name} || {gapless} run -c {file} --name {self.name}"

    # -- commands ---------------------------------------------------------------------------------

    @property
    def _limit(self) -> float:
        """What one flip may take, behind another one that is under way."""
        config = self._config
        end = config.stop.delay + config.stop.timeout
        return 2 * (config.start_timeout + config.settle + end) + _MARGIN

    def _file(self, host: str) -> str:
        return self._file_of(host, self.name)

    def _file_of(self, host: str, name: str) -> str:
        return f"{self._state(host)}/processes/{name}.json"

    def _log(self, host: str) -> str:
        return f"{self._state(host)}/processes/{self.name}.log"

    def _gapless(self, *words: str, timeout: float = _BRIEF, check: bool = True) -> Command:
        return Command((self._config.gapless, *words), timeout=timeout, check=check)

    def _status(self) -> Command:
        return self._gapless("run", "status", self.name, "--json")

    def _flip(self, verb: str) -> Command:
        words = ("flip",) if verb == "flip" else ("run", verb)
        return self._gapless(*words, self.name, "--json", timeout=self._limit)

    def _stop(self) -> Command:
        return self._gapless("run", "stop", self.name, timeout=self._limit, check=False)

    async def _start(self, transport: Transport, now: Seen) -> tuple[Command, ...]:
        """What is ending is waited for."""
        facts, host = await transport.facts(), transport.host
        gapless, file = self._config.gapless, self._file(host)
        before = (self._stop(),) if now.there else ()
        if start.in_a_unit(facts):
            return (*before, start.as_unit(gapless, file, self.name, self._limit))
        return (
            *before,
            start.as_session(gapless, file, self.name, self._log(host), self._limit),
        )

    def _removal(self, host: str, now: Seen) -> tuple[Command, ...]:
        remove = Command(("rm", "-f", "--", self._file(host)), timeout=_BRIEF)
        return (self._stop(), remove) if now.there else (remove,)

    async def _put_back(
        self, transport: Transport, snapshot: RuntimeSnapshot
    ) -> tuple[Command, ...]:
        if not snapshot.files:
            return ()
        await files.complete(transport, snapshot)
        (file,) = snapshot.files
        return files.place(snapshot.stored + file, self._file(transport.host), _BRIEF)

    def _replacement(self, manner: str, commands: tuple[Command, ...]) -> Replacement:
        limit = _MARGIN + sum(command.timeout for command in commands)
        return Replacement(manner, commands, limit)


def _way_back(snapshot: RuntimeSnapshot, now: Seen) -> str:
    """The supervisor has settings that served before, its files or not; a flip that changed none
    leaves those of a copy that is older than ours."""
    back = f"{now.supervisor}-{now.rollback_to}"
    return "rollback" if snapshot.facts.get("identity") == back else "flip"


def install_commands(install: Mapping[str, str]) -> tuple[Command, ...]:
    """Staged run files into place, for us alone: there may be passwords in their environment."""
    commands: list[Command] = []
    for source, target in install.items():
        beside = f"{target}.new"
        argv = ("install", "-D", "-m", "0600", "--", source, beside)
        commands.append(Command(argv, timeout=_BRIEF))
        commands.append(Command(("mv", "-fT", "--", beside, target), timeout=_BRIEF))
    return tuple(commands)
