"""The transport contract: everything gapless ever does on a host goes through these verbs.

One transport is one connection to one host for a whole rollout. Every verb has a deadline; a
cancelled verb really ends what it started on the host (process group, and cgroup where there is
one), except critical actions, which are made to survive.

Errors of every verb: Unreachable, HostKeyRejected, AuthenticationFailed, PrivilegeRefused (before
anything ran), LostContact (the connection broke while the verb was under way: what it did is
unknown until asked), DeadlineExceeded, HostFault (the host said why not).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gapless.drivers.transports.log_query import LogQuery, LogReading
from gapless.model import Command, Completed, CriticalAction, Fence, Settled, Verdict


@dataclass(frozen=True, slots=True)
class Probe:
    """One health question in plain data, asked on the host by its helper.

    ``kind``: http, tcp, unix, command, openapi, container. ``spec`` per kind (all JSON):
      http    {url, method, headers{}, unix?, ca?, server_name?, insecure(bool),
               send?, expect {status [..], headers{}, body?, json?, path{}}}
      tcp     {host, port}
      unix    {path}
      command {argv [..], output?, user?}
      openapi {spec (where the description is), document?, base?, headers{}, each (seconds)}
      container {socket (of its engine), id, name}
    ``answer`` seconds bound one answer.
    """

    name: str
    kind: str
    spec: Mapping[str, Any]
    answer: float = 5.0


@dataclass(frozen=True, slots=True)
class Tls:
    """Speak TLS: ``name`` has to be in the other side's certificate, which ``ca`` vouches for ("":
    the authorities of the system). ``cert`` and ``key`` are our own. Paths on the host."""

    name: str
    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants to own a service on a host, for the refusal of the next one to read."""

    service: str
    rollout: str
    owner: str
    controller: str
    pid: int
    since: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The host's answer to a claim: the fence when granted, else the holder it obeys.

    ``live`` tells whether the holder's session is still open on the host; ``place`` is the same
    for two names of one machine with one state folder.
    """

    fence: Fence | None
    holder: Claim | None = None
    live: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What ``doctor`` and preflight want to know of a host, from one question.

    ``clock`` is the host's wall time in seconds since the epoch at the moment of the answer;
    ``booted`` the start time of its PID 1; ``disk_free`` bytes per path asked for; ``place`` as in
    ``Claimed``.
    """

    clock: float
    booted: float
    user: str
    privileged: bool
    systemd: str = ""
    python: str = ""
    disk_free: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    place: str = ""


