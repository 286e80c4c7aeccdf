"""Asking a new copy whether it is ready, again and again.

1. One attempt at a time; each has its own limit, and is over before the next begins.
2. An attempt is a connection (tcp, unix), a request (http, docker) or a command.
3. What it found is told with its evidence: what was asked, what came back, what was wanted.
   How many good answers in a row are enough is for the listener to say.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gapless.supervisor import processes
from gapless.supervisor.children import told as how_it_ended
from gapless.supervisor.http_answer import HttpAnswer
from gapless.supervisor.loop import READ, WRITE, Deadline, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from gapless.supervisor.children import Child, Children, Launch
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


Answered = Callable[[bool, str, str], None]
"""Whether it was good, what happened, and the words of the other side."""
Address = tuple[socket.AddressFamily, "Any"]

KINDS = ("command", "http", "tcp", "unix", "docker")
SHORTEST_INTERVAL = 0.01
"""Less would leave the loop no time for anything else."""
LONGEST_EVIDENCE = 200
_LEAST_QUESTION, _LONGEST_WISH = 80, 50
_MOST_OF_HTTP, _MOST_OF_DOCKER = 65536, 1 << 20
_MOST_OF_OUTPUT = 2048
_PIPE = 65536
"""As much as one holds."""
_QUEUE_FULL_AGAIN = 0.02
"""A unix socket whose queue is full gives no event when that changes."""
_PRINTABLE = frozenset(range(0x21, 0x7F)) - frozenset(b"#")


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

    def _again(self, seconds: float) -> None:
        self._next = self._loop.after(seconds, self._attempt)

    def _attempt(self) -> None:
        if self._past is not None and self._past.lingers:
            self._again(self._interval)
            return
        self._limit = self._loop.after(self._ready.timeout, self._late)
        try:
            self._way = self._new_way()
            self._way.begin()
        except (OSError, ValueError) as error:
            self._answered(False, _why(error), "")

    @property
    def _interval(self) -> float:
        return max(SHORTEST_INTERVAL, self._ready.interval)

    def _late(self) -> None:
        if self._way is not None:
            so_far = self._way.so_far
            self._way.end()
            self._answered(False, f"did not end within {self._ready.timeout:g} s", so_far)

    def _answered(self, ok: bool, what: str, words: str) -> None:
        if self._limit is not None:
            self._limit.cancel()
        # Out of the way first: whoever is told may end all this, and must not wait for the sweep.
        self._past, self._way = self._way, None
        self._again(self._interval)
        try:
            self._told(Answer(ok, self._evidence(what, words)))
        finally:
            if self._past is not None:
                self._past.end()

    def _new_way(self) -> Way:
        ready = self._ready
        if ready.kind == "command":
            return _Command(self._loop, self._children, self._launch, ready.command, self._answered)
        if ready.kind == "docker":
            path = f"/containers/{_quoted(ready.target.strip('/'), b'/?%')}/json"
            docker = HttpAnswer(_MOST_OF_DOCKER)
            where = [_unix(ready.docker)]
            return _Request(self._loop, where, "docker", path, docker, _of_docker, self._answered)
        if ready.kind == "http":
            where, host, path = _http_target(ready.target)
            answer = HttpAnswer(_MOST_OF_HTTP)
            return _Request(self._loop, where, host, path, answer, self._of_http, self._answered)
        where = [_unix(ready.target)] if ready.kind == "unix" else _internet(ready.target)
        return _Connection(self._loop, where, self._accepted, self._refused)

    def _accepted(self, _: socket.socket) -> None:
        self._answered(True, "accepted", "")

    def _refused(self, why: str) -> None:
        self._answered(False, why, "")

    def _of_http(self, answer: HttpAnswer) -> tuple[bool, str, str]:
        body = self._ready.body.encode(errors="surrogatepass")
        found = body in answer.body
        ok = not answer.fault and answer.status in self._ready.status and found
        cut = ", not in its first 64 KB" if answer.cut and not found else ""
        return ok, _status(answer) + cut, _words(answer)

    def _evidence(self, what: str, words: str) -> str:
        command = self._ready.kind == "command"
        wanted = _cut(_plain(self._wish), _LONGEST_WISH)
        came, words = _plain(what), _plain(words)
        if words:
            words = (" " if what.isdigit() and not command else ": ") + words
        room = LONGEST_EVIDENCE - len(f" ->  (wanted {wanted})")
        # A long question gives way to the answer, but not all of it.
        asked = _plain(self._question)
        asked = _cut(asked, max(_LEAST_QUESTION, room - len(came) - len(words)))
        came = _cut(came, room - len(asked))
        # The end of an output tells most; of an answer, the beginning.
        shorten = _cut_front if command else _cut
        return f"{asked} -> {came}{shorten(words, room - len(asked + came))} (wanted {wanted})"

    @property
    def _question(self) -> str:
        ready = self._ready
        return {
            "command": " ".join(ready.command),
            "http": f"GET {ready.target}",
            "docker": f"docker container {ready.target}",
        }.get(ready.kind, f"connect {ready.target}")

    @property
    def _wish(self) -> str:
        ready = self._ready
        status = " or ".join(map(str, ready.status))
        return {
            "command": "status 0",
            "http": f"{status} with {ready.body!r}" if ready.body else status,
            "docker": "running and healthy",
        }.get(ready.kind, "a listener")


class _Connection:
    """A socket on its way to the first of its addresses that accepts."""

    lingers = False
    so_far = ""

    def __init__(
        self,
        loop: Loop,
        addresses: Iterable[Address],
        connected: Callable[[socket.socket], None],
        failed: Callable[[str], None],
    ) -> None:
        self._loop, self._left = loop, list(addresses)
        self._connected, self._failed = connected, failed
        self._socket: socket.socket | None = None
        self._to: Address = self._left[0]
        self._queue_full: Deadline | None = None

    def begin(self) -> None:
        """Try the next address. Raises OSError when there are no sockets to be had."""
        self._to = self._left.pop(0)
        self._socket = socket.socket(self._to[0], socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._try(0)

    def end(self) -> None:
        """Close it."""
        if self._queue_full is not None:
            self._queue_full.cancel()
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _try(self, _: int) -> None:
        """Asking the kernel again tells how far it is; an event that was meant for an earlier
        owner of the descriptor does no harm."""
        if self._socket is None:
            return
        number = self._socket.connect_ex(self._to[1])
        if number in (errno.EINPROGRESS, errno.EALREADY):
            self._loop.watch(self._socket.fileno(), WRITE, self._try)
        elif number == errno.EAGAIN:
            self._queue_full = self._loop.after(_QUEUE_FULL_AGAIN, lambda: self._try(0))
        elif number not in (0, errno.EISCONN) or self._met_itself(self._socket):
            self._next_or_failed(number or errno.ECONNREFUSED)
        else:
            self._loop.forget(self._socket.fileno())
            self._connected(self._socket)

    def _met_itself(self, connected: socket.socket) -> bool:
        """A port out of the range for outgoing connections, and nobody there: once in a while the
        kernel picks it for the asker, who then answers himself."""
        if self._to[0] == socket.AF_UNIX:
            return False
        try:
            return bool(connected.getsockname() == connected.getpeername())
        except OSError:  # already reset
            return False

    def _next_or_failed(self, number: int) -> None:
        self.end()
        if not self._left:
            self._failed(os.strerror(number))
            return
        try:
            self.begin()
        except OSError as error:
            self._failed(_why(error))


class _Request:
    """One GET, and its answer."""

    lingers = False

    def __init__(
        self,
        loop: Loop,
        addresses: Iterable[Address],
        host: str,
        path: str,
        answer: HttpAnswer,
        judge: Callable[[HttpAnswer], tuple[bool, str, str]],
        answered: Answered,
    ) -> None:
        self._loop, self._answer, self._judge, self._answered = loop, answer, judge, answered
        self._rest = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gapless\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        ).encode("ascii")
        self._connection = _Connection(loop, addresses, self._connected, self._failed)

    @property
    def so_far(self) -> str:
        """The head, or that it is missing."""
        return f"{self._answer.status} {_words(self._answer)}" if self._answer.status else ""

    def begin(self) -> None:
        """Connect, send, receive."""
        self._connection.begin()

    def end(self) -> None:
        """Close the connection."""
        self._connection.end()

    def _failed(self, why: str) -> None:
        self._answered(False, why, "")

    def _connected(self, connected: socket.socket) -> None:
        self._loop.watch(connected.fileno(), WRITE, lambda _: self._send(connected))

    def _send(self, connected: socket.socket) -> None:
        try:
            self._rest = self._rest[connected.send(self._rest) :]
        except BlockingIOError:
            return
        except OSError:  # it has closed, but may have said why
            self._rest = b""
        if not self._rest:
            self._loop.watch(connected.fileno(), READ, lambda _: self._receive(connected))

    def _receive(self, connected: socket.socket) -> None:
        try:
            data = connected.recv(max(1, min(16384, self._answer.room)))
        except BlockingIOError:
            return
        except OSError as error:
            self._answered(False, _why(error), self.so_far)
            return
        if data:
            self._answer.feed(data)
        else:
            self._answer.closed()
        if self._answer.over:
            self._answered(*self._judge(self._answer))


class _Command:
    """A program that is run in the surroundings of the copy; its end is the answer."""

    def __init__(
        self,
        loop: Loop,
        children: Children,
        launch: Launch,
        command: tuple[str, ...],
        answered: Answered,
    ) -> None:
        self._loop, self._children, self._answered = loop, children, answered
        self._launch, self._command = launch, command
        self._mark = launch.environment.get(processes.MARK, "") + ".check"
        self._child: Child | None = None
        self._output = -1
        self._kept = b""
        self._running = self._ended = False

    @property
    def lingers(self) -> bool:
        """Killed, and still not gone: one that hangs in the kernel."""
        return self._running

    @property
    def so_far(self) -> str:
        """The end of its output."""
        return _text(self._kept)

    def begin(self) -> None:
        """Start it. Raises OSError when that is not possible."""
        if not self._command:
            raise ValueError("no command")
        with contextlib.ExitStack() as only_its_own:
            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            only_its_own.callback(os.close, null)
            self._output, write = os.pipe()
            only_its_own.callback(os.close, write)
            os.set_blocking(self._output, False)
            launch = self._as_the_copy({0: null, 1: write, 2: write})
            self._child = self._children.start(launch, self._gone)
        self._running = True
        self._loop.watch(self._output, READ, lambda _: self._take())

    def _as_the_copy(self, fds: dict[int, int]) -> Launch:
        """But with a mark of its own: what it leaves behind is killed by that, and not the copy.
        The copy's sockets are not handed on, so no variable says that they are meant for it."""
        return replace(
            self._launch,
            argv=self._command,
            environment={**self._launch.environment, processes.MARK: self._mark},
            fds=fds,
            pid_variables=(),
        )

    def end(self) -> None:
        """Kill it and all that it started."""
        self._close()
        if self._child is not None and not self._ended:
            self._ended = True
            if self._running:  # else what it left behind went when it was buried
                self._child.kill_all()

    def _close(self) -> None:
        if self._output >= 0:
            self._loop.forget(self._output)
            os.close(self._output)
            self._output = -1

    def _take(self) -> None:
        """A piece of its output."""
        try:
            data = os.read(self._output, _PIPE)
        except BlockingIOError:
            return
        self._kept = (self._kept + data)[-_MOST_OF_OUTPUT:]
        if not data:
            self._close()

    def _gone(self, status: int) -> None:
        self._running = False
        if not self._ended:
            if self._output >= 0:
                self._take()
            self._answered(status == 0, how_it_ended(status), self.so_far)


