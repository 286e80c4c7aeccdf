"""The supervisor: signals and requests come in, the exit code goes out."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time

from gapless.supervisor import handed_on, rundir, upgrade
from gapless.supervisor.caller import Caller
from gapless.supervisor.control import Control
from gapless.supervisor.flipping import Flipping
from gapless.supervisor.guard import Guard
from gapless.supervisor.handed_on import Inherited
from gapless.supervisor.loop import READ, Loop
from gapless.supervisor.preparing import Preparing
from gapless.supervisor.refusal import REFUSED
from gapless.supervisor.requests import FLIP, ROLLBACK
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Spec
from gapless.supervisor.status import status

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
        preparing = Preparing(self.site, lambda wanted: self._state(wanted, []))
        self.flipping = Flipping(self.site, preparing, self._leave, self._renew)
        self.control: Control
        self.code = 0
        self.since = time.time()
        self._wakeup = (-1, -1)

    def occupy(self) -> None:
        """Be the only one of this name, and be found. Raises OSError, Unfit."""
        self.site.occupy()
        listening = rundir.listening(f"{self.site.folder}/{rundir.CONTROL}")
        self.control = Control(self.loop, listening, self._asked)

    def run(self, state: dict[str, Any] | None = None) -> int:
        """From the first copy, when it is occupied, or from where another process was; the exit
        code."""
        inherited = None if state is None else self.restore(state)
        self._hear(inherited.signals if inherited else b"")
        if inherited is None:
            self.flipping.begin(self.site.spec)
        else:
            inherited.go_on()
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
            caller.answer(status(self.site, self.flipping, self.since))
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

    def restore(self, state: dict[str, Any]) -> Inherited:
        """All that another process was, before it goes on."""
        self.since = state["since"]
        self.control = Control.inherited(self.loop, state["control"], self._asked)
        return Inherited(state, self.site, self.flipping, self.control)

    def _renew(self, wanted: str, callers: list[Caller]) -> None:
        """Returns only if it cannot be."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.site.addresses.pause()
        state = self._state(wanted, callers)
        with contextlib.suppress(BlockingIOError):
            state["signals"] = list(os.read(self._wakeup[0], 65536))
        try:
            upgrade.replace_process(state, handed_on.descriptors(state))
        except OSError as error:
            self.site.say(f"the new code of gapless is not taken in: {error.strerror}")
            os.write(self._wakeup[1], bytes(state["signals"]))
            self.site.addresses.resume()
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _state(self, wanted: str, callers: list[Caller]) -> dict[str, Any]:
        return handed_on.state_of(
            self.site, self.flipping, self.control, self.since, wanted, callers
        )


def _heard(_number: int, _frame: object) -> None:
    """The number is in the wakeup pipe already."""
