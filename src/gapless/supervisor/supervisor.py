"""The supervisor: signals and requests come in, the exit code goes out."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time

from gapless.supervisor import rundir, upgrade
from gapless.supervisor.control import Caller, Control
from gapless.supervisor.copy import Copy
from gapless.supervisor.flipping import REFUSED, Flipping
from gapless.supervisor.guard import Guard
from gapless.supervisor.loop import READ, Loop
from gapless.supervisor.requests import FLIP, ROLLBACK
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

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
        self.site.state = lambda spec: self._state_of_all(spec, [])
        self.flipping = Flipping(self.site, self._leave, self._renew)
        self.control: Control
        self.code = 0
        self.since = time.time()
        self._wakeup = (-1, -1)

    def run(self, state: dict[str, Any] | None = None) -> int:
        """From the first copy, or from where another process was; the exit code."""
        pending = b""
        if state is None:
            self.site.occupy()
            self._listen(rundir.listening(f"{self.site.folder}/{rundir.CONTROL}"))
        else:
            pending = self._restore(state)
        self._hear(pending)
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

    def _listen(self, listening: socket.socket) -> None:
        self.control = Control(self.loop, listening, self._asked)

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
            self.flipping.stop(signal.SIGTERM)
        else:
            caller.answer({"ok": False, "code": REFUSED, "what": f"there is no verb {verb!r}"})

    def status(self) -> dict[str, Any]:
        """What runs now."""
        flipping, spec = self.flipping, self.site.spec
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
            "listen": [{"name": one.name, "address": one.address} for one in spec.listen],
            "last": flipping.last,
            "warnings": list(spec.warnings),
        }

    def _state(self, trial: Copy | None) -> str:
        if self.flipping.stopping:
            return "stopping"
        if trial is not None:
            return trial.state
        return "starting" if self.flipping.busy else "idle"

    def _described(self, copy: Copy | None) -> dict[str, Any] | None:
        if copy is None:
            return None
        return {**copy.describe(), "connections": self.site.connections(copy)}

    # -- the end ----------------------------------------------------------------------------------

    def _leave(self, code: int) -> None:
        self.code = code
        self.loop.stop()

    def _close(self) -> None:
        self.control.close()
        with contextlib.suppress(OSError):
            os.unlink(f"{self.site.folder}/{rundir.CONTROL}")
        self.site.leave()

    # -- becoming new code ------------------------------------------------------------------------

    def _renew(self, spec: Spec, callers: list[Caller]) -> None:
        """Returns only if it cannot be."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        for proxy in self.site.proxies.values():
            proxy.pause()
        state = self._state_of_all(spec, callers)
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

    def _state_of_all(self, spec: Spec, callers: list[Caller]) -> dict[str, Any]:
        flipping, site = self.flipping, self.site
        return {
            "spec": site.spec.to_json(),
            "next": spec.to_json(),
            "callers": [caller.fileno() for caller in callers],
            "signals": [],
            "last_good": site.last_good.to_json() if site.last_good else None,
            "run": site.guard.run,
            "since": self.since,
            "guard": [site.guard.pid, site.guard.write],
            "lock": site.lock,
            "control": self.control.fileno(),
            "listeners": site.listeners.to_json(),
            "given": site.given,
            "proxies": {address: proxy.state() for address, proxy in site.proxies.items()},
            "limits": site.children.limits,
            "requests": flipping.requests.to_json(),
            "waiting": [caller.fileno() for caller in flipping.until_idle],
            "numbers": [flipping.number, flipping.flips, flipping.failed],
            "last": flipping.last,
            "active": flipping.active.to_json() if flipping.active else None,
            "endings": [[e.copy.to_json(), e.until] for e in flipping.endings],
        }

    def _restore(self, state: dict[str, Any]) -> bytes:
        site, flipping = self.site, self.flipping
        site.lock = state["lock"]
        site.said_ready = True
        site.last_good = Spec.from_json(state["last_good"]) if state["last_good"] else None
        site.listeners.from_json(state["listeners"])
        site.given = dict(state.get("given", {}))
        for fd in site.given.values():
            os.set_inheritable(fd, False)
        site.children.limits.update(
            {name: (soft, hard) for name, (soft, hard) in state.get("limits", {}).items()}
        )
        self.since = state["since"]
        flipping.number, flipping.flips, flipping.failed = state["numbers"]
        flipping.last = state["last"]
        flipping.requests.from_json(state["requests"])
        flipping.until_idle = [Caller.inherited(fd) for fd in state["waiting"]]
        control = Caller.inherited(state["control"]).detach()
        self._listen(control)
        os.set_inheritable(site.lock, False)
        return bytes(state["signals"])

    def _go_on(self, state: dict[str, Any]) -> None:
        def adopted(data: dict[str, Any]) -> Copy:
            return Copy.from_json(self.loop, self.site.children, data)

        if state["active"] is not None:
            copy = adopted(state["active"])
            self.flipping.adopt_active(copy)
            self.site.point(copy)
            for address, kept in state.get("proxies", {}).items():
                self.site.proxies[address].restore(kept)
        for data, until in state["endings"]:
            self.flipping.adopt_ending(adopted(data), until)
        callers = [Caller.inherited(fd) for fd in state["callers"]]
        self.flipping.go_on(Spec.from_json(state["next"]), callers)
        self.site.children.reap()


def understands(state: dict[str, Any]) -> None:
    """Raises KeyError, ValueError or TypeError when this code could not go on from it."""
    copies = [state["active"], *(data for data, _ in state["endings"])]
    for text in (state["spec"], state["next"], *(copy["spec"] for copy in copies if copy)):
        Spec.from_json(text)
    for copy in filter(None, copies):
        Copy(Loop(), copy["mark"], copy["number"], copy["slot"], Spec.from_json(copy["spec"]))
    _descriptors(state)


_NOBODY = Copy(Loop(), "", 0, "a", Spec("", ()))


def _heard(_number: int, _frame: object) -> None:
    """The number is in the wakeup pipe already."""


def _descriptors(state: dict[str, Any]) -> list[int]:
    """All that the state names."""
    copies = [state["active"], *(data for data, _ in state["endings"])]
    found = [state["lock"], state["control"], state["guard"][1], *state["callers"]]
    found += [*state["waiting"], *(fd for fds in state["requests"].values() for fd in fds)]
    found += [held[0] for held in state["listeners"].values()]
    found += state.get("given", {}).values()
    found += [fd for kept in state.get("proxies", {}).values() for fd in kept["fds"]]
    for copy in filter(None, copies):
        found += [copy["notify"], *copy["pipes"].values()]
        found += [copy["private"]] if copy["private"] >= 0 else []
    return found
