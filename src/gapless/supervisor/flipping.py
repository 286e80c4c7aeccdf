"""The flip.

1. Requests are levels (``requests``). One that comes while another is under way waits for it.
2. A flip waits while as many old copies drain as may, and, where slots are used, while the other
   slot is still taken.
3. The configuration is compiled anew by another process if what it was made of has changed; code
   of our own that has changed is taken in first (``upgrade``).
4. The new copy starts beside the old one (``trial``). Whatever goes wrong, the old one is
   untouched, and whoever asked is told what, with the last lines of the new copy.
5. When it has settled it is the active one: first the old copy is told to stop (``ending``), then
   everybody else is told.
6. The old copy dies while the new one starts: the new one takes over as soon as it is ready.
7. The active copy ends and none is on its way: we say so and end with its status. Told to stop
   from outside, we pass that on and wait, for the old copies that drain as well.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable

from gapless.supervisor import children as processes
from gapless.supervisor.caller import Caller
from gapless.supervisor.copy import Copy
from gapless.supervisor.ending import Ending
from gapless.supervisor.refusal import REFUSED, listening, screen
from gapless.supervisor.requests import ROLLBACK, Requests
from gapless.supervisor.site import Site
from gapless.supervisor.spec import SLOTS, Spec
from gapless.supervisor.trial import Trial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLIPPED, KEPT, DOWN = 0, 4, 5
"""Codes of a reply: flipped; the old copy serves on; nothing serves."""
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_STOPPED = "it is being stopped"
_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_MOST_LATE = 4
_SLACK = 5.0
"""Seconds that the service manager waits longer than our own limits."""


class Flipping:
    """The copies and who is asked for what; ``leave`` is called once, with our exit code."""

    def __init__(
        self,
        site: Site,
        leave: Callable[[int], None],
        renew: Callable[[str, list[Caller]], None],
    ) -> None:
        self.site = site
        self._loop = site.loop
        self._leave = leave
        self.renew = renew
        """Becomes new code, and comes back only if that cannot be."""
        self.requests = Requests()
        self.active: Copy | None = None
        self.trial: Trial | None = None
        self.endings: list[Ending] = []
        self.number = 0
        self.flips = self.failed = 0
        self.late: list[str] = []
        """Which copies did not end in time, and what was done; the newest of them."""
        self.last: dict[str, Any] | None = None
        self.stopping = False
        self.failing: Copy | None = None
        """The new copy that failed, until nothing of it is left."""
        self._callers: list[Caller] = []
        self.until_idle: list[Caller] = []
        self._preparing = self._interrupted = False
        self._died: Copy | None = None
        """The active copy, when it died while another was on its way."""
        self._code: int | None = None
        """What we end with, once that is clear."""

    # -- what is asked ----------------------------------------------------------------------------

    def begin(self, spec: Spec) -> None:
        """The first copy."""
        self._try(spec, [])

    def ask(self, kind: str, caller: Caller | None = None) -> None:
        """Flip, or flip back; ``caller`` is answered when it is over."""
        if self._over:
            if caller is not None:
                caller.answer(self._reply(DOWN, _STOPPED))
            return
        self.requests.ask(kind, caller)
        spec = self._current()
        if self.site.said_ready:  # it may wait for another flip, and for an old copy's end
            once = spec.start_timeout + spec.settle + spec.stop.delay + spec.stop.timeout
            self.site.manager.allow(2 * once + _SLACK)
        self._next()

    def stop(self, number: int) -> None:
        """Outside wants an end: both the active copy and the one on its way get the signal, old
        ones go on draining; all of them within their limits."""
        if self.stopping:
            self.forward(number)
            return
        self.stopping = True
        self.site.manager.tell("STOPPING=1")
        self.site.manager.allow(self._current().stop.timeout + _SLACK)
        self.site.break_off()
        self._preparing = False
        for caller in [*self.requests.clear(), *self._take_callers(), *self._take_waiting()]:
            caller.answer(self._reply(DOWN, _STOPPED))
        for ending in [*self.endings]:
            ending.hurry()
        if self.trial is not None:
            copy = self._end_trial()
            self._end(copy, at_once=number, code_of=self.active is None)
        if self.active is not None:
            copy, self.active = self.active, None
            self._end(copy, at_once=number, code_of=True)
        elif self.failing is not None:
            self._code = self._code_without(self.failing)
        self._maybe_leave()

    def forward(self, number: int) -> None:
        """Any other signal goes to the copy that serves, or is to be the first to do so; while all
        of it stops, to those that were told to."""
        on_the_way = self.trial.copy if self.trial else None
        copies = [self.active or on_the_way]
        if self.stopping:
            copies = [ending.copy for ending in self.endings if ending.from_outside]
        elif number in _KEYBOARD and self.busy:
            # Ctrl-C means all of it: the new copy is not to take over from the one that obeys
            self._interrupted = True
            copies = [self.active, on_the_way]
        for copy in copies:
            if copy is not None and copy.child is not None:
                copy.child.signal(number)

    @property
    def busy(self) -> bool:
        """Whether a flip is under way."""
        return self.trial is not None or self._preparing or self.failing is not None

    @property
    def _over(self) -> bool:
        """Whether we end, as soon as all copies have ended."""
        return self.stopping or self._code is not None

    def wait(self, caller: Caller) -> None:
        """Answered when nothing is under way, with what came of the last flip."""
        if self._over:
            caller.answer(self._reply(DOWN, _STOPPED))
            return
        self.until_idle.append(caller)
        if not self.busy and not self.requests:
            self._tell_idle()

    # -- one flip ---------------------------------------------------------------------------------

    def _next(self) -> None:
        if self.busy or self._over:
            return
        if not self.requests:
            self._tell_idle()
            return
        if self.waits_for:
            return
        kind, self._callers = self.requests.take()
        if kind == ROLLBACK:
            self._roll_back()
            return
        self._preparing = True
        self.site.prepare(self._current(), self._prepared, self._unprepared)

    @property
    def waits_for(self) -> str:
        """Why the next flip does not begin, though none is under way; "" when it may."""
        if self.busy or not self.requests:
            return ""
        spec, slot = self._current(), self._free_slot()
        draining = [ending.copy for ending in self.endings if ending.copy.alive]
        for copy in draining:
            if spec.slotted and copy.slot == slot:
                return f"generation {copy.number} to end, which has slot {slot}"
        if len(draining) < spec.max_draining:
            return ""
        return f"one of {len(draining)} old copies to end: more may not drain at once"

    def _roll_back(self) -> None:
        if self.site.last_good is None:
            self._answer(self._reply(REFUSED, "there is nothing to go back to"))
            self._next()
            return
        self._try(self.site.last_good, self._take_callers(), self.site.last_good_of)

    def _prepared(self, wanted: str, *, renew: bool) -> None:
        self._preparing = False
        callers = self._take_callers()
        if renew and self.active is not None:
            self.renew(wanted, callers)
        self.go_on(wanted, callers)

    def go_on(self, wanted: str, callers: list[Caller]) -> None:
        """With what was prepared, also by the process whose place we took."""
        try:
            spec = Spec.from_json(wanted)
        except ValueError as error:
            self._callers = callers
            self._unprepared("the configuration is read, but not understood", str(error))
            return
        self._try(spec, callers)

    def _unprepared(self, what: str, evidence: str) -> None:
        self._preparing = self._interrupted = False
        self.failed += 1
        self._told_failed(what, evidence, None)
        if self.active is None:
            self._go(self._code_without(None))
        self._next()

    def _unheard(self, error: OSError) -> None:
        what, (evidence, following) = f"cannot listen on {error.filename}", listening(error)
        if self.active is not None or self._died is not None:
            self._unprepared(what, evidence)
            return
        self.site.tell(screen(what, evidence, following))
        self._answer(self._reply(DOWN, what, None, evidence))
        self._go(REFUSED)

    def _try(self, spec: Spec, callers: list[Caller], settings_of: int | None = None) -> None:
        self._callers = callers
        try:
            self.site.open(spec)
        except OSError as error:
            self.site.failed()
            self._unheard(error)
            return
        self.number += 1
        copy = Copy(self._loop, self.site.mark(self.number), self.number, self._free_slot(), spec)
        copy.settings_of = settings_of
        copy.on_message = lambda message: self._message(copy, message)
        self.trial = Trial(
            self._loop, self.site.children, copy, self._passed, self._failed, self._ready
        )
        self.site.say(*spec.warnings)
        self.site.manager.tell(f"STATUS=starting generation {self.number}")
        self.trial.begin(
            self.site.listeners.of(spec.listen), self.site.manager, self.site.outlets
        )  # fmt: skip
        if copy.child is not None:
            self.site.guard.knows(copy.pid)

    def _ready(self) -> None:
        assert self.trial is not None
        if self.active is None and self._died is not None:
            self.trial.cancel()
            self._passed()

    def _passed(self) -> None:
        """The moment of the flip; what takes time comes after the old copy was told."""
        assert self.trial is not None
        copy, old, before = self._end_trial(), self.active, self.active or self._died
        self.active, copy.state = copy, "active"
        copy.times["commit"] = self._loop.now()
        copy.on_end = self._active_ended
        self._died, self._interrupted = None, False
        self.site.point(copy)
        if old is not None:
            old.state = "draining"
            self._end(old)
        self.flips += before is not None
        self.site.committed(copy, before)
        what = f"generation {copy.number} serves"
        replaced = before.number if before is not None else 0
        self._answer({**self._reply(FLIPPED, what, copy), "replaced": replaced})
        self.site.say(f"{what}, process {copy.pid}", *self.site.notes)
        self._next()

    def _failed(self, what: str, evidence: str) -> None:
        """It goes, and all it left; who asked is told when it is gone."""
        copy = self.failing = self._end_trial()
        self.failed += 1

        def gone() -> None:
            self.failing, self._interrupted = None, False
            self.site.failed()
            self._told_failed(what, evidence, copy)
            if self.active is None and not self._over:
                self._go(self._code_without(copy))

        copy.last = copy.last_lines()
        self._end(copy, gone=gone, at_once=copy.spec.stop.signal)

    def _code_without(self, copy: Copy | None) -> int:
        """Of an old copy that died meanwhile; else of the first, which cannot end well."""
        if self._died is not None:
            return processes.exit_code(self._died.status or 0)
        if copy is None:
            return REFUSED
        if copy.child is None:
            return _NOT_FOUND if copy.errno == 2 else _NOT_EXECUTABLE
        ended_itself = "told" not in copy.times and copy.status is not None
        return (processes.exit_code(copy.status or 0) if ended_itself else 1) or 1

    # -- ends -------------------------------------------------------------------------------------

    def _active_ended(self) -> None:
        assert self.active is not None
        copy, self.active = self.active, None
        self._close(copy)
        if self._interrupted or not self.busy:
            self.site.say(f"generation {copy.number} {copy.ended_how()}")
            self._go(processes.exit_code(copy.status or 0))
            return
        self._died = copy
        self.site.say(f"generation {copy.number} {copy.ended_how()} while another one starts")
        if self.trial is not None and self.trial.copy.state == "settling":
            self._ready()

    def _end(
        self,
        copy: Copy,
        *,
        at_once: int | None = None,
        code_of: bool = False,
        gone: Callable[[], None] | None = None,
    ) -> None:
        def over() -> None:
            self._forget(ending)
            if code_of and copy.status is not None:
                self._code = processes.exit_code(copy.status)
            if gone is not None:
                gone()
            self._next()
            self._maybe_leave()

        ending = Ending(self._loop, copy, over, lambda what: self._ends_late(copy, what))
        ending.from_outside = code_of
        self.endings.append(ending)
        if at_once is None:
            ending.begin(self.site.when_idle)
        else:
            copy.state = "stopping"
            ending.at_once(at_once)

    def adopt_ending(self, copy: Copy, until: float) -> None:
        """An old copy that drained before our process replaced itself."""

        def over() -> None:
            self._forget(ending)
            self._next()
            self._maybe_leave()

        copy.on_message = lambda message: self._message(copy, message)
        ending = Ending(self._loop, copy, over, lambda what: self._ends_late(copy, what))
        self.endings.append(ending)
        if until > 0:
            ending.go_on(until)
        else:
            ending.begin(self.site.when_idle)

    def _ends_late(self, copy: Copy, what: str) -> None:
        """Whoever it still served has lost something: that is not to pass in silence."""
        open_ = self.site.connections(copy)
        told = f"generation {copy.number} {what}"
        if open_:
            told += f", {open_} proxied connection{'s' if open_ > 1 else ''} open"
        self.late = [*self.late, told][-_MOST_LATE:]
        self.site.say(told)

    def _forget(self, ending: Ending) -> None:
        self.endings.remove(ending)
        self.site.guard.forgets(ending.copy.pid)
        self.site.tidy({proxy.listen for proxy in self._current().proxy})
        gc.collect()  # a flip leaves cycles; taken away at once, memory does not grow with flips

    def adopt_active(self, copy: Copy) -> None:
        """The copy that served before our process replaced itself."""
        self.active = copy
        copy.on_end = self._active_ended
        copy.on_message = lambda message: self._message(copy, message)

    def _go(self, code: int) -> None:
        """The program has ended: so do we."""
        self._code = code
        if self.site.said_ready:  # else it was just told why
            self.site.say(f"nothing serves; ending with {code}")
        self.site.break_off()
        self._preparing = False
        for caller in [*self.requests.clear(), *self._take_callers(), *self._take_waiting()]:
            caller.answer(self._reply(DOWN, "the program has ended"))
        if self.trial is not None:
            copy = self._end_trial()
            self._end(copy, at_once=copy.spec.stop.signal)
        self._maybe_leave()

    def _maybe_leave(self) -> None:
        idle = self.active is None and self.trial is None and not self.endings
        if idle and self._over:
            self._leave(self._code or 0)

    def _close(self, copy: Copy) -> None:
        self.site.guard.forgets(copy.pid)
        copy.close()

    def _end_trial(self) -> Copy:
        assert self.trial is not None
        trial, self.trial = self.trial, None
        trial.cancel()
        return trial.copy

    # -- what is told -----------------------------------------------------------------------------

    def _tell_idle(self) -> None:
        for caller in self._take_waiting():
            caller.answer(self.last or self._reply(FLIPPED, "nothing is under way"))

    def _told_failed(self, what: str, evidence: str, copy: Copy | None) -> None:
        code = KEPT if self.active is not None else DOWN
        reply = self._reply(code, what, copy, evidence)
        self._answer(reply)
        flip = "the flip" if self.active is not None else "the start"
        who = f"generation {copy.number}" if copy else flip
        self.site.say(f"{who} failed: {what}. {evidence}".rstrip(". "))

    def _answer(self, reply: dict[str, Any]) -> None:
        self.last = reply
        for caller in self._take_callers():
            caller.answer(reply)

    def _take_callers(self) -> list[Caller]:
        callers, self._callers = self._callers, []
        return callers

    def _take_waiting(self) -> list[Caller]:
        callers, self.until_idle = self.until_idle, []
        return callers

    def _reply(
        self, code: int, what: str, copy: Copy | None = None, evidence: str = ""
    ) -> dict[str, Any]:
        lines, source = copy.last or copy.last_lines() if copy else ([], "")
        serves = self.active
        return {
            "ok": code == FLIPPED,
            "code": code,
            "what": what,
            "evidence": evidence,
            "log": lines if code else [],
            "log_source": source,
            "pid": copy.pid if copy else 0,
            "generation": copy.number if copy else 0,
            "seconds": copy.seconds() if copy else {},
            "settings_of": copy.settings_of if copy else None,
            "warnings": [*self.site.notes] if code == FLIPPED else [],
            "serves": {"generation": serves.number, "pid": serves.pid} if serves else None,
        }

    def _message(self, copy: Copy, message: dict[str, str]) -> None:
        """What the service manager hears of us is what the active copy says; one on its way, in or
        out, can ask for more time."""
        more = message.get("EXTEND_TIMEOUT_USEC", "")
        if more.isdigit() and copy is not self.active:
            self._extend(copy, int(more) / 1e6)
            self.site.manager.tell(f"EXTEND_TIMEOUT_USEC={more}")
        if copy is not self.active and not (self.active is None and self.trial is not None):
            return
        passed_on = ("STATUS", "WATCHDOG", "EXTEND_TIMEOUT_USEC", "ERRNO", "BUSERROR")
        lines = [f"{key}={value}" for key, value in message.items() if key in passed_on]
        if lines:
            self.site.manager.tell(*lines)

    def _extend(self, copy: Copy, seconds: float) -> None:
        if self.trial is not None and copy is self.trial.copy:
            self.trial.extend(seconds)
        for ending in self.endings:
            if ending.copy is copy:
                ending.extend(seconds)

    # -- small facts ------------------------------------------------------------------------------

    def _current(self) -> Spec:
        """What the next flip starts from."""
        return self.active.wanted if self.active else self.site.spec

    def _free_slot(self) -> str:
        if self.active is not None:
            return SLOTS[1] if self.active.slot == SLOTS[0] else SLOTS[0]
        taken = {ending.copy.slot for ending in self.endings if ending.copy.alive}
        return SLOTS[1] if taken == {SLOTS[0]} else SLOTS[0]
