"""What is asked of a host whose copies hand over, and ordered there under the fence."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gapless.clock import to_its_end
from gapless.drivers.handover.view import Sight, sight
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Command, Completed, CriticalAction, Fence, Instance

NAME = "handover"
_BRIEF = 30.0
_MARGIN = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a copy answered. ``status`` 0: nothing, and why."""

    status: int
    why: str

    @property
    def ok(self) -> bool:
        """It did as it was told."""
        return self.status == 200

    def __str__(self) -> str:
        return f"{self.status} {self.why}".strip() if self.status else f"no answer: {self.why}"


class Orders:
    """On the hosts of one service. Orders are critical actions, each harmless to repeat: the host
    compares the fence and runs it apart from the session."""

    def __init__(
        self, transports: Callable[[str], Transport], folder: Callable[[str], str]
    ) -> None:
        self._transports = transports
        self._folder = folder
        self._numbers = itertools.count(1)

    async def look(self, host: str) -> Sight:
        """Raises TrafficError when the host cannot tell."""
        done = await self._transports(host).run(self._script("look", self._folder(host)))
        return sight(_told(host, done))

    async def try_lock(
        self, host: str, lock: str, namespace: str, accounts: Sequence[str]
    ) -> dict[str, str]:
        """What each account could not do, "" where it could."""
        asked = ("try", self._folder(host), lock, namespace, *accounts)
        command = Command.python(script("claim_script"), *asked, timeout=_BRIEF + _MARGIN)
        found: dict[str, str] = _told(host, await self._transports(host).run(command))
        return found

    async def make(self, instance: Instance, fence: Fence | None, owner: str) -> None:
        """Have the folder."""
        command = self._script("make", self._folder(instance.host), owner)
        await self.act(instance, fence, "make", (command,))

    async def turn(
        self,
        instance: Instance,
        fence: Fence | None,
        state: tuple[str, str],
        to: str = "",
        request: str = "",
    ) -> tuple[str, Reply | None]:
        """Write ``state`` (mark of what is there, what comes), then have copy ``to`` answer a
        request: the new mark, and its reply. Raises TrafficError when somebody else has written in
        between."""
        told = (to, request) if to else ()
        command = self._script("turn", self._folder(instance.host), *state, *told)
        done = await self.act(instance, fence, "turn", (command,))
        answer = _told(instance.host, done)
        return answer["mark"], _reply(answer["reply"]) if to else None

    async def say(self, instance: Instance, fence: Fence | None, to: str, request: str) -> Reply:
        """One request to copy ``to``."""
        command = self._script("say", self._folder(instance.host), to, request, str(_BRIEF))
        done = await self.act(instance, fence, "say", (command,))
        return _reply(_told(instance.host, done))

    async def tidy(self, instance: Instance, fence: Fence | None, kept: Sequence[str]) -> None:
        """Take away what copies left that are neither kept nor alive."""
        command = self._script("tidy", self._folder(instance.host), *kept)
        await self.act(instance, fence, "tidy", (command,))

    async def act(
        self, instance: Instance, fence: Fence | None, verb: str, commands: tuple[Command, ...]
    ) -> Completed:
        """Run commands, each of which has to end well; the last one's outcome."""
        transport = self._transports(instance.host)
        if fence is None:
            done = [await transport.run(command) for command in commands]
        else:
            key = f"{fence.rollout}.{fence.number}/{instance}/{NAME}/{verb}#{next(self._numbers)}"
            limit = sum(command.timeout for command in commands) + _MARGIN
            action = CriticalAction(key, commands, fence, limit)
            settled = await to_its_end(transport.act(action))
            done = list(settled.completed)
        if not done:
            raise TrafficError(f"what became of {verb} is not known", where=str(instance))
        if not done[-1].ok:
            raise _refused(instance.host, done[-1])
        return done[-1]

    def _script(self, verb: str, *words: str) -> Command:
        return Command.python(
            script("seat_script"), verb, *words, timeout=_BRIEF + _MARGIN, output_limit=1 << 20
        )


@cache
def script(name: str) -> bytes:
    """The text of a module beside this one."""
    return Path(__file__).with_name(f"{name}.py").read_bytes()


def placed(path: str, text: str) -> Command:
    """Write a file for everybody to read, whole or not at all."""
    return Command.python(script("seat_script"), "place", path, text, timeout=_BRIEF)


def _told(host: str, done: Completed) -> Any:
    if not done.ok:
        raise _refused(host, done)
    return json.loads(done.stdout)


def _reply(told: Mapping[str, Any]) -> Reply:
    body = told.get("body") or {}
    said = (str(body[key]) for key in ("error", "state", "epoch", "why") if key in body)
    why = told.get("error") or ("" if told["status"] == 200 else " ".join(said))
    return Reply(told["status"], why)


def _refused(host: str, done: Completed) -> TrafficError:
    told = done.evidence().splitlines()
    what = told[-1] if told else f"ended with status {done.status}"
    return TrafficError(what, where=host, evidence="\n".join(told[-10:]), next="gapless doctor")
