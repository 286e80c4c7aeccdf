"""A short program that is run for what it prints: the compiler of a configuration, the check of
new code."""

from __future__ import annotations

import os
from collections.abc import Callable

from gapless.supervisor.children import Child, Children, Launch
from gapless.supervisor.loop import READ, Deadline, Loop

_MOST = 4 << 20
_PART = 65536

Done = Callable[[int | None, str, str], None]
"""Called with its raw status (None: it did not end in time), output and errors."""


class Errand:
    """Runs at once; ``done`` is called once, always from the loop."""

    def __init__(
        self, loop: Loop, children: Children, launch: Callable[[dict[int, int]], Launch],
        limit: float, done: Done,
    ) -> None:  # fmt: skip
        self._loop, self._done = loop, done
        self._read: dict[int, bytes] = {}
        self._status: int | None = None
        self._ended = False
        out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        self._out, self._err = out[0], err[0]
        self._open = {out[0], err[0]}
        for fd in self._open:
            os.set_blocking(fd, False)
            self._read[fd] = b""
            loop.watch(fd, READ, lambda _events, fd=fd: self._take(fd))  # type: ignore[misc]
        self._deadline: Deadline = loop.after(limit, self._too_late)
        self._child: Child | None = None
        try:
            self._child = children.start(launch({1: out[1], 2: err[1]}), self._over)
        except OSError as error:
            self._read[self._err] = f"{error.strerror}: {error.filename}".encode()
            self._status = 127 << 8
            loop.after(0, self._finish)
        finally:
            os.close(out[1])
            os.close(err[1])

    def end(self) -> None:
        """Nobody waits for it any more."""
        self._done = _nothing
        if self._child is not None:
            self._child.kill_all()
        self._finish()

    def _take(self, fd: int) -> None:
        try:
            part = os.read(fd, _PART)
        except BlockingIOError:
            return
        if part and len(self._read[fd]) < _MOST:
            self._read[fd] += part
        elif not part:
            self._drop(fd)
            self._finish_when_over()

    def _over(self, status: int) -> None:
        self._status, self._ended = status, True
        self._finish_when_over()

    def _finish_when_over(self) -> None:
        if self._ended and not self._open:
            self._finish()

    def _too_late(self) -> None:
        self._status = None
        if self._child is not None:
            self._child.kill_all()
        self._finish()

    def _finish(self) -> None:
        self._deadline.cancel()
        for fd in list(self._open):
            self._drop(fd)
        done, self._done = self._done, _nothing
        done(
            self._status,
            self._read[self._out].decode(errors="replace"),
            self._read[self._err].decode(errors="replace"),
        )

    def _drop(self, fd: int) -> None:
        self._open.discard(fd)
        self._loop.forget(fd)
        os.close(fd)


def _nothing(_status: int | None, _out: str, _err: str) -> None: ...
