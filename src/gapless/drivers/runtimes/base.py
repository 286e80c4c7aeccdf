"""The runtime contract: what starts, stops and replaces an instance on a host.

Drivers describe what to do (``plan_*`` return commands as data); the engine runs them as critical
actions through the transport. So most tests assert exact commands without a host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gapless.drivers.transports.base import Transport
from gapless.model import Command, Completed, Observation, Verdict

NOT_FOUND = "not-found"
"""What an observation holds as LoadState of what was never installed."""


@dataclass(frozen=True, slots=True)
class RuntimeSnapshot:
    """What is needed to go back, besides the release: unit fragments or run file by path, with
    content.

    ``files`` maps absolute path to (base64 content, octal mode); ``stored`` is the folder on the
    host that holds the same files, for the manual commands.
    """

    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    stored: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def absent(self) -> bool:
        """Whether there was nothing: going back is removing what has come since."""
        return bool(self.facts.get("absent"))

    def to_json(self) -> dict[str, Any]:
        """Plain data for the journal."""
        return {
            "files": {p: list(f) for p, f in self.files.items()},
            "stored": self.stored,
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RuntimeSnapshot:
        """The snapshot a journal record holds."""
        files = {p: (f[0], f[1]) for p, f in data.get("files", {}).items()}
        return cls(files, data.get("stored", ""), data.get("facts", {}))


@dataclass(frozen=True, slots=True)
class Replacement:
    """How an instance is replaced: the commands, the manner, and the time they may take.

    ``manner``: reload, restart, install, remove, or keep (going back to a copy that was never
    stopped). ``fallback`` commands run as a second action
    when the first manner fails (reload → restart). ``stop`` are the words of the command that stops
    it and does nothing else, where there is one.
    """

    manner: str
    commands: tuple[Command, ...]
    timeout: float
    fallback: tuple[Command, ...] = ()
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a replacement came to nothing, in the runtime's own words, with the new copy's last
    lines."""

    what: str
    evidence: str = ""
    log: str = ""


class Runtime(Protocol):
    """One service's instances, of one kind."""

    @property
    def unit(self) -> str:
        """systemd unit name for the soak; "" when there is none."""
        ...

    async def observe(self, transport: Transport) -> Observation:
        """State and identity now, from the host."""
        ...

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Fitness of the runtime itself: unit exists and is loaded, sudo works, dependencies of
        the unit active, limits sane. Each finding is a verdict with its remedy in ``wanted``."""
        ...

    async def snapshot(self, transport: Transport, folder: str) -> RuntimeSnapshot:
        """Copy what is needed to go back into ``folder`` on the host (all fragments and
        drop-ins)."""
        ...

    async def fingerprint(self, transport: Transport) -> str:
        """Digest of what defines the instance (fragments), for stale plans and drift. With a unit
        file: its own sha256 first, then a colon."""
        ...

    async def replacement(
        self, transport: Transport, install: Mapping[str, str], reload_allowed: bool
    ) -> Replacement:
        """Commands that replace the instance. ``install`` maps staged file → final path (unit
        files), moved into place first; daemon-reload is part of it when fragments changed."""
        ...

    async def restoration(self, transport: Transport, snapshot: RuntimeSnapshot) -> Replacement:
        """Commands that go back: stop, restore files, daemon-reload, start (also clears a failed
        state). Where there was nothing: stop and remove."""
        ...

    def home(self, host: str, now: Observation) -> str:
        """Where the file belongs that a deploy brings (a unit file, a run file)."""
        ...

    def refusal(self, last: Completed) -> Refusal | None:
        """What the command that failed in a replacement has to say; None when its own output is
        all there is."""
        ...

    def replaced(self, before: Observation, now: Observation, manner: str) -> bool:
        """Whether the identity shows a replacement (restart) or the reload was taken."""
        ...

    def soak_identity(self, ready: Observation) -> Mapping[str, str]:
        """Properties that must not change during the soak (InvocationID, NRestarts, MainPID …)."""
        ...

    async def log(self, transport: Transport, since: float) -> str:
        """The last lines that the copy wrote which was started at ``since`` of the host's clock;
        "" where nobody keeps them."""
        ...

    def manual(self, snapshot: RuntimeSnapshot) -> tuple[str, ...]:
        """The commands a person types when the way back failed."""
        ...

    def look(self, host: str) -> str:
        """The command with which a person sees on the host what state it is in."""
        ...