def _of_docker(answer: HttpAnswer) -> tuple[bool, str, str]:
    if answer.fault or answer.status != 200:
        return False, _status(answer), _words(answer)
    try:
        return _of_state(json.loads(answer.body)["State"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False, "an answer without State.Running", _words(answer)


def _of_state(state: dict[str, Any]) -> tuple[bool, str, str]:
    """A container that is being restarted, or stands still, is Running, too. Where there is no
    health check, Health is missing, or without a status, or its status is ``none``."""
    halt = next((name for name in ("Restarting", "Paused") if state.get(name)), "")
    running = state["Running"] is True and not halt
    health = (state.get("Health") or {}).get("Status") or "none"
    what = "running" if running else halt.lower() or str(state.get("Status") or "not running")
    words = "" if health == "none" else f", {health}"
    return running and health in ("none", "healthy"), what + words, ""


def _http_target(target: str) -> tuple[list[Address], str, str]:
    """Addresses, Host and path of ``HOST:PORT/PATH`` or ``unix:/SOCKET:/PATH``."""
    if target.startswith("unix:"):
        place, _, path = target.removeprefix("unix:").partition(":/")
        return [_unix(place)], "localhost", "/" + _quoted(path)
    place, _, path = target.partition("/")
    return _internet(place), place, "/" + _quoted(path)


def _internet(place: str) -> list[Address]:
    """Of ``HOST:PORT``. Numbers alone, and localhost, which needs no asking: looking up any other
    name would block."""
    host, _, port = place.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise ValueError(f"no port in {place}")
    hosts = ("127.0.0.1", "::1") if host.lower() == "localhost" else (host.strip("[]"),)
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        found = [
            # bytes: text would load the codec for international names
            socket.getaddrinfo(one.encode(), port, type=socket.SOCK_STREAM, flags=flags)[0]
            for one in hosts
            if one
        ]
    except socket.gaierror:
        found = []
    if not found:
        raise ValueError(f"no address in numbers: {place}")
    return [(one[0], one[4]) for one in found]


def _unix(path: str) -> Address:
    """Of a path, or ``@NAME`` of an abstract one."""
    name = os.fsencode(path)
    if not name or b"\0" in name or len(name) > 107:
        raise ValueError(f"not the path of a socket: {path}")
    return socket.AF_UNIX, b"\0" + name[1:] if name.startswith(b"@") else name


def _quoted(path: str, also: bytes = b"") -> str:
    """What may not stand in a request line, as ``%20``."""
    plain = _PRINTABLE.difference(also)
    return "".join(chr(c) if c in plain else f"%{c:02X}" for c in os.fsencode(path))


def _status(answer: HttpAnswer) -> str:
    words = (str(answer.status) if answer.status else "", answer.fault)
    return ", ".join(word for word in words if word)


def _words(answer: HttpAnswer) -> str:
    return _text(answer.body[:_MOST_OF_OUTPUT]) or answer.reason


def _why(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror + (f": {error.filename}" if error.filename else "")


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _plain(text: str) -> str:
    """In one line, and nothing in it that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else (text[: max(0, room - 3)] + "...")[:room]


def _cut_front(text: str, room: int) -> str:
    return text if len(text) <= room else (": ..." + text[len(text) - max(0, room - 5) :])[:room]
