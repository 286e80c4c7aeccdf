"""The copies: the one that serves, the one on its way to, and the old ones that end."""

from __future__ import annotations

import signal

from gapless.supervisor.children import exit_code
from gapless.supervisor.copy import Copy
from gapless.supervisor.endings import Endings
from gapless.supervisor.refusal import REFUSED
from gapless.supervisor.site import Site
from gapless.supervisor.spec import SLOTS, Spec
from gapless.supervisor.trial import Trial

KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_PASSED_ON = ("STATUS", "WATCHDOG", "EXTEND_TIMEOUT_USEC", "ERRNO", "BUSERROR")


class Copies:
    """Who there is, and what they are told and tell. ``flipping`` changes it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.number = 0
        """Of the newest one."""
        self.active: Copy | None = None
        self.trial: Trial | None = None
        self.endings = Endings(site, self.current)
        self.failing: Copy | None = None
        """The new copy that failed, until nothing of it is left."""
        self.died: Copy | None = None
        """The active copy, when it died while another was on its way."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.active is not None or self.trial is not None or bool(self.endings)

    @property
    def on_the_way(self) -> Copy | None:
        """To take over."""
        return self.trial.copy if self.trial else None

    @property
    def changing(self) -> bool:
        """Whether one is on its way, or was and failed."""
        return self.trial is not None or self.failing is not None

    def current(self) -> Spec:
        """What the next flip starts from."""
        return self.active.wanted if self.active else self._site.spec

    def free_slot(self) -> str:
        """For the next one."""
        if self.active is not None:
            return SLOTS[1] if self.active.slot == SLOTS[0] else SLOTS[0]
        taken = {copy.slot for copy in self.endings.alive()}
        return SLOTS[1] if taken == {SLOTS[0]} else SLOTS[0]

    def in_the_way(self) -> str:
        """What the next one waits for; "" when it may start."""
        return self.endings.in_the_way(self.current(), self.free_slot())

    def new(self, spec: Spec, settings_of: int | None) -> Copy:
        """Not started. ``settings_of``: the generation whose settings it goes back to."""
        self.number += 1
        site, slot = self._site, self.free_slot()
        copy = Copy(site.loop, site.mark(self.number), self.number, slot, spec)
        copy.settings_of = settings_of
        self.hear(copy)
        return copy

    def hear(self, copy: Copy) -> None:
        """From now on what it tells."""
        copy.on_message = lambda message: self._heard(copy, message)

    def take_over(self) -> Copy:
        """The one that was on its way serves from now on."""
        self.active = self.end_trial()
        self.active.state = "active"
        self.died = None
        return self.active

    def take_active(self) -> Copy:
        """It serves no more."""
        assert self.active is not None
        copy, self.active = self.active, None
        return copy

    def end_trial(self) -> Copy:
        """It is decided, or not wanted any more: its copy."""
        assert self.trial is not None
        trial, self.trial = self.trial, None
        trial.cancel()
        return trial.copy

    def signal(self, number: int) -> None:
        """To the one that serves, or is to be the first to do so; from the keyboard also to the
        one that is to take over."""
        copies = [self.active or self.on_the_way]
        if number in KEYBOARD:
            copies = [self.active, self.on_the_way]
        for copy in copies:
            if copy is not None and copy.child is not None:
                copy.child.signal(number)

    def exit_code(self) -> int:
        """What we end with when nothing serves: as an old copy that died while another was on its
        way; else as the first, which cannot end well."""
        if self.died is not None:
            return exit_code(self.died.status or 0)
        copy = self.failing
        if copy is None:  # it was never made
            return REFUSED
        if copy.child is None:
            return _NOT_FOUND if copy.errno == 2 else _NOT_EXECUTABLE
        ended_itself = "told" not in copy.times and copy.status is not None
        return (exit_code(copy.status or 0) if ended_itself else 1) or 1

    def _heard(self, copy: Copy, message: dict[str, str]) -> None:
        """What the service manager hears of us is what the active copy says; one on its way, in or
        out, can ask for more time."""
        manager = self._site.manager
        more = message.get("EXTEND_TIMEOUT_USEC", "")
        if more.isdigit() and copy is not self.active:
            self._extend(copy, int(more) / 1e6)
            manager.tell(f"EXTEND_TIMEOUT_USEC={more}")
        if copy is not self.active and not (self.active is None and self.trial is not None):
            return
        lines = [f"{key}={value}" for key, value in message.items() if key in _PASSED_ON]
        if lines:
            manager.tell(*lines)

    def _extend(self, copy: Copy, seconds: float) -> None:
        if self.trial is not None and copy is self.trial.copy:
            self.trial.extend(seconds)
        self.endings.extend(copy, seconds)
