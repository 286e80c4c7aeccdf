"""A program that is run in the surroundings of the copy; its end is the answer."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace

from gapless.supervisor import processes
from gapless.supervisor.children import told as how_it_ended
from gapless.supervisor.evidence import MOST_OF_OUTPUT, Answered, text
from gapless.supervisor.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.supervisor.children import Child, Children, Launch

_PIPE = 65536
"""As much as one holds."""


class Command:
    """One attempt."""

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
        return text(self._kept)

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
        self._kept = (self._kept + data)[-MOST_OF_OUTPUT:]
        if not data:
            self._close()

    def _gone(self, status: int) -> None:
        self._running = False
        if not self._ended:
            if self._output >= 0:
                self._take()
            self._answered(status == 0, how_it_ended(status), self.so_far)
