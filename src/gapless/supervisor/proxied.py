"""One proxied connection: a client, the copy it talks to, and what is on its way between them.

Events of the loop are hints only: a descriptor's number may have gone to another connection within
the same turn. What counts is the answer of the socket itself.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from gapless.supervisor.loop import READ, WRITE, Loop, broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BOUND = 65536
"""Bytes of one direction that are held here at most."""
_ROUNDS = 4
"""Reads in a row of one socket; then it is the others' turn."""
_scratch = memoryview(bytearray(BOUND))  # one for all: there is one thread
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST
_UNWATCHED = -1


class Flow:
    """One direction. While the sink does not take all, nothing more is read from the source."""

    __slots__ = ("ended", "finished", "reset", "rest", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.rest = bytearray()
        self.finished = False  # the source has no more to give
        self.ended = False  # the sink was told so, or takes nothing any more
        self.reset = False  # one of them is gone without a goodbye

    @property
    def reads(self) -> bool:
        """Whether there is room for more. What a deaf sink was to get is read and dropped, so that
        its source can go on to hear the last answer."""
        return not self.finished and not self.rest

    def read(self) -> bool:
        """One buffer from source to sink; whether there may be more at once."""
        try:
            size = self.source.recv_into(_scratch)
        except BlockingIOError:
            return False
        except OSError as error:
            self._failed(error)
            size = 0
        if size == 0:
            self.finished = True
            return False
        if not self.ended:
            sent = self._send(_scratch[:size])
            if sent < size:
                self.rest += _scratch[sent:size]
                return False
        return size == BOUND

    def flush(self) -> None:
        """What is left. With nothing left it asks whether the sink still takes anything."""
        sent = self._send(self.rest)
        del self.rest[:sent]

    def settle(self, *, reset: bool) -> None:
        """Tell the sink when nothing more will come; a reset must not look like a proper end."""
        if self.ended or self.rest or not self.finished:
            return
        self.ended = True
        if not reset:
            with suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)

    def state(self) -> list[Any]:
        """What ``restore`` needs."""
        return [self.rest.hex(), self.finished, self.ended, self.reset]

    def restore(self, state: list[Any]) -> None:
        """Go on where ``state`` was."""
        self.rest = bytearray.fromhex(state[0])
        self.finished, self.ended, self.reset = state[1:]

    def _send(self, data: memoryview | bytearray) -> int:
        try:
            return self.sink.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._failed(error)
            self.ended = True
            return len(data)

    def _failed(self, error: OSError) -> None:
        # EPIPE is the proper end of somebody who does not want the answer: what was sent on for
        # him is to arrive, and a reset would overtake it.
        self.reset |= error.errno != errno.EPIPE


class Proxied:
    """A client and its way to a copy. ``refused`` hears of an attempt that did not get there, and
    may ``dial`` again; ``ended`` is called once."""

    def __init__(
        self,
        loop: Loop,
        client: socket.socket,
        refused: Callable[[Proxied, int], None],
        ended: Callable[[Proxied], None],
    ) -> None:
        self._loop, self._client = loop, client
        self._refused, self._ended = refused, ended
        self._target: socket.socket | None = None
        self._watched: dict[int, int] = {}
        self.flows: tuple[Flow, ...] = ()
        self.accepted = loop.now()
        self.attempts = 0
        self.generation = 0
        client.setblocking(False)
        _tune(client)

    def dial(self, family: int, address: str | tuple[str, int]) -> None:
        """Try to reach the copy."""
        self.attempts += 1
        try:
            self._target = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            error = self._target.connect_ex(address)
        except OSError as failure:
            error = failure.errno or errno.EIO
        if error == errno.EINPROGRESS and self._target is not None:
            self._loop.watch(self._target.fileno(), WRITE, self._answered)
        elif error:
            self._hang_up(error)
        else:
            self._connect()

    def state(self) -> dict[str, Any]:
        """What ``restore`` needs, with the numbers of the descriptors that are to be kept. An
        attempt that is under way is made again."""
        kept = self._target.fileno() if self._target is not None and self.flows else -1
        return {
            "generation": self.generation,
            "accepted": self.accepted,
            "client": self._client.fileno(),
            "target": kept,
            "flows": [flow.state() for flow in self.flows],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was; without a copy there, it is still to be dialled."""
        self.accepted = state["accepted"]
        if state["target"] < 0:
            return
        self._target = adopted(state["target"])
        self.flows = (Flow(self._client, self._target), Flow(self._target, self._client))
        for flow, kept in zip(self.flows, state["flows"], strict=True):
            flow.restore(kept)
        self._moved(*self.flows, READ)

    def close(self) -> None:
        """Both sides at once. Where something was not delivered, the other end sees a reset and
        does not take the part for the whole."""
        if self._client.fileno() < 0:
            return
        reset = any(flow.reset or flow.rest for flow in self.flows)
        self._drop(self._client, reset=reset)
        if self._target is not None:
            self._drop(self._target, reset=reset)
        self._ended(self)

    def _answered(self, events: int) -> None:
        assert self._target is not None
        error = self._target.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._hang_up(error)
            return
        try:
            self._target.getpeername()
        except OSError:
            return  # not yet: the event was another's
        self._connect()

    def _hang_up(self, error: int) -> None:
        if self._target is not None:
            self._drop(self._target, reset=True)
            self._target = None
        self._refused(self, error)

    def _connect(self) -> None:
        assert self._target is not None
        if _is_itself(self._target):
            self._hang_up(errno.ECONNREFUSED)
            return
        _tune(self._target)
        up, down = Flow(self._client, self._target), Flow(self._target, self._client)
        self.flows = (up, down)
        self._loop.forget(self._target.fileno())
        self._moved(up, down, READ)  # the request is often here already

    def _moved(self, out: Flow, into: Flow, events: int) -> None:
        """The socket that is source of ``out`` and sink of ``into`` may go on."""
        if into.rest or (broken(events) and not into.ended):
            into.flush()
        for _ in range(_ROUNDS):
            if not out.reads or not out.read():
                break
        reset = out.reset or into.reset
        out.settle(reset=reset)
        into.settle(reset=reset)
        if out.ended and into.ended:
            self.close()
            return
        self._watch(out, into)
        self._watch(into, out)

    def _watch(self, out: Flow, into: Flow) -> None:
        fd = out.source.fileno()
        wanted = (READ if out.reads else 0) | (WRITE if into.rest else 0)
        if not wanted and into.ended:
            wanted = _UNWATCHED  # a hang-up is always reported: it would wake us for ever
        if self._watched.get(fd, _UNWATCHED) == wanted:
            return
        self._watched[fd] = wanted
        if wanted == _UNWATCHED:
            self._loop.forget(fd)
        else:
            self._loop.watch(fd, wanted, lambda events: self._moved(out, into, events))

    def _drop(self, one: socket.socket, *, reset: bool) -> None:
        self._loop.forget(one.fileno())
        if reset:
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.close()


def adopted(fd: int) -> socket.socket:
    """A socket that was kept over an exec: ours again, not our children's."""
    one = socket.socket(fileno=fd)
    one.set_inheritable(False)
    one.setblocking(False)
    return one


def _tune(one: socket.socket) -> None:
    """Small answers at once; a vanished peer is noticed some day."""
    if one.family == socket.AF_UNIX:
        return
    with suppress(OSError):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _is_itself(one: socket.socket) -> bool:
    """A port without a listener may be chosen as our own end's: TCP then connects to itself, and
    the copy could not bind its port any more."""
    if one.family == socket.AF_UNIX:
        return False
    try:
        return bool(one.getsockname() == one.getpeername())
    except OSError:
        return False
