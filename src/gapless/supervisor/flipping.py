"""The flip.

1. Requests are levels (``requests``). One that comes while another is under way waits for it.
2. A flip waits while as many old copies drain as may, and, where slots are used, while the other
   slot is still taken.
3. The configuration is compiled anew by another process if what it was made of has changed; code
   of our own that has changed is taken in first (``preparing``, ``upgrade``).
4. The new copy starts beside the old one (``trial``). Whatever goes wrong, the old one is
   untouched, and whoever asked is told what, with the last lines of the new copy.
5. When it has settled it is the active one: first the old copy is told to stop (``endings``), then
   everybody else is told.
6. The old copy dies while the new one starts: the new one takes over as soon as it is ready.
7. The active copy ends and none is on its way: we say so and end with its status. Told to stop
   from outside, we pass that on and wait, for the old copies that drain as well.
"""

from __future__ import annotations

from collections.abc import Callable

from gapless.supervisor.caller import Caller
from gapless.supervisor.callers import Callers
from gapless.supervisor.children import exit_code
from gapless.supervisor.copies import KEYBOARD, Copies
from gapless.supervisor.copy import Copy
from gapless.supervisor.preparing import Preparing
from gapless.supervisor.refusal import REFUSED, listening, screen
from gapless.supervisor.reply import DOWN, FLIPPED, KEPT, reply
from gapless.supervisor.requests import ROLLBACK, Requests
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Spec
from gapless.supervisor.trial import Trial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STOPPED = "it is being stopped"
_SLACK = 5.0
"""Seconds that the service manager waits longer than our own limits."""


