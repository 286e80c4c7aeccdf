"""What a supervisor has besides its copies: loop, children, listeners, proxies, the service
manager, its folder, and the last good configuration."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sys
from collections.abc import Callable

from gapless.supervisor import rundir, sockets, upgrade
from gapless.supervisor.children import Children, Launch, exit_code
from gapless.supervisor.copy import Copy
from gapless.supervisor.errand import Errand
from gapless.supervisor.guard import Guard
from gapless.supervisor.loop import Loop
from gapless.supervisor.notify import Manager
from gapless.supervisor.proxy import ProxyServer
from gapless.supervisor.spec import Listen, Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Prepared(Protocol):
        """Called with what to start, and whether our own code is to be renewed first."""

        def __call__(self, spec: Spec, *, renew: bool) -> None:
            """Once."""
            ...


_COMPILES = 30.0
"""Seconds that reading a configuration may take."""


class Site:
    """One supervisor's."""

    def __init__(self, spec: Spec, loop: Loop, guard: Guard) -> None:
        self.spec = spec
        """The newest that was tried."""
        self.loop = loop
        self.children = Children(loop)
        self.listeners = sockets.Listeners()
        self.proxies: dict[str, ProxyServer] = {}
        """By address; one that no configuration wants any more stays while it has connections."""
        self.manager = Manager(os.environ)
        self.folder = rundir.folder(spec.name)
        self.last_good: Spec | None = None
        self.guard = guard
        self.state: Callable[[Spec], dict[str, Any]]
        """All that new code has to understand, with what is to be started next."""
        self.lock = -1
        self.given: dict[str, int] = {}
        """Descriptors that were passed to us and are not held yet, by name."""
        self.said_ready = False
        self._loaded: list[tuple[str, int, int]] = [*upgrade.LOADED]

    def occupy(self) -> None:
        """Be the only one of this name. Raises OSError (BlockingIOError: it is taken)."""
        rundir.made(rundir.base())
        rundir.made(self.folder)
        path = f"{self.folder}/{rundir.LOCK}"
        self.lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.last_good = self._recall()
        self.given = sockets.given_to_us(os.environ)

    def mark(self, number: int) -> str:
        """What all of one copy carries."""
        return f"{self.guard.run}-{number}"

    def say(self, *lines: str) -> None:
        """To whoever reads our errors; nobody has to."""
        for line in lines:
            with contextlib.suppress(OSError):
                os.write(2, f"gapless run {self.spec.name}: {line}\n".encode())

    # -- before a copy is started -----------------------------------------------------------------

    def prepare(
        self, current: Spec, prepared: Prepared, unprepared: Callable[[str, str], None]
    ) -> None:
        """The configuration as it is now, and whether our own code is to be renewed first."""

        def check(spec: Spec) -> None:
            leaving = self.proxies.keys() - {proxy.listen for proxy in current.proxy}
            if upgrade.signature() == self._loaded or leaving:
                prepared(spec, renew=False)
            else:
                self._check_code(spec, prepared)

        if _unchanged(current):
            check(current)
            return

        def compiled(status: int | None, out: str, err: str) -> None:
            if status is None:
                unprepared(f"{current.source} was not read within {_COMPILES:g} s", err)
            elif status != 0:
                unprepared(f"{current.source} is not right", err.strip())
            else:
                check(Spec.from_json(out))

        words = (sys.executable, "-m", "gapless.config.compiling", current.source, current.name)
        Errand(self.loop, self.children, lambda fds: _tool(words, fds), _COMPILES, compiled)

    def open(self, spec: Spec) -> None:
        """Hold all it needs, besides what is held. Raises OSError."""
        self.spec = spec
        if spec.proxy:
            self._raise_limit()
        proxied = [_proxied_listen(proxy.listen) for proxy in spec.proxy]
        bound = self.listeners.open((*spec.listen, *proxied), self.given)
        for name in [name for name in self.given if name.startswith(sockets.KEPT)]:
            os.close(self.given.pop(name))  # of a configuration before we were started again
            self.manager.drop(name)
        for address in bound:
            self.manager.keep(sockets.kept_as(address), self.listeners.fileno(address))

    # -- when it has taken over -------------------------------------------------------------------

    def point(self, copy: Copy) -> None:
        """New connections go to this one."""
        for proxy in copy.spec.proxy:
            if proxy.listen not in self.proxies:
                listen = _proxied_listen(proxy.listen)
                listener = self.listeners.of([listen])[listen.name]
                listener.setblocking(False)
                self.proxies[proxy.listen] = ProxyServer(self.loop, listener)
            self.proxies[proxy.listen].point(copy.number, proxy.to)

    def when_idle(self, copy: Copy, call: Callable[[], None]) -> None:
        """As soon as no proxy has a connection to it."""
        waiting = {proxy.listen for proxy in copy.spec.proxy if proxy.listen in self.proxies}
        if not waiting:
            call()
        for address in [*waiting]:

            def idle(address: str = address) -> None:
                waiting.discard(address)
                if not waiting:
                    call()

            self.proxies[address].when_idle(copy.number, idle)

    def connections(self, copy: Copy) -> int:
        """That proxies have to it."""
        return sum(proxy.connections(copy.number) for proxy in self.proxies.values())

    def committed(self, copy: Copy, old: Copy | None) -> None:
        """Everybody else is told."""
        if old is not None:
            self.last_good = old.wanted
        self._remember(copy.wanted)
        self._shed(copy.spec)
        if copy.spec.pidfile:
            self._write_pidfile(copy.spec.pidfile)
        ready = () if self.said_ready else ("READY=1",)
        self.said_ready = True
        says = f": {copy.says}" if copy.says else ""
        status = f"STATUS=generation {copy.number} serves, process {copy.pid}{says}"
        # the new copy's own pings were not passed on until now
        alive = ("WATCHDOG=1",) if self.manager.watchdog else ()
        self.manager.tell(*ready, status, *alive)

    def leave(self) -> None:
        """Nothing is left behind; the lock goes with the process."""
        for proxy in self.proxies.values():
            proxy.close()
        self.listeners.keep_only(())
        if self.spec.pidfile:
            with contextlib.suppress(OSError):
                os.unlink(self.spec.pidfile)
        self.guard.dismiss()

    # -- inside -----------------------------------------------------------------------------------

    def _check_code(self, spec: Spec, prepared: Prepared) -> None:
        changed = upgrade.signature()

        def checked(status: int | None, _out: str, err: str) -> None:
            good = status is not None and exit_code(status) == 0
            if not good:
                self._loaded = changed  # not tried again until it changes once more
                last = err.strip().splitlines()[-1:] or ["no reason given"]
                self.say(f"the new code of gapless is not taken in: {last[0]}")
            prepared(spec, renew=good)

        fd = upgrade.stored(self.state(spec))
        words = (*upgrade.PROGRAM, "--check", "3")
        launched = {3: fd}
        Errand(
            self.loop, self.children, lambda fds: _tool(words, {**fds, **launched}),
            upgrade.LIMIT, checked,
        )  # fmt: skip
        os.close(fd)

    def _shed(self, spec: Spec) -> None:
        """Close what only older configurations listened on."""
        wanted = {proxy.listen for proxy in spec.proxy}
        for address in self.proxies.keys() - wanted:
            self.proxies[address].pause()
        for address in self.listeners.keep_only((*spec.listen, *map(_proxied_listen, wanted))):
            self.manager.drop(sockets.kept_as(address))
        self.tidy(wanted)

    def tidy(self, wanted: set[str]) -> None:
        """Close proxies that nobody wants and nobody uses."""
        for address in self.proxies.keys() - wanted:
            if not self.proxies[address].busy:
                self.proxies.pop(address).close()

    def _raise_limit(self) -> None:
        """Each proxied connection needs two descriptors; copies start with what we had."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.children.limits.setdefault("nofile", (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def _write_pidfile(self, path: str) -> None:
        """For others; never read here."""
        fresh = f"{path}.{os.getpid()}"
        try:
            with open(fresh, "w") as file:
                file.write(f"{os.getpid()}\n")
            os.rename(fresh, path)
        except OSError as error:
            self.say(f"the pidfile is not written: {error.strerror}: {path}")

    def _remember(self, good: Spec) -> None:
        before = self.last_good.to_json() if self.last_good else None
        path = f"{self.folder}/{rundir.LAST_GOOD}"
        with contextlib.suppress(OSError):
            fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(upgrade.pair(good.to_json(), before))
            os.rename(f"{path}.new", path)

    def _recall(self) -> Spec | None:
        """What there is to go back to from the configuration that is started now."""
        try:
            with open(f"{self.folder}/{rundir.LAST_GOOD}") as file:
                good, before = upgrade.paired(file.read())
            for text in (good, before):
                if text is not None and Spec.from_json(text) != self.spec:
                    return Spec.from_json(text)
        except (OSError, ValueError):
            pass
        return None


def _tool(argv: tuple[str, ...], fds: dict[int, int]) -> Launch:
    """A program of our own, without what is only meant for the supervisor."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "NOTIFY_"))}
    return Launch(argv, variables, fds=fds)


def _unchanged(spec: Spec) -> bool:
    """Whether all that a configuration was made of is what it was."""
    for path, changed, size in spec.inputs:
        try:
            found = os.stat(path)
            now = found.st_mtime_ns, found.st_size
        except OSError:
            now = -1, -1
        if now != (changed, size):
            return False
    return True


def _proxied_listen(address: str) -> Listen:
    return Listen(f"proxy {address}", address)
