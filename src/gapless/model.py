"""Frozen facts shared by every layer: hosts, instances, observations, verdicts, commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

NO_RELEASE = "no release"
"""What a host ran before the first deploy of a release to it, in the place of one."""
NOT_INSTALLED = "not installed"
"""What a host serves of a service whose unit it does not have, in the place of a release."""
PERHAPS_OUT = "runs as before, perhaps out of traffic"
"""What is said of an instance that was not switched when its balancer did not let it in again."""
AS_IT_WAS = "as it was"
"""What a host went back to where a service has no releases, in the place of one."""
UNSURE = "it cannot be told"
"""Begins the answer of a check that had nothing to object, and could not have."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Instance:
    """One running copy of a service on one host; ``host`` is its place there (see ``places``) where
    there are several.

    Where two copies of it may run beside each other, ``slot`` says which is meant: a or b. A copy
    with an ``address`` of its own (a container) is reached there, any other at that of its host.
    """

    service: str
    host: str
    slot: str = ""
    address: str = ""

    def __str__(self) -> str:
        return f"{self.service}@{self.host}"


class InstanceState(StrEnum):
    """What a runtime reports about an instance."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Observation:
    """What a runtime saw of an instance at one moment.

    ``identity`` changes exactly when the instance is really replaced (systemd: InvocationID).
    ``since`` is seconds since the epoch. ``restarts`` counts restarts nobody asked for.
    """

    state: InstanceState
    identity: str = ""
    since: float | None = None
    restarts: int | None = None
    main_pid: int | None = None
    detail: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data for the journal."""
        return {
            "state": self.state.value,
            "identity": self.identity,
            "since": self.since,
            "restarts": self.restarts,
            "main_pid": self.main_pid,
            "detail": dict(self.detail),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Observation:
        """The observation a journal record holds."""
        return cls(
            InstanceState(data["state"]),
            data.get("identity", ""),
            data.get("since"),
            data.get("restarts"),
            data.get("main_pid"),
            data.get("detail", {}),
        )


class VerdictStatus(StrEnum):
    """PASS and FAIL are knowledge; INCONCLUSIVE is its absence and never counts as PASS."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a check with its evidence: what was asked, what came back, what was wanted;
    ``look`` is the command, typed on the host, that tells more of a FAIL."""

    status: VerdictStatus
    check: str
    asked: str
    answer: str
    wanted: str = ""
    elapsed: float = 0.0
    look: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer is a PASS."""
        return self.status is VerdictStatus.PASS

    @property
    def unsure(self) -> bool:
        """Whether it is a PASS for want of anything to ask."""
        return self.passed and self.answer.startswith(UNSURE)

    def __str__(self) -> str:
        wanted = f" (wanted {self.wanted})" if self.wanted and not self.passed else ""
        return f"{self.asked} → {self.answer}{wanted}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for events and the journal."""
        return {
            "status": self.status.value,
            "check": self.check,
            "asked": self.asked,
            "answer": self.answer,
            "wanted": self.wanted,
            "elapsed": round(self.elapsed, 4),
            **({"look": self.look} if self.look else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict that a journal record holds."""
        return cls(**{**data, "status": VerdictStatus(data["status"])})


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run on a host, as data.

    ``argv`` is never given to a shell. ``timeout`` in seconds. ``output_limit`` in bytes is kept
    of each stream, the rest is counted and dropped. ``secrets`` are more of its environment: they
    are sent over the session, never in argv, and the host takes them out of the output before that
    is written or sent anywhere.
    """

    argv: tuple[str, ...]
    timeout: float = 10.0
    input: bytes = b""
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    privileged: bool = True
    user: str | None = None
    output_limit: int = 256 * 1024
    check: bool = True
    """Whether a non-zero exit ends the script it is part of."""
    interpreted: bool = False
    """Whether argv[0] stands for the Python of the host's helper, as ``python`` of the host has it;
    the first one on PATH may be another, or a shell script that looks for one."""

    @classmethod
    def python(cls, program: bytes, *words: str, **options: Any) -> Command:
        """A program of ours over stdin, with the standard library and nothing else."""
        argv = ("python3", "-I", "-S", "-", *words)
        return cls(argv, input=program, interpreted=True, **options)

    def __str__(self) -> str:
        import shlex

        return shlex.join(self.argv)


_LONGEST = 300
"""Characters of one line of evidence."""


def _cut(line: str) -> str:
    """The beginning and the end of a line that is too long: causes and errors are there."""
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} … {line[-half:]}"


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command on a host left behind; text is decoded with replacement."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    elapsed: float
    timed_out: bool = False
    dropped: int = 0
    """Bytes of output beyond the limit, counted but not kept."""

    @property
    def ok(self) -> bool:
        """Whether the program ended by itself with status 0."""
        return self.status == 0 and not self.timed_out

    def evidence(self, lines: int = 5) -> str:
        """The last lines a person would look at; what is missing of them is said."""
        told = (self.stderr.strip() or self.stdout.strip()).splitlines()[-lines:]
        missing = [f"… {self.dropped} bytes dropped …"] if self.dropped else []
        return "\n".join([*missing, *(_cut(line) for line in told if line not in missing)])


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to act on a service on one host: a host obeys only the newest."""

    service: str
    rollout: str
    number: int


@dataclass(frozen=True, slots=True)
class CriticalAction:
    """Commands that must finish or be found half-done: run on the host apart from the session.

    ``key`` is the idempotency key (rollout id + step key + attempt): a second request with the
    same key gets the recorded outcome instead of a second run. Commands run in order; one with
    ``check`` that fails ends the action. ``timeout`` in seconds bounds all of it.
    """

    key: str
    commands: tuple[Command, ...]
    fence: Fence | None = None
    timeout: float = 120.0


class Settlement(StrEnum):
    """What a host knows of a critical action it was once given."""

    DONE = "done"
    RUNNING = "running"
    LOST = "lost"
    """Begun, no outcome, and nothing is running any more (power cut, reboot)."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Settled:
    """A host's answer about a critical action; ``completed`` holds one entry per command run."""

    status: Settlement
    completed: tuple[Completed, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it ran to its end and every command that mattered succeeded."""
        return self.status is Settlement.DONE and bool(self.completed) and self.completed[-1].ok