class Flipping:
    """What is asked of us, one after the other; ``leave`` is called once, with our exit code."""

    def __init__(
        self,
        site: Site,
        preparing: Preparing,
        leave: Callable[[int], None],
        renew: Callable[[str, list[Caller]], None],
    ) -> None:
        self.site = site
        self._loop = site.loop
        self._preparing = preparing
        self._leave = leave
        self.renew = renew
        """Becomes new code, and comes back only if that cannot be."""
        self.requests = Requests()
        self.callers = Callers()
        self.copies = Copies(site)
        self.flips = self.failed = 0
        self.stopping = False
        self._interrupted = False
        """Whether all of it was told to end from the keyboard while another was on its way."""
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
        spec = self.copies.current()
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
        self.site.manager.allow(self.copies.current().stop.timeout + _SLACK)
        self._dismiss(_STOPPED)
        self.copies.endings.hurry()
        if self.copies.trial is not None:
            code_of = self.copies.active is None
            self._stop(self.copies.end_trial(), number, code_of=code_of)
        if self.copies.active is not None:
            self._stop(self.copies.take_active(), number, code_of=True)
        elif self.copies.failing is not None:
            self._code = self.copies.exit_code()
        self._maybe_leave()

    def forward(self, number: int) -> None:
        """Any other signal is for the copies; while all of it stops, for those told to."""
        if self.stopping:
            self.copies.endings.signal(number)
            return
        if number in KEYBOARD and self.busy:
            # Ctrl-C means all of it: the new copy is not to take over from the one that obeys
            self._interrupted = True
        self.copies.signal(number)

    @property
    def busy(self) -> bool:
        """Whether a flip is under way."""
        return self.copies.changing or self._preparing.busy

    @property
    def _over(self) -> bool:
        """Whether we end, as soon as all copies have ended."""
        return self.stopping or self._code is not None

    def wait(self, caller: Caller) -> None:
        """Answered when nothing is under way, with what came of the last flip."""
        if self._over:
            caller.answer(self._reply(DOWN, _STOPPED))
            return
        self.callers.until_idle.append(caller)
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
        kind, self.callers.of_flip = self.requests.take()
        if kind == ROLLBACK:
            self._roll_back()
            return
        self._preparing.begin(self.copies.current(), self._prepared, self._unprepared)

    @property
    def waits_for(self) -> str:
        """Why the next flip does not begin, though none is under way; "" when it may."""
        if self.busy or not self.requests:
            return ""
        return self.copies.in_the_way()

    def _roll_back(self) -> None:
        good = self.site.last_good
        if good.spec is None:
            self.callers.answer(self._reply(REFUSED, "there is nothing to go back to"))
            self._next()
            return
        self._try(good.spec, self.callers.take(), good.of)

    def _prepared(self, wanted: str, *, renew: bool) -> None:
        callers = self.callers.take()
        if renew and self.copies.active is not None:
            self.renew(wanted, callers)
        self.go_on(wanted, callers)

    def go_on(self, wanted: str, callers: list[Caller]) -> None:
        """With what was prepared, also by the process whose place we took."""
        try:
            spec = Spec.from_json(wanted)
        except ValueError as error:
            self.callers.of_flip = callers
            self._unprepared("the configuration is read, but not understood", str(error))
            return
        self._try(spec, callers)

    def _unprepared(self, what: str, evidence: str) -> None:
        self._interrupted = False
        self.failed += 1
        self._told_failed(what, evidence, None)
        if self.copies.active is None:
            self._go(self.copies.exit_code())
        self._next()

    def _unheard(self, error: OSError) -> None:
        what, (evidence, following) = f"cannot listen on {error.filename}", listening(error)
        if self.copies.active is not None or self.copies.died is not None:
            self._unprepared(what, evidence)
            return
        self.site.tell(screen(what, evidence, following))
        self.callers.answer(self._reply(DOWN, what, None, evidence))
        self._go(REFUSED)

    def _try(self, spec: Spec, callers: list[Caller], settings_of: int | None = None) -> None:
        self.callers.of_flip = callers
        try:
            self.site.open(spec)
        except OSError as error:
            self.site.failed()
            self._unheard(error)
            return
        copy = self.copies.new(spec, settings_of)
        self.copies.trial = Trial(
            self._loop, self.site.children, copy, self._passed, self._failed, self._ready
        )
        self.site.say(*spec.warnings)
        self.site.manager.tell(f"STATUS=starting generation {copy.number}")
        self.copies.trial.begin(
            self.site.addresses.listeners.of(spec.listen), self.site.manager, self.site.outlets
        )  # fmt: skip
        if copy.child is not None:
            self.site.guard.knows(copy.pid)

    def _ready(self) -> None:
        assert self.copies.trial is not None
        if self.copies.active is None and self.copies.died is not None:
            self.copies.trial.cancel()
            self._passed()

    def _passed(self) -> None:
        """The moment of the flip; what takes time comes after the old copy was told."""
        old, before = self.copies.active, self.copies.active or self.copies.died
        copy = self.copies.take_over()
        copy.times["commit"] = self._loop.now()
        copy.on_end = self._active_ended
        self._interrupted = False
        self.site.addresses.point(copy)
        if old is not None:
            self.copies.endings.begin(old, self._ended)
        self.flips += before is not None
        self.site.committed(copy, before)
        what = f"generation {copy.number} serves"
        replaced = before.number if before is not None else 0
        self.callers.answer({**self._reply(FLIPPED, what, copy), "replaced": replaced})
        self.site.say(f"{what}, process {copy.pid}", *self.site.notes)
        self._next()

    def _failed(self, what: str, evidence: str) -> None:
        """It goes, and all it left; who asked is told when it is gone."""
        copy = self.copies.failing = self.copies.end_trial()
        self.failed += 1

        def gone() -> None:
            code = self.copies.exit_code()
            self.copies.failing, self._interrupted = None, False
            self.site.failed()
            self._told_failed(what, evidence, copy)
            if self.copies.active is None and not self._over:
                self._go(code)
            self._ended()

        copy.last = copy.last_lines()
        self.copies.endings.at_once(copy, copy.spec.stop.signal, gone, from_outside=False)

    # -- ends -------------------------------------------------------------------------------------

    def _active_ended(self) -> None:
        copy = self.copies.take_active()
        self._close(copy)
        if self._interrupted or not self.busy:
            self.site.say(f"generation {copy.number} {copy.ended_how()}")
            if not self._interrupted:
                self.site.died(copy, exit_code(copy.status or 0))
            self._go(exit_code(copy.status or 0))
            return
        self.copies.died = copy
        self.site.say(f"generation {copy.number} {copy.ended_how()} while another one starts")
        if self.copies.trial is not None and self.copies.trial.copy.state == "settling":
            self._ready()

    def _stop(self, copy: Copy, number: int, *, code_of: bool) -> None:
        """Somebody outside wants it, or all of us, to end. ``code_of``: its code is ours."""

        def over() -> None:
            if code_of and copy.status is not None:
                self._code = exit_code(copy.status)
            self._ended()

        self.copies.endings.at_once(copy, number, over, from_outside=code_of)

    def _ended(self) -> None:
        """Nothing is left of a copy."""
        self._next()
        self._maybe_leave()

    def adopt_active(self, copy: Copy) -> None:
        """The copy that served before our process replaced itself."""
        self.copies.active = copy
        copy.on_end = self._active_ended
        self.copies.hear(copy)

    def adopt_ending(self, copy: Copy, until: float) -> None:
        """An old copy that drained before our process replaced itself."""
        self.copies.hear(copy)
        self.copies.endings.adopt(copy, until, self._ended)

    def _go(self, code: int) -> None:
        """The program has ended: so do we."""
        self._code = code
        if self.site.said_ready:  # else it was just told why
            self.site.say(f"nothing serves; ending with {code}")
        self._dismiss("the program has ended")
        if self.copies.trial is not None:
            copy = self.copies.end_trial()
            self._stop(copy, copy.spec.stop.signal, code_of=False)
        self._maybe_leave()

    def _dismiss(self, why: str) -> None:
        """Nothing of what is asked will be done."""
        self._preparing.break_off()
        for caller in [*self.requests.clear(), *self.callers.take_all()]:
            caller.answer(self._reply(DOWN, why))

    def _maybe_leave(self) -> None:
        if self._over and not self.copies:
            self._leave(self._code or 0)

    def _close(self, copy: Copy) -> None:
        self.site.guard.forgets(copy.pid)
        copy.close()

    # -- what is told -----------------------------------------------------------------------------

    def _tell_idle(self) -> None:
        self.callers.tell_idle(self._reply(FLIPPED, "nothing is under way"))

    def _told_failed(self, what: str, evidence: str, copy: Copy | None) -> None:
        code = KEPT if self.copies.active is not None else DOWN
        self.callers.answer(self._reply(code, what, copy, evidence))
        flip = "the flip" if self.copies.active is not None else "the start"
        who = f"generation {copy.number}" if copy else flip
        self.site.say(f"{who} failed: {what}. {evidence}".rstrip(". "))

    def _reply(
        self, code: int, what: str, copy: Copy | None = None, evidence: str = ""
    ) -> dict[str, Any]:
        notes = self.site.notes
        return reply(code, what, copy, evidence, serves=self.copies.active, notes=notes)
