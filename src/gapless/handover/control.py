"""What a request asks of a copy, and what it is answered. HTTP is elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gapless.handover.copy import Copy
from gapless.handover.machine import ObsoleteEpoch, State, WrongState
from gapless.handover.requests import Requests
from gapless.handover.status import status_of


@dataclass(frozen=True)
class Reply:
    """A status of HTTP and an object of JSON."""

    status: int
    body: dict[str, object]


class _Nonsense(Exception):
    pass


class Control:
    """Knows the requests of the protocol."""

    def __init__(self, copy: Copy, offered: Callable[[], Awaitable[None]]) -> None:
        """``offered`` has the copy look, and waits until it has offered what it kept."""
        self._copy, self._offered = copy, offered
        self._requests = Requests(copy)
        self._posts: dict[str, Callable[[int, dict[str, str]], Awaitable[None]]] = {
            "/lock": self._lock,
            "/activate": self._activate,
            "/deactivate": self._deactivate,
            "/abort": self._abort,
        }

    async def answer(self, method: str, target: str) -> Reply:
        """To any request, also to nonsense."""
        try:
            return await self._answer(method, target)
        except _Nonsense as nonsense:
            return Reply(400, {"error": "request", "why": str(nonsense)})
        except ObsoleteEpoch as obsolete:
            return Reply(409, {"error": "obsolete", "epoch": obsolete.seen})
        except WrongState:
            state = self._copy.machine.state.value
            return Reply(409, {"error": "state", "state": state})

    async def _answer(self, method: str, target: str) -> Reply:
        path, _, query = target.partition("?")
        if path in ("/healthz", "/readyz", "/handover"):
            if method != "GET":
                raise _Nonsense(f"{path} is asked for with GET")
            status = status_of(self._copy)
            failing = path == "/readyz" and not status["ready"]
            return Reply(503 if failing else 200, status)
        if path not in self._posts:
            raise _Nonsense(f"there is no {path}")
        if method != "POST":
            raise _Nonsense(f"{path} is asked for with POST")
        given = _parameters(query)
        await self._posts[path](_integer(given, "epoch"), given)
        return Reply(200, status_of(self._copy))

    async def _lock(self, epoch: int, given: dict[str, str]) -> None:
        on = given.get("on")
        if on not in ("true", "false"):
            raise _Nonsense("on must be true or false")
        self._requests.set_lock(epoch, on=on == "true")

    async def _activate(self, epoch: int, given: dict[str, str]) -> None:
        self._requests.activate(epoch)
        await self._handles_again()

    async def _abort(self, epoch: int, given: dict[str, str]) -> None:
        self._requests.abort(epoch)
        await self._handles_again()

    async def _handles_again(self) -> None:
        await self._offered()
        if self._copy.machine.state is not State.ACTIVE:
            raise WrongState

    async def _deactivate(self, epoch: int, given: dict[str, str]) -> None:
        seconds = _integer(given, "deadline") / 1000 if "deadline" in given else None
        self._requests.deactivate(epoch, seconds)


def _parameters(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    if len(pairs) != len({key for key, _ in pairs}):
        raise _Nonsense("a parameter is given twice")
    return dict(pairs)


def _integer(given: dict[str, str], key: str) -> int:
    value = given.get(key, "")
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise _Nonsense(f"{key} must be an integer that is not negative")
    return int(value)
