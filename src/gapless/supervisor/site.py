"""What a supervisor has besides its copies: loop, children, addresses, the service manager, its
folder, and the last good configuration."""

from __future__ import annotations

import fcntl
import os
import resource

from gapless.supervisor import last_end, outlet, pidfile, rundir, sockets
from gapless.supervisor.addresses import Addresses
from gapless.supervisor.children import Children
from gapless.supervisor.copy import Copy
from gapless.supervisor.guard import Guard
from gapless.supervisor.last_good import LastGood
from gapless.supervisor.loop import Loop
from gapless.supervisor.notify import Manager
from gapless.supervisor.spec import Spec

_PAUSE = 0.1
"""Seconds until another guard is posted."""


class Site:
    """One supervisor's."""

    def __init__(self, spec: Spec, loop: Loop, guard: Guard) -> None:
        self.spec = spec
        """Of the copy that serves, or is the first to."""
        self.loop = loop
        self.outlets = outlet.both(loop)
        self.children = Children(loop)
        self.children.refused = self._may_not
        self.manager = Manager(os.environ)
        self.addresses = Addresses(loop, self.manager)
        self.folder = rundir.folder(spec.name)
        self.last_good = LastGood(self.folder)
        self.notes: list[str] = []
        """What is to be known of the flip that is under way, though it goes well."""
        self.guard = guard
        self.lock = -1
        self.said_ready = False

    def occupy(self) -> None:
        """Be the only one of this name. Raises OSError (BlockingIOError: it is taken)."""
        rundir.made(rundir.base())
        rundir.made(self.folder)
        path = f"{self.folder}/{rundir.LOCK}"
        self.lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.addresses.given = sockets.given_to_us(os.environ)
        self.watch_guard()
        self.last_good.recall(self.spec)
        last_end.forget(self.folder)

    def died(self, copy: Copy, code: int) -> None:
        """The program ended, and nobody had told it to."""
        last_end.remember(self.folder, copy.ended_how(), code)

    def mark(self, number: int) -> str:
        """What all of one copy carries."""
        return f"{self.guard.run}-{number}"

    def say(self, *lines: str) -> None:
        """To whoever reads our errors; nobody has to."""
        for line in lines:
            self.outlets[2].tell(f"gapless run {self.spec.name}: {line}")

    def tell(self, lines: list[str]) -> None:
        """A screen."""
        self.outlets[2].tell("\n".join(lines))

    # -- a copy -----------------------------------------------------------------------------------

    def open(self, spec: Spec) -> None:
        """Hold all it needs, besides what is held. Raises OSError."""
        self.notes = []
        if spec.proxy:
            self._raise_limit()
        self.addresses.open(spec)

    def failed(self) -> None:
        """What only the new copy was to listen on is given up."""
        self.addresses.take_back(self.spec)

    def committed(self, copy: Copy, old: Copy | None) -> None:
        """Everybody else is told. ``old`` may have died meanwhile."""
        left = self.spec.pidfile
        self.spec = copy.wanted
        self.last_good.committed(copy.wanted, old)
        self.notes += self.addresses.settle(copy.wanted)
        if copy.spec.pidfile:
            self._write_pidfile(copy.spec.pidfile)
        if left != copy.spec.pidfile:
            pidfile.remove(left)
        ready = () if self.said_ready else ("READY=1",)
        self.said_ready = True
        says = f": {copy.says}" if copy.says else ""
        status = f"STATUS=generation {copy.number} serves, process {copy.pid}{says}"
        # the new copy's own pings were not passed on until now
        alive = ("WATCHDOG=1",) if self.manager.watchdog else ()
        self.manager.tell(*ready, status, *alive)

    def leave(self) -> None:
        """Nothing is left behind; the lock goes with the process."""
        self.addresses.close()
        pidfile.remove(self.spec.pidfile)
        self.guard.dismiss()

    # -- the guard --------------------------------------------------------------------------------

    def watch_guard(self) -> None:
        """Another takes its place when it is killed."""
        try:
            self.children.adopt(self.guard.pid, "", self._guard_ended)
        except ProcessLookupError:  # killed just before our process replaced itself
            self._guard_ended(0)

    def _guard_ended(self, _status: int) -> None:
        # not at once: whoever kills it may be at it
        self.loop.after(_PAUSE, self._post_guard)

    def _post_guard(self) -> None:
        self.guard.post_again()
        self.watch_guard()
        self.say("the guard was killed; another one stands by")

    # -- inside -----------------------------------------------------------------------------------

    def _may_not(self, pid: int, number: int) -> None:
        self.say(f"process {pid} is of another user: it cannot be sent signal {number}")

    def _raise_limit(self) -> None:
        """Each proxied connection needs two descriptors; copies start with what we had."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.children.limits.setdefault("nofile", (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def _write_pidfile(self, path: str) -> None:
        try:
            pidfile.write(path)
        except OSError as error:
            self.say(f"the pidfile is not written: {error.strerror}: {path}")