class Transport(Protocol):
    """A connection to one host."""

    @property
    def host(self) -> str:
        """Name of the host in gapless.yaml."""
        ...

    async def connect(self) -> None:
        """Connect (idempotent; after a loss: connect again)."""
        ...

    async def close(self) -> None:
        """Give the connection back; releases nothing on the host but the session."""
        ...

    async def run(self, command: Command) -> Completed:
        """Run a cancellable command; it dies with the session. Never raises for its status."""
        ...

    async def act(self, action: CriticalAction) -> Settled:
        """Run a critical action apart from the session and wait for its outcome.

        Compares and stores the fence on the host in the same call (FenceRefused when the host
        obeys a newer rollout). Asked again with a known key it returns the recorded outcome.
        """
        ...

    async def settle(self, key: str) -> Settled:
        """What became of a critical action; waits while it is still running."""
        ...

    async def put(self, content: bytes, path: str, mode: int = 0o600, owner: str = "") -> None:
        """Write a file atomically (temp file, fsync, rename); needs privilege as ``run``."""
        ...

    async def replace(
        self, path: str, old: str, content: bytes, fence: Fence | None = None
    ) -> bool:
        """Rename new content over a file whose sha256 is ``old``, with its mode and owner; links
        are followed. False, and nothing is changed, where it is another one by now or somebody
        else is at it. With a fence as ``act``: raises FenceRefused."""
        ...

    async def get(self, path: str, limit: int = 1 << 20) -> bytes | None:
        """A file's content, None when there is none."""
        ...

    async def digest(self, paths: Sequence[str]) -> Mapping[str, str]:
        """sha256 of each file or folder tree (names, modes, content), "" for a missing one."""
        ...

    async def unit(self, name: str, properties: Sequence[str]) -> Mapping[str, str]:
        """systemd properties of a unit, as ``systemctl show`` names them."""
        ...

    async def ask(
        self,
        probes: Sequence[Probe],
        *,
        passes: int,
        every: float,
        within: float,
        eager: bool = False,
    ) -> tuple[Verdict, ...]:
        """Ask the probes on the host until all passed ``passes`` times in a row or ``within``
        seconds are over, polling ``every`` seconds there (no round trips). ``within`` 0 asks once.
        ``eager`` polls five times as often at first: what is soon there is soon seen. Returns
        the last verdict of each probe."""
        ...

    async def watch(
        self,
        unit: str,
        probes: Sequence[Probe],
        *,
        seconds: float,
        every: float,
        retries: int,
        retry_delay: float,
        identity: Mapping[str, str],
    ) -> tuple[Verdict, ...]:
        """Soak on the host: for ``seconds`` compare the unit's properties with ``identity`` every
        250 ms and ask the probes ``every`` seconds (a failed answer is asked again ``retries``
        times, ``retry_delay`` s apart). Ends at the first failure. The first verdict is the
        unit's, then one per probe. ``unit`` "" watches probes only."""
        ...

    async def tail(self, unit: str, since: float, lines: int = 20, identity: str = "") -> str:
        """Last journal lines of a unit since ``since`` (of one InvocationID when given)."""
        ...

    async def logs(self, query: LogQuery) -> LogReading:
        """Count what is in a log, on the host."""
        ...

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        """Connect from the host to a unix path or host:port, send, read to the end. With a fence
        the host first checks that it is still the newest."""
        ...

    async def containers(
        self,
        socket: str,
        labels: Sequence[str],
        timeout: float = 60.0,
        names: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """What the container engine at a unix path says of all containers that have these labels,
        or one of the names: ``containers``, each without its environment and its command, and
        ``images``, the ids that the names of their images mean now."""
        ...

    async def keep(
        self,
        socket: str,
        container: str,
        path: str,
        copied: Sequence[str] = (),
        timeout: float = 60.0,
    ) -> None:
        """Write to a file for its owner alone what the container engine at a unix path has to be
        told to make the container with this id again; its folder is made. It may hold secrets, so
        nothing of it leaves the host. ``copied``: files that may have been copied into one that
        does not say so. HostFault, and nothing is written, where that could not be made again."""
        ...

    async def claim(self, claim: Claim, *, take_over: bool = False, over: str = "") -> Claimed:
        """Own the service on this host. The same rollout claiming again gets a higher fence, so
        that its own zombie is shut out; ``take_over`` breaks another's claim, ``over`` only that
        of the rollout it names (audited there)."""
        ...

    async def release(self, fence: Fence) -> None:
        """Give the service back (no-op when a newer claim holds it)."""
        ...

    async def holder(self, service: str) -> Claimed:
        """Who owns the service on this host now; fence and holder None when nobody does."""
        ...

    async def recall(self, service: str) -> Mapping[str, Any]:
        """What the host remembers of a service: last good release, unit copies …"""
        ...

    async def remember(self, fence: Fence, facts: Mapping[str, Any]) -> None:
        """Merge facts into what the host remembers of the fence's service."""
        ...

    async def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        """Clock, privilege, free space at ``paths``."""
        ...

    async def push(
        self, source: Path, target: str, *, exclude: Sequence[str] = (), link_from: str = ""
    ) -> int:
        """Make folder ``target`` equal to local folder ``source`` (delta, delete, excludes);
        unchanged files come hard-linked from ``link_from`` when given. Returns bytes sent."""
        ...
