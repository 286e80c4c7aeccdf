"""Asking a new copy whether it is ready, again and again.

1. One attempt at a time; each has its own limit, and is over before the next begins.
2. An attempt is a connection (tcp, unix), a request (http, docker) or a command.
3. What it found is told with its evidence: what was asked, what came back, what was wanted.
   How many good answers in a row are enough is for the listener to say.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from gapless.supervisor.check_command import Command
from gapless.supervisor.connection import Connection, internet, unix
from gapless.supervisor.container import verdict
from gapless.supervisor.evidence import evidence, status, why, words
from gapless.supervisor.http_answer import HttpAnswer
from gapless.supervisor.http_request import Request, place_of, quoted
from gapless.supervisor.loop import Deadline, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from gapless.supervisor.children import Children, Launch
    from gapless.supervisor.spec import Ready

    class Way(Protocol):
        """One attempt. It answers once, or is ended before it does; ``end`` may come twice."""

        def begin(self) -> None:
            """Raises OSError or ValueError when it cannot even be tried."""

        def end(self) -> None:
            """Leave nothing behind."""

        @property
        def lingers(self) -> bool:
            """Whether something of it is still there, though it was ended."""

        @property
        def so_far(self) -> str:
            """What has come, for one that never answers."""


KINDS = ("command", "http", "tcp", "unix", "docker")
SHORTEST_INTERVAL = 0.01
"""Less would leave the loop no time for anything else."""
_MOST_OF_HTTP, _MOST_OF_DOCKER = 65536, 1 << 20


@dataclass(frozen=True)
class Answer:
    """Of one attempt."""

    ok: bool
    evidence: str
    """``GET 127.0.0.1:8080/health -> 503 starting (wanted 200)``"""


class Asking:
    """One copy is asked until ``end``."""

    def __init__(
        self,
        loop: Loop,
        children: Children,
        ready: Ready,
        launch: Launch,
        told: Callable[[Answer], None],
    ) -> None:
        if ready.kind not in KINDS:
            raise ValueError(f"not a question that can be asked: {ready.kind}")
        self._loop, self._children, self._ready, self._launch = loop, children, ready, launch
        self._told = told
        self._next: Deadline | None = None
        self._limit: Deadline | None = None
        self._way: Way | None = None
        self._past: Way | None = None
        self._begun = self._took = 0.0
        """When the last attempt began, and how long the one before took."""

    def begin(self) -> None:
        """The first attempt comes at once, the next an interval after the end of that."""
        self.end()
        self._again(0.0)

    def end(self) -> None:
        """Nothing is told any more; what is under way is broken off."""
        for deadline in (self._next, self._limit):
            if deadline is not None:
                deadline.cancel()
        way, self._way = self._way, None
        if way is not None:
            way.end()

    @property
    def unanswered(self) -> str:
        """Evidence of an attempt that takes longer than the one before; "" without one."""
        took = self._loop.now() - self._begun
        if self._way is None or took <= max(self._interval, self._took):
            return ""
        so_far = self._way.so_far
        return evidence(self._ready, self._silence(took, so_far), so_far)

    def _silence(self, seconds: float, so_far: str) -> str:
        began = so_far or self._ready.kind == "command"
        return f"{'did not end' if began else 'no answer'} within {round(seconds, 1):g} s"

    def _again(self, seconds: float) -> None:
        self._next = self._loop.after(seconds, self._attempt)

    def _attempt(self) -> None:
        if self._past is not None and self._past.lingers:
            self._again(self._interval)
            return
        self._limit = self._loop.after(self._ready.timeout, self._late)
        self._begun = self._loop.now()
        try:
            self._way = self._new_way()
            self._way.begin()
        except (OSError, ValueError) as error:
            self._answered(False, why(error), "")

    @property
    def _interval(self) -> float:
        return max(SHORTEST_INTERVAL, self._ready.interval)

    def _late(self) -> None:
        if self._way is not None:
            so_far = self._way.so_far
            self._way.end()
            self._answered(False, self._silence(self._ready.timeout, so_far), so_far)

    def _answered(self, ok: bool, what: str, words: str) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._took = self._loop.now() - self._begun
        # Out of the way first: whoever is told may end all this, and must not wait for the sweep.
        self._past, self._way = self._way, None
        self._again(self._interval)
        try:
            self._told(Answer(ok, evidence(self._ready, what, words)))
        finally:
            if self._past is not None:
                self._past.end()

    def _new_way(self) -> Way:
        ready = self._ready
        if ready.kind == "command":
            return Command(self._loop, self._children, self._launch, ready.command, self._answered)
        if ready.kind == "docker":
            path = f"/containers/{quoted(ready.target.strip('/'), b'/?%')}/json"
            docker = HttpAnswer(_MOST_OF_DOCKER)
            where = [unix(ready.docker)]
            return Request(self._loop, where, "docker", path, docker, verdict, self._answered)
        if ready.kind == "http":
            where, host, path = place_of(ready.target)
            answer = HttpAnswer(_MOST_OF_HTTP)
            return Request(self._loop, where, host, path, answer, self._of_http, self._answered)
        where = [unix(ready.target)] if ready.kind == "unix" else internet(ready.target)
        return Connection(self._loop, where, self._accepted, self._refused)

    def _accepted(self, _: socket.socket) -> None:
        self._answered(True, "accepted", "")

    def _refused(self, why: str) -> None:
        self._answered(False, why, "")

    def _of_http(self, answer: HttpAnswer) -> tuple[bool, str, str]:
        body = self._ready.body.encode(errors="surrogatepass")
        found = body in answer.body
        ok = not answer.fault and answer.status in self._ready.status and found
        cut = ", not in its first 64 KB" if answer.cut and not found else ""
        return ok, status(answer) + cut, words(answer)
