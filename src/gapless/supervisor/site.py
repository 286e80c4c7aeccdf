"""What a supervisor has besides its copies: loop, children, listeners, proxies, the service
manager, its folder, and the last good configuration."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sys
from collections.abc import Callable, Mapping

from gapless.supervisor import outlet, processes, rundir, sockets, upgrade
from gapless.supervisor.children import Children, Launch, exit_code
from gapless.supervisor.copy import Copy
from gapless.supervisor.errand import Done, Errand
from gapless.supervisor.guard import Guard
from gapless.supervisor.loop import Loop
from gapless.supervisor.notify import Manager
from gapless.supervisor.proxy import ProxyServer
from gapless.supervisor.spec import Listen, Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Prepared(Protocol):
        """Called with what to start, as JSON, which new code may understand better than we do;
        and whether our own code is to be renewed first."""

        def __call__(self, wanted: str, *, renew: bool) -> None:
            """Once."""
            ...


_COMPILES = 30.0
"""Seconds that reading a configuration may take."""
_PAUSE = 0.1
"""Seconds until another guard is posted."""
_NOT_FOR_TOOLS = ("LISTEN_", "NOTIFY_")
_NO_FDS: Mapping[int, int] = {}


class Site:
    """One supervisor's."""

    def __init__(self, spec: Spec, loop: Loop, guard: Guard) -> None:
        self.spec = spec
        """Of the copy that serves, or is the first to."""
        self.loop = loop
        self.outlets = outlet.both(loop)
        self.children = Children(loop)
        self.children.refused = self._may_not
        self.listeners = sockets.Listeners()
        self.proxies: dict[str, ProxyServer] = {}
        """By address; one that no configuration wants any more stays while it has connections."""
        self.manager = Manager(os.environ)
        self.folder = rundir.folder(spec.name)
        self.last_good: Spec | None = None
        self.last_good_of = 0
        """The generation that served with it last; 0 when that was before we were started."""
        self.notes: list[str] = []
        """What is to be known of the flip that is under way, though it goes well."""
        self.guard = guard
        self.state: Callable[[str], dict[str, Any]]
        """All that new code has to understand, with what is to be started next."""
        self.lock = -1
        self.given: dict[str, int] = {}
        """Sockets that were passed to us and are not used yet, by name."""
        self.said_ready = False
        self._errand: Errand | None = None
        self._loaded: list[tuple[str, int, int]] = [*upgrade.LOADED]

    def occupy(self) -> None:
        """Be the only one of this name. Raises OSError (BlockingIOError: it is taken)."""
        rundir.made(rundir.base())
        rundir.made(self.folder)
        path = f"{self.folder}/{rundir.LOCK}"
        self.lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.given = sockets.given_to_us(os.environ)
        self.watch_guard()
        self.last_good = self._recall()

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

    def watch_guard(self) -> None:
        """Another takes its place when it is killed."""
        try:
            self.children.adopt(self.guard.pid, "", self._guard_ended)
        except ProcessLookupError:  # killed just before our process replaced itself
            self._guard_ended(0)

    # -- before a copy is started -----------------------------------------------------------------

    def prepare(
        self, current: Spec, prepared: Prepared, unprepared: Callable[[str, str], None]
    ) -> None:
        """The configuration as it is now, and whether our own code is to be renewed first."""
        what = current.source or "an environment file"

        def compiled(status: int | None, out: str, err: str) -> None:
            if status is None:
                unprepared(f"{what} was not read within {_COMPILES:g} s", err)
            elif status != 0:
                unprepared(f"{what} is not right", err.strip())
            else:
                self._with_code(current, out, prepared)

        if _unchanged(current):
            self._with_code(current, current.to_json(), prepared)
        else:
            self._compile(current, compiled)

    def break_off(self) -> None:
        """Whatever is being prepared is not wanted any more."""
        if self._errand is not None:
            self._errand.end()
            self._errand = None

    def open(self, spec: Spec) -> None:
        """Hold all it needs, besides what is held. Raises OSError."""
        self.notes = []
        if spec.proxy:
            self._raise_limit()
        bound = self.listeners.open(_listened(spec), self.given)
        for name in [name for name in self.given if name.startswith(sockets.KEPT)]:
            os.close(self.given.pop(name))  # of a configuration before we were started again
            self.manager.drop(name)
        for address in bound:
            self.manager.keep(sockets.kept_as(address), self.listeners.fileno(address))

    def failed(self) -> None:
        """What only the new copy was to listen on is given up."""
        self.listeners.take_back()
        self._shed(self.spec)

    # -- when it has taken over -------------------------------------------------------------------

    def point(self, copy: Copy) -> None:
        """New connections go to this one."""
        for proxy in copy.spec.proxy:
            self._proxy(proxy.listen).point(copy.number, proxy.to)

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
        """Everybody else is told. ``old`` may have died meanwhile."""
        if old is not None and not (self.last_good and old.wanted.same_as(copy.wanted)):
            self.last_good, self.last_good_of = old.wanted, old.number
        left = self.spec.pidfile
        self.spec = copy.wanted
        self._remember(copy.wanted)
        self._settle(copy.wanted)
        if copy.spec.pidfile:
            self._write_pidfile(copy.spec.pidfile)
        if left != copy.spec.pidfile:
            _remove(left)
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
        _remove(self.spec.pidfile)
        self.guard.dismiss()

    # -- inside -----------------------------------------------------------------------------------

    def _with_code(self, current: Spec, wanted: str, prepared: Prepared) -> None:
        """Is there new code of ours, and does it understand all of this?"""
        leaving = self.proxies.keys() - {proxy.listen for proxy in current.proxy}
        try:
            changed = upgrade.signature()
        except OSError:
            changed = self._loaded  # it is just being replaced
        if changed == self._loaded or leaving:
            prepared(wanted, renew=False)
            return

        def checked(status: int | None, _out: str, err: str) -> None:
            good = status is not None and exit_code(status) == 0
            if not good:
                self._loaded = changed  # not tried again until it changes once more
                last = err.strip().splitlines()[-1:] or ["no reason given"]
                self.say(f"the new code of gapless is not taken in: {last[0]}")
            prepared(wanted, renew=good)

        state = upgrade.stored(self.state(wanted))
        self._run((*upgrade.PROGRAM, "--check", "3"), upgrade.LIMIT, checked, {3: state})
        os.close(state)

    def _compile(self, current: Spec, compiled: Done) -> None:
        """Not led astray (-P) by modules that lie where we happen to stand."""
        compiler = (sys.executable, "-P", "-m", "gapless.config.compiling")
        if current.source:
            self._run((*compiler, current.source, current.name), _COMPILES, compiled)
            return
        given = _held(current.given)
        self._run((*compiler, "-"), _COMPILES, compiled, {0: given})
        os.close(given)

    def _run(
        self, words: tuple[str, ...], limit: float, done: Done, fds: Mapping[int, int] = _NO_FDS
    ) -> None:
        """A program of our own, without what is only meant for the supervisor."""

        def over(status: int | None, out: str, err: str) -> None:
            self._errand = None
            done(status, out, err)

        variables = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_FOR_TOOLS)}
        variables[processes.MARK] = self.mark(0)
        self._errand = Errand(
            self.loop, self.children, lambda own: Launch(words, variables, fds={**own, **fds}),
            limit, over,
        )  # fmt: skip

    def _guard_ended(self, _status: int) -> None:
        # not at once: whoever kills it may be at it
        self.loop.after(_PAUSE, self._post_guard)

    def _post_guard(self) -> None:
        self.guard.post_again()
        self.watch_guard()
        self.say("the guard was killed; another one stands by")

    def _may_not(self, pid: int, number: int) -> None:
        self.say(f"process {pid} is of another user: it cannot be sent signal {number}")

    def _proxy(self, address: str) -> ProxyServer:
        listen = _proxied_listen(address)
        listener = self.listeners.of([listen])[listen.name]
        listener.setblocking(False)
        found = self.proxies.get(address)
        if found is None:
            found = self.proxies[address] = ProxyServer(self.loop, listener)
        elif not found.listens_on(listener):
            found.listen_on(listener)
        return found

    def _settle(self, spec: Spec) -> None:
        """The addresses are those of the copy that serves now; what is unusual of that is noted."""
        for address in self.listeners.settle():
            self.manager.drop(sockets.kept_as(address))  # it would be kept beside the new one
            self.manager.keep(sockets.kept_as(address), self.listeners.fileno(address))
            self.notes.append(f"{address} had been removed, nobody could connect: opened anew")
        closed = self._shed(spec)
        self.notes += [
            f"{address} is closed: the settings do not name it any more" for address in closed
        ]
        self.notes += [
            f"{address} leads to the socket of another process: nobody reaches this one by it"
            for address in self.listeners.elsewhere()
        ]

    def _shed(self, spec: Spec) -> list[str]:
        """Close what only older configurations listened on; the addresses."""
        wanted = {proxy.listen for proxy in spec.proxy}
        for address in self.proxies.keys() - wanted:
            self.proxies[address].pause()
        closed = self.listeners.keep_only(_listened(spec))
        for address in closed:
            self.manager.drop(sockets.kept_as(address))
        self.tidy(wanted)
        return closed

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
                if text is not None and not (found := Spec.from_json(text)).same_as(self.spec):
                    return found
        except (OSError, ValueError, RecursionError):
            pass
        return None


def _held(text: str) -> int:
    """To be read through a descriptor; others could see a command line."""
    fd = os.memfd_create("gapless-given", os.MFD_CLOEXEC)
    with open(fd, "w", closefd=False) as file:
        file.write(text)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _unchanged(spec: Spec) -> bool:
    """Whether all that a configuration was made of is what it was."""
    for path, changed, size in spec.inputs:
        try:
            found = os.stat(path)
            now = found.st_mtime_ns, found.st_size
        except OSError:
            now = 0, -1  # as who compiles says it
        if now != (changed, size):
            return False
    return True


def _remove(path: str) -> None:
    if path:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _listened(spec: Spec) -> list[Listen]:
    """All that is bound for it."""
    return [*spec.listen, *(_proxied_listen(proxy.listen) for proxy in spec.proxy)]


def _proxied_listen(address: str) -> Listen:
    return Listen(f"proxy {address}", address)
