"""The way in for programs that can neither inherit a socket nor share a port: the supervisor
answers the public address and passes each connection on to the copy that is active when it comes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from gapless.supervisor.loop import READ, Deadline, Loop
from gapless.supervisor.proxied import Proxied, adopted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_AT_ONCE = 32
"""Connections accepted in one turn of the loop: signals wait no longer than for these."""
_PATIENCE = 1.0
"""A client waits so long for a copy that refuses it, or for the next copy."""
_QUEUE_PATIENCE = 60.0
"""... for a copy whose queue is full; TCP itself waits about as long."""
_HOLD = 0.1
"""No accepting for so long when there are no descriptors left."""
_RESERVE = 64
"""Descriptors that clients cannot take from the supervisor: it needs some to start a copy."""
_PATH_LIMIT = 108


class ProxyServer:
    """One public address. Accepts from the first ``point`` on.

    A connection belongs to the generation that was pointed at when it came. One that was refused
    there and reached another belongs to the other from then on."""

    def __init__(self, loop: Loop, listener: socket.socket) -> None:
        self._loop, self._listener = loop, listener
        self._target: tuple[int, str | tuple[str, int]] | None = None
        self._generation = 0
        self._open: dict[int, set[Proxied]] = {}
        self._waiting: dict[Proxied, Deadline] = {}
        self._idle: dict[int, list[Callable[[], None]]] = {}
        self._held: Deadline | None = None
        self._paused = self._closed = False

    def point(self, generation: int, target: str) -> None:
        """New connections go there: ``127.0.0.1:8001``, ``[::1]:8001``, ``unix:/path``,
        ``unix:@abstract``. Raises ValueError when it is none of these."""
        self._target = address_of(target)
        self._generation = generation
        for proxied in list(self._waiting):
            self._dial(proxied)
        self._listen()

    def connections(self, generation: int) -> int:
        """How many have not ended in both directions."""
        return len(self._open.get(generation, ()))

    @property
    def busy(self) -> bool:
        """Whether any generation has a connection."""
        return any(self._open.values())

    def when_idle(self, generation: int, call: Callable[[], None]) -> None:
        """Call once, from the loop, as soon as it has no connection."""
        self._idle.setdefault(generation, []).append(call)
        if not self.connections(generation):
            self._loop.after(0.0, lambda: self._tell(generation))

    def cut(self, generation: int) -> None:
        """Close what is left of it: the limit has come."""
        for proxied in list(self._open.get(generation, ())):
            proxied.close()

    def listen_on(self, listener: socket.socket) -> None:
        """The address was given up, and is wanted again while connections to it still live."""
        self._loop.forget(self._listener.fileno())
        self._listener = listener
        self.resume()

    def listens_on(self, listener: socket.socket) -> bool:
        """Whether it is that one."""
        return self._listener is listener

    def pause(self) -> None:
        """Stop accepting; the kernel queues."""
        self._paused = True
        self._listen()

    def resume(self) -> None:
        """Go on accepting."""
        self._paused = False
        self._listen()

    def state(self) -> dict[str, Any]:
        """For the same program after an exec, as JSON: it goes on with every connection. ``fds``
        are the descriptors to keep open, besides the listening socket. Pause first."""
        kept = [one.state() for some in self._open.values() for one in some]
        fds = [one[end] for one in kept for end in ("client", "target") if one[end] >= 0]
        return {"connections": kept, "fds": fds}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with the connections of ``state``, after ``point``. Who waits for an idle
        generation asks again."""
        for kept in state["connections"]:
            proxied = Proxied(self._loop, adopted(kept["client"]), self._refused, self._ended)
            self._count(proxied, kept["generation"])
            proxied.restore(kept)
            if kept["target"] < 0:
                self._dial(proxied)

    def close(self) -> None:
        """Everything but the listening socket. Nobody is told of generations that become idle."""
        self._closed = True
        self._idle.clear()
        for generation in list(self._open):
            self.cut(generation)
        self._release()
        self._listen()

    def _listen(self) -> None:
        if self._closed or self._paused or self._held or self._target is None:
            self._loop.forget(self._listener.fileno())
        else:
            self._loop.watch(self._listener.fileno(), READ, self._accept)

    def _accept(self, events: int) -> None:
        if not self._has_room():
            self._hold()
            return
        for _ in range(_AT_ONCE):
            try:
                client, _peer = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError:
                self._hold()  # descriptors or memory: it would fail again at once
                return
            proxied = Proxied(self._loop, client, self._refused, self._ended)
            self._count(proxied, self._generation)
            self._dial(proxied)

    def _count(self, proxied: Proxied, generation: int) -> None:
        proxied.generation = generation
        self._open.setdefault(generation, set()).add(proxied)

    def _dial(self, proxied: Proxied) -> None:
        waited = self._waiting.pop(proxied, None)
        if waited is not None:
            waited.cancel()
        if proxied.generation != self._generation:
            self._leave(proxied)
            self._count(proxied, self._generation)
        if self._target is not None:
            proxied.dial(*self._target)

    def _refused(self, proxied: Proxied, error: int) -> None:
        patience = _QUEUE_PATIENCE if error == errno.EAGAIN else _PATIENCE
        if self._closed or self._loop.now() >= proxied.accepted + patience:
            proxied.close()
            return
        nap = min(0.1, 0.005 * 2 ** min(proxied.attempts, 8))
        self._waiting[proxied] = self._loop.after(nap, lambda: self._dial(proxied))

    def _ended(self, proxied: Proxied) -> None:
        waited = self._waiting.pop(proxied, None)
        if waited is not None:
            waited.cancel()
        self._leave(proxied)
        self._release()

    def _leave(self, proxied: Proxied) -> None:
        left = self._open[proxied.generation]
        left.discard(proxied)
        if not left:
            generation = proxied.generation
            del self._open[generation]
            if generation in self._idle:
                self._loop.after(0.0, lambda: self._tell(generation))

    def _tell(self, generation: int) -> None:
        if not self.connections(generation):
            for call in self._idle.pop(generation, ()):
                call()

    def _has_room(self) -> bool:
        """The kernel gives out the lowest free number, so a new one tells how many are taken."""
        try:
            spare = os.dup(self._listener.fileno())
        except OSError:
            return False
        os.close(spare)
        return spare + 2 * _AT_ONCE + _RESERVE < os.sysconf("SC_OPEN_MAX")

    def _hold(self) -> None:
        self._held = self._loop.after(_HOLD, self._release)
        self._listen()

    def _release(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None
            self._listen()


def address_of(target: str) -> tuple[int, str | tuple[str, int]]:
    """Family and address of the socket module. Numbers only: a name server may keep us waiting."""
    if target.startswith("unix:"):
        return socket.AF_UNIX, _path_of(target)
    host, _colon, port = target.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    family = socket.AF_INET6 if bracketed else socket.AF_INET
    try:
        socket.inet_pton(family, host[1:-1] if bracketed else host)
    except OSError:
        raise ValueError(f"not an address: {target}") from None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"not an address: {target}")
    return family, (host[1:-1] if bracketed else host, int(port))


def _path_of(target: str) -> str:
    path = target.removeprefix("unix:")
    if path[:1] not in ("/", "@") or len(os.fsencode(path)) >= _PATH_LIMIT:
        raise ValueError(f"not an address: {target}")
    return "\0" + path[1:] if path.startswith("@") else path
