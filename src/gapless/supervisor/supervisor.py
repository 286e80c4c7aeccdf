"""The supervisor: signals and requests come in, the exit code goes out."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import time

from gapless.supervisor import rundir, upgrade
from gapless.supervisor.caller import Caller
from gapless.supervisor.control import Control, descriptors
from gapless.supervisor.copy import Copy
from gapless.supervisor.flipping import Flipping
from gapless.supervisor.guard import Guard
from gapless.supervisor.loop import READ, Loop
from gapless.supervisor.refusal import REFUSED
from gapless.supervisor.requests import FLIP, ROLLBACK
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Proxy, Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LAST_WORDS = 3.0
"""Seconds that whoever reads what copies wrote may take, when all have ended."""
_NEVER = ("KILL", "STOP", "CHLD", "PIPE", "URG", "SEGV", "BUS", "FPE", "ILL", "TRAP", "SYS")
"""Not ours to take, or the sign of a mistake of our own."""


def taken() -> list[int]:
    """The signals that are passed on (and CHLD, which tells of our children)."""
    never = {getattr(signal, f"SIG{name}") for name in _NEVER}
    return sorted({*signal.valid_signals()} - never | {signal.SIGCHLD})


class Supervisor:
    """Everything put together."""

    def __init__(self, spec: Spec, guard: Guard) -> None:
        self.loop = Loop()
        self.site = Site(spec, self.loop, guard)
        self.site.state = lambda wanted: self._state_of_all(wanted, [])
        self.flipping = Flipping(self.site, self._leave, self._renew)
        self.control: Control
        self.code = 0
        self.since = time.time()
        self._wakeup = (-1, -1)
        self._callers: list[Caller] = []
        self._draining: list[tuple[Copy, float]] = []

    def occupy(self) -> None:
        """Be the only one of this name, and be found. Raises OSError, Unfit."""
        self.site.occupy()
        listening = rundir.listening(f"{self.site.folder}/{rundir.CONTROL}")
        self.control = Control(self.loop, listening, self._asked)

    def run(self, state: dict[str, Any] | None = None) -> int:
        """From the first copy, when it is occupied, or from where another process was; the exit
        code."""
        self._hear(b"" if state is None else self.restore(state))
        if state is None:
            self.flipping.begin(self.site.spec)
        else:
            self._go_on(state)
        gc.freeze()  # what is here now stays, and need not be looked at again
        self.loop.run()
        self._close()
        return self.code

    # -- signals ----------------------------------------------------------------------------------

    def _hear(self, pending: bytes) -> None:
        """From here on nothing is lost: what came before was blocked."""
        self._wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.write(self._wakeup[1], pending)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        for number in taken():
            with contextlib.suppress(OSError, ValueError):  # those libc keeps for itself
                signal.signal(number, _heard)
        self.loop.watch(self._wakeup[0], READ, self._signals)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _signals(self, _events: int) -> None:
        try:
            numbers = os.read(self._wakeup[0], 4096)
        except BlockingIOError:
            return
        if signal.SIGCHLD in numbers:
            self.site.children.reap()
        for number in numbers:
            if number != signal.SIGCHLD:
                self._signal(number)

    def _signal(self, number: int) -> None:
        spec = self.site.spec
        if number == spec.flip_signal:
            self.flipping.ask(FLIP)
            return
        sent = spec.signals.get(str(number), number)
        if number == signal.SIGTERM:
            self.flipping.stop(sent or number)
        elif sent:
            self.flipping.forward(sent)

    # -- requests ---------------------------------------------------------------------------------

    def _asked(self, request: dict[str, Any], caller: Caller) -> None:
        verb = request.get("verb")
        if verb in (FLIP, ROLLBACK):
            waits = request.get("wait", True)
            if not waits:
                caller.answer({"ok": True, "code": 0, "what": "queued"})
            self.flipping.ask(str(verb), caller if waits else None)
        elif verb == "wait":
            self.flipping.wait(caller)
        elif verb == "status":
            caller.answer(self.status())
        elif verb == "stop":
            caller.answer({"ok": True, "code": 0, "what": "is being stopped"})
            self.flipping.stop(self._stop_signal())
        else:
            caller.answer({"ok": False, "code": REFUSED, "what": f"there is no verb {verb!r}"})

    def _stop_signal(self) -> int:
        """As if TERM had come, which another signal may stand for; else the one that ends an old
        copy."""
        spec = self.site.spec
        return spec.signals.get(str(int(signal.SIGTERM))) or spec.stop.signal

    def status(self) -> dict[str, Any]:
        """What runs now."""
        flipping, site, spec = self.flipping, self.site, self.site.spec
        trial = flipping.trial.copy if flipping.trial else None
        return {
            "name": spec.name,
            "pid": os.getpid(),
            "state": self._state(trial),
            "command": list((flipping.active or trial or _NOBODY).spec.command),
            "source": spec.source,
            "since": round(self.since, 3),
            "active": self._described(flipping.active),
            "new": self._described(trial),
            "draining": [self._described(ending.copy) for ending in flipping.endings],
            "flips": flipping.flips,
            "failed": flipping.failed,
            "queued": bool(flipping.requests),
            "waits_for": flipping.waits_for,
            "listen": [{"name": one.name, "address": one.address} for one in spec.listen],
            "proxy": [{"listen": one.listen, "to": one.to} for one in self._proxies()],
            "rollback_to": site.last_good_of if site.last_good else None,
            "late": flipping.late,
            "last": flipping.last,
            "warnings": list(spec.warnings),
        }

    def _state(self, trial: Copy | None) -> str:
        if self.flipping.stopping:
            return "stopping"
        if trial is not None:
            return trial.state
        if self.flipping.failing is not None:
            return "failing"
        if self.flipping.busy:
            return "starting"
        return "waiting" if self.flipping.waits_for else "idle"

    def _proxies(self) -> tuple[Proxy, ...]:
        """With where they lead now."""
        active = self.flipping.active
        return active.spec.proxy if active else self.site.spec.proxy

    def _described(self, copy: Copy | None) -> dict[str, Any] | None:
        if copy is None:
            return None
        return {**copy.describe(), "connections": self.site.connections(copy)}

    # -- the end ----------------------------------------------------------------------------------

    def _leave(self, code: int) -> None:
        """Once whoever reads has heard the last words."""
        self.code = code
        for outlet in self.site.outlets.values():
            outlet.tell_now()
        self.loop.after(_LAST_WORDS, self.loop.stop)
        self._stop_when_told()

    def _stop_when_told(self) -> None:
        waits = next((outlet for outlet in self.site.outlets.values() if outlet.full), None)
        if waits is None:
            self.loop.stop()
        else:
            waits.when_free(self._stop_when_told)

    def _close(self) -> None:
        self.control.close()
        with contextlib.suppress(OSError):
            os.unlink(f"{self.site.folder}/{rundir.CONTROL}")
        self.site.leave()

    # -- becoming new code ------------------------------------------------------------------------

    def _renew(self, wanted: str, callers: list[Caller]) -> None:
        """Returns only if it cannot be."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        for proxy in self.site.proxies.values():
            proxy.pause()
        state = self._state_of_all(wanted, callers)
        with contextlib.suppress(BlockingIOError):
            state["signals"] = list(os.read(self._wakeup[0], 65536))
        try:
            upgrade.replace_process(state, _descriptors(state))
        except OSError as error:
            self.site.say(f"the new code of gapless is not taken in: {error.strerror}")
            os.write(self._wakeup[1], bytes(state["signals"]))
            for proxy in self.site.proxies.values():
                proxy.resume()
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _state_of_all(self, wanted: str, callers: list[Caller]) -> dict[str, Any]:
        flipping, site = self.flipping, self.site
        return {
            "spec": site.spec.to_json(),
            "next": wanted,
            "callers": [caller.fileno() for caller in callers],
            "signals": [],
            "last_good": site.last_good.to_json() if site.last_good else None,
            "last_good_of": site.last_good_of,
            "run": site.guard.run,
            "since": self.since,
            "guard": [site.guard.pid, site.guard.write],
            "lock": site.lock,
            "given": site.given,
            "control": self.control.state(),
            "outlets": {str(outlet.fd): outlet.state() for outlet in site.outlets.values()},
            "listeners": site.listeners.to_json(),
            "proxies": {address: proxy.state() for address, proxy in site.proxies.items()},
            "limits": site.children.limits,
            "requests": flipping.requests.to_json(),
            "waiting": [caller.fileno() for caller in flipping.until_idle],
            "numbers": [flipping.number, flipping.flips, flipping.failed],
            "late": flipping.late,
            "last": flipping.last,
            "active": flipping.active.to_json() if flipping.active else None,
            "endings": [[e.copy.to_json(), e.until] for e in flipping.endings],
        }

    def restore(self, state: dict[str, Any]) -> bytes:
        """All that another process was; nothing is done yet. The signals it had taken."""
        site, flipping = self.site, self.flipping
        site.lock, site.said_ready, site.given = state["lock"], True, state["given"]
        for fd in (site.lock, *site.given.values()):
            os.set_inheritable(fd, False)
        site.last_good = Spec.from_json(state["last_good"]) if state["last_good"] else None
        site.last_good_of = state.get("last_good_of", 0)
        site.listeners.from_json(state["listeners"])
        limits = state["limits"].items()
        site.children.limits.update({name: (soft, hard) for name, (soft, hard) in limits})
        self.since = state["since"]
        self.control = Control.inherited(self.loop, state["control"], self._asked)
        flipping.number, flipping.flips, flipping.failed = state["numbers"]
        flipping.last, flipping.late = state["last"], state.get("late", [])
        flipping.requests.from_json(state["requests"], self.control.caller)
        flipping.until_idle = [self.control.caller(fd) for fd in state["waiting"]]
        self._callers = [self.control.caller(fd) for fd in state["callers"]]
        if state["active"] is not None:
            flipping.adopt_active(self._adopted(state["active"]))
        self._draining = [(self._adopted(data), until) for data, until in state["endings"]]
        return bytes(state["signals"])

    def _adopted(self, data: dict[str, Any]) -> Copy:
        site = self.site
        copy = Copy.from_json(self.loop, site.children, site.outlets, data)
        site.guard.knows(copy.pid)
        return copy

    def _go_on(self, state: dict[str, Any]) -> None:
        site, flipping = self.site, self.flipping
        site.watch_guard()
        for number, kept in state["outlets"].items():
            site.outlets[int(number)].restore(kept)
        if flipping.active is not None:
            site.point(flipping.active)
            for address, connections in state["proxies"].items():
                site.proxies[address].restore(connections)
        for copy, until in self._draining:
            flipping.adopt_ending(copy, until)
        flipping.go_on(state["next"], self._callers)
        site.children.reap()


