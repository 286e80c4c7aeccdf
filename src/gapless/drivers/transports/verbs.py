"""The verbs of the transport contract as requests to a helper, whatever carries them."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from gapless.drivers.transports import codec
from gapless.drivers.transports.base import Claim, Claimed, HostFacts, Probe, Tls
from gapless.drivers.transports.log_query import LogQuery, LogReading
from gapless.drivers.transports.session import HelperSession
from gapless.errors import PrivilegeRefused
from gapless.hostside.wire import pack_bytes, unpack_bytes
from gapless.model import Command, Completed, CriticalAction, Fence, Settled, Settlement, Verdict

# Seconds. A verb that waits by itself gets its own time on top.
QUICK = 20.0
FILES = 120.0
DIGEST = 600.0
SLACK = 15.0
SETTLE = 30.0


class HelperVerbs(ABC):
    """Everything but connecting and pushing, given a helper per privilege level."""

    @property
    @abstractmethod
    def host(self) -> str:
        """Name of the host in gapless.yaml."""

    @abstractmethod
    async def helper(self, *, privileged: bool) -> HelperSession:
        """The helper of a privilege level, started when it is first needed."""

    @contextlib.asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Around everything that is done over the connection: it is not given up meanwhile."""
        yield

    async def run(self, command: Command) -> Completed:
        """Run a cancellable command."""
        args = codec.command_to_json(command)
        deadline = command.timeout + SLACK
        return codec.completed(
            await self._ask("run", args, deadline, privileged=command.privileged)
        )

    async def act(self, action: CriticalAction) -> Settled:
        """Run a critical action and wait for its outcome."""
        args = {
            "key": action.key,
            "commands": [codec.command_to_json(command) for command in action.commands],
            "fence": codec.fence_to_json(action.fence),
            "timeout": action.timeout,
        }
        # Twice: an action of an older rollout may have to end first.
        return codec.settled(await self._ask("act", args, 2 * action.timeout + 2 * SLACK))

    async def settle(self, key: str) -> Settled:
        """What became of a critical action; in pieces, so that a dead host is noticed."""
        while True:
            args = {"key": key, "wait": SETTLE}
            answer = await self._ask("settle", args, SETTLE + SLACK)
            settled = codec.settled(answer)
            if settled.status is not Settlement.RUNNING or answer.get("overdue"):
                return settled

    async def put(self, content: bytes, path: str, mode: int = 0o600, owner: str = "") -> None:
        """Write a file atomically."""
        args = {"content": pack_bytes(content), "path": path, "mode": mode, "owner": owner}
        await self._ask("put", args, FILES)

    async def replace(
        self, path: str, old: str, content: bytes, fence: Fence | None = None
    ) -> bool:
        """Rename new content over a file that is still the one that was read."""
        args = {
            "path": path,
            "old": old,
            "content": pack_bytes(content),
            "fence": codec.fence_to_json(fence),
        }
        return bool(await self._ask("replace", args, FILES))

    async def get(self, path: str, limit: int = 1 << 20) -> bytes | None:
        """A file's content."""
        packed = await self._ask("get", {"path": path, "limit": limit}, FILES)
        return None if packed is None else unpack_bytes(packed)

    async def digest(self, paths: Sequence[str]) -> Mapping[str, str]:
        """sha256 of files and trees."""
        found: dict[str, str] = await self._ask("digest", {"paths": list(paths)}, DIGEST)
        return found

    async def unit(self, name: str, properties: Sequence[str]) -> Mapping[str, str]:
        """systemd properties of a unit."""
        args = {"name": name, "properties": list(properties)}
        found: dict[str, str] = await self._ask("unit", args, QUICK)
        return found

    async def ask(
        self,
        probes: Sequence[Probe],
        *,
        passes: int,
        every: float,
        within: float,
        eager: bool = False,
    ) -> tuple[Verdict, ...]:
        """Ask the probes on the host until they pass."""
        args = {
            "probes": [codec.probe_to_json(probe) for probe in probes],
            "passes": passes,
            "every": every,
            "within": within,
            "eager": eager,
        }
        return codec.verdicts(await self._ask("ask", args, within + _longest(probes) + SLACK))

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
        """Soak on the host."""
        args = {
            "unit": unit,
            "probes": [codec.probe_to_json(probe) for probe in probes],
            "seconds": seconds,
            "every": every,
            "retries": retries,
            "retry_delay": retry_delay,
            "identity": dict(identity),
        }
        last_try = (retries + 1) * (retry_delay + _longest(probes))
        return codec.verdicts(await self._ask("watch", args, seconds + last_try + SLACK))

    async def tail(self, unit: str, since: float, lines: int = 20, identity: str = "") -> str:
        """Last journal lines of a unit."""
        args = {"unit": unit, "since": since, "lines": lines, "identity": identity}
        text: str = await self._ask("tail", args, QUICK)
        return text

    async def logs(self, query: LogQuery) -> LogReading:
        """Count what is in a log; without privilege where the login user may read it."""
        args, deadline = query.to_json(), query.timeout + SLACK
        try:
            found = await self._ask("logs", args, deadline)
        except PrivilegeRefused:
            found = await self._ask("logs", args, deadline, privileged=False)
        return LogReading.from_json(found, query)

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        """One question over a socket of the host."""
        args = {
            "address": address,
            "data": pack_bytes(data),
            "timeout": timeout,
            "fence": codec.fence_to_json(fence),
            "tls": None if tls is None else asdict(tls),
        }
        return unpack_bytes(await self._ask("exchange", args, timeout + SLACK))

    async def containers(
        self,
        socket: str,
        labels: Sequence[str],
        timeout: float = 60.0,
        names: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """What the container engine says of containers."""
        asked = {"labels": list(labels), "names": list(names)}
        args = {"socket": socket, **asked, "timeout": timeout}
        found: dict[str, Any] = await self._ask("containers", args, timeout + SLACK)
        return found

    async def keep(
        self,
        socket: str,
        container: str,
        path: str,
        copied: Sequence[str] = (),
        timeout: float = 60.0,
    ) -> None:
        """Write down on the host what makes a container again."""
        asked = {"container": container, "path": path, "copied": list(copied)}
        args = {"socket": socket, **asked, "timeout": timeout}
        await self._ask("keep", args, timeout + SLACK)

    async def claim(self, claim: Claim, *, take_over: bool = False, over: str = "") -> Claimed:
        """Own the service on this host."""
        args = {"claim": asdict(claim), "take_over": take_over, "over": over}
        return codec.claimed(await self._ask("claim", args, QUICK))

    async def release(self, fence: Fence) -> None:
        """Give the service back."""
        await self._ask("release", {"fence": codec.fence_to_json(fence)}, QUICK)

    async def holder(self, service: str) -> Claimed:
        """Who owns the service on this host now."""
        return codec.claimed(await self._ask("holder", {"service": service}, QUICK))

    async def recall(self, service: str) -> Mapping[str, Any]:
        """What the host remembers of a service."""
        facts: dict[str, Any] = await self._ask("recall", {"service": service}, QUICK)
        return facts

    async def remember(self, fence: Fence, facts: Mapping[str, Any]) -> None:
        """Merge facts into what the host remembers."""
        args = {"fence": codec.fence_to_json(fence), "facts": dict(facts)}
        await self._ask("remember", args, QUICK)

    async def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        """Clock, privilege, free space; without privilege as far as can be told without."""
        args = {"paths": list(paths)}
        try:
            return codec.host_facts(await self._ask("facts", args, QUICK))
        except PrivilegeRefused as error:
            known = codec.host_facts(await self._ask("facts", args, QUICK, privileged=False))
            return replace(known, problems=(f"{error.what}: {error.evidence}", *known.problems))

    async def _ask(
        self, verb: str, args: Mapping[str, Any], deadline: float, *, privileged: bool = True
    ) -> Any:
        async with self.in_use():
            helper = await self.helper(privileged=privileged)
            return await helper.call(verb, args, deadline)


def _longest(probes: Sequence[Probe]) -> float:
    return max((probe.answer for probe in probes), default=0.0)
