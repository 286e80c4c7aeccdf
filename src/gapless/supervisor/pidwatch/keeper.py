"""The process behind the face."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress

from gapless.supervisor.pidwatch.descendants import descendant, exit_code, kill_descendants
from gapless.supervisor.pidwatch.folder import Folder
from gapless.supervisor.pidwatch.pidfile import Pidfile
from gapless.supervisor.pidwatch.process import Process
from gapless.supervisor.pidwatch.saying import say
from gapless.supervisor.pidwatch.signals import OURS, Signals
from gapless.supervisor.pidwatch.starting import start
from gapless.supervisor.pidwatch.wanted import Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = 1
"""The main process was not ours to wait for, and nobody else came after it."""


class Keeper:
    """Follows the main process, until there is none."""

    def __init__(self, wanted: Wanted, pidfile: Pidfile, face: Process | None) -> None:
        self._wanted, self._pidfile, self._face = wanted, pidfile, face
        self._signals = Signals()
        self._folder: Folder | None = None
        self._held: list[int] = []
        """Signals that wait for a main process."""
        self._status: int | None = None
        """Of the last main process that ended."""
        self._until: float | None = None
        """When there is no main process: how long another is waited for."""
        self._first = start(wanted.command, face.pid if face else os.getpid())
        self._main = self._first

    def run(self) -> int:
        """Until the last main process ended; returns the exit code."""
        while (code := self._turn()) is None:
            pass
        kill_descendants()
        return code

    def _turn(self) -> int | None:
        self._sleep()
        if self._face is not None and self._face.ended():
            return 128 + signal.SIGKILL
        self._hear()
        left = self._bury()
        self._look()
        self._deliver()
        if not self._main.ended():
            return None
        return None if left and self._may_wait() else self._ended(left)

    def _sleep(self) -> None:
        """For ever, as long as the main process lives and nobody has anything to say."""
        poll = select.poll()
        for fd in self._sources():
            poll.register(fd, select.POLLIN)
        if self._until is None:
            poll.poll()
        else:
            poll.poll(max(0.0, self._until - time.monotonic()) * 1000 + 1)

    def _sources(self) -> Iterable[int]:
        yield self._signals.fd
        if self._face is not None:
            yield self._face.fd
        if self._until is None:
            yield self._main.fd
        elif self._folder is not None:
            yield self._folder.fd

    def _hear(self) -> None:
        """Only what the face passes on: systemd and others signal every process they find."""
        for number, sender in self._signals.read():
            if number not in OURS and (self._face is None or sender == self._face.pid):
                self._held.append(number)

    def _bury(self) -> bool:
        """Whoever ended; whether a child is left."""
        between = self._until is not None and self._status is not None
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return True
                # One that came after the main process may end before we heard of it.
                if pid == self._main.pid or (between and pid == self._pidfile.number()):
                    self._status = status
        except ChildProcessError:
            return False

    def _look(self) -> None:
        """Who is the main process? Asked when that matters."""
        over = self._main.ended()
        if not over and not self._held:
            return
        if self._folder is not None:
            self._folder.arm()  # before the file is read
        named = self._pidfile.number()
        if named and (over or named != self._main.pid):
            self._follow(descendant(named))
        if self._main.ended() and not self._first.ended():
            self._follow(self._first)

    def _follow(self, process: Process | None) -> None:
        if process is None:
            return
        self._say(f"follows process {process.pid}, before {self._main.pid}")
        if self._main is not self._first:
            self._main.close()
        self._main, self._status, self._until = process, None, None
        if self._folder is not None:
            os.close(self._folder.fd)
            self._folder = None

    def _deliver(self) -> None:
        """What nobody is there to get is held for the next main process."""
        while self._held and not self._main.ended():
            try:
                self._main.send(self._held[0])
            except ProcessLookupError:
                return
            except OSError as error:  # it runs as another user
                say(f"signal {self._held[0]} cannot be sent to process {self._main.pid}: {error}")
            del self._held[0]

    def _may_wait(self) -> bool:
        """For another process to be named."""
        if self._until is None:
            self._until = time.monotonic() + self._wanted.wait
            with suppress(OSError):  # no more watches to be had: read at the end
                self._folder = Folder(self._pidfile.path)
            self._look()
            self._deliver()
            return True
        return time.monotonic() < self._until

    def _ended(self, left: bool) -> int:
        if left:
            self._say(
                f"process {self._main.pid} ended, and {self._pidfile.path} named no other of its"
                f" descendants for {self._wanted.wait:g} s: those that are left are killed"
            )
        if self._status is None:
            say(f"the parent of process {self._main.pid} took its exit status: {UNKNOWN} instead")
            return UNKNOWN
        return exit_code(self._status)

    def _say(self, text: str) -> None:
        if not self._wanted.quiet:
            say(text)