def rehearse(state: dict[str, Any]) -> None:
    """Raises whatever it is that this code could not go on from. Nothing of the real one is
    touched: in the place of each descriptor there is a socket that leads nowhere, and in that of
    each copy, which may end at any time, we ourselves."""
    place, other = socket.socketpair()
    for fd in _descriptors(state):
        os.dup2(place.fileno(), fd)
    for copy in _copies(state):
        copy["pid"] = os.getpid()
    Spec.from_json(state["next"])
    guard = Guard(state["run"], *state["guard"])
    Supervisor(Spec.from_json(state["spec"]), guard).restore(state)
    other.close()


_NOBODY = Copy(Loop(), "", 0, "a", Spec("", ()))


def _heard(_number: int, _frame: object) -> None:
    """The number is in the wakeup pipe already."""


def _copies(state: dict[str, Any]) -> list[dict[str, Any]]:
    copies = [state["active"], *(data for data, _ in state["endings"])]
    return [copy for copy in copies if copy]


def _descriptors(state: dict[str, Any]) -> list[int]:
    """All that the state names."""
    found = [state["lock"], state["guard"][1], *state["callers"], *state["given"].values()]
    found += descriptors(state["control"])
    found += [*state["waiting"], *(fd for fds in state["requests"].values() for fd in fds)]
    found += [held[0] for held in state["listeners"].values()]
    found += [fd for kept in state["proxies"].values() for fd in kept["fds"]]
    for copy in _copies(state):
        found += [copy["notify"], *copy["pipes"].values()]
        found += [copy["private"]] if copy["private"] >= 0 else []
    return found
