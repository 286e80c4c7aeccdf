"""The old copies on their way out, and those that were never let in."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

from gapless.supervisor.copy import Copy
from gapless.supervisor.ending import Ending
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Spec

_MOST_LATE = 4


class Endings:
    """All that are under way. ``wanted`` gives the configuration that is to go on."""

    def __init__(self, site: Site, wanted: Callable[[], Spec]) -> None:
        self._site, self._wanted = site, wanted
        self._all: list[Ending] = []
        self.late: list[str] = []
        """Which copies did not end in time, and what was done; the newest of them."""

    def __iter__(self) -> Iterator[Ending]:
        return iter([*self._all])

    def __len__(self) -> int:
        return len(self._all)

    def begin(self, copy: Copy, over: Callable[[], None]) -> None:
        """Another one serves; ``over`` is called when nothing of it is left."""
        copy.state = "draining"
        self._under_way(copy, over).begin(self._site.addresses.when_idle)

    def at_once(
        self, copy: Copy, number: int, over: Callable[[], None], *, from_outside: bool
    ) -> None:
        """By this signal; ``from_outside``: somebody outside wants it."""
        ending = self._under_way(copy, over)
        ending.from_outside = from_outside
        copy.state = "stopping"
        ending.at_once(number)

    def adopt(self, copy: Copy, until: float, over: Callable[[], None]) -> None:
        """One that drained before our process replaced itself."""
        ending = self._under_way(copy, over)
        if until > 0:
            ending.go_on(until)
        else:
            ending.begin(self._site.addresses.when_idle)

    def hurry(self) -> None:
        """Nobody comes to them any more."""
        for ending in self:
            ending.hurry()

    def signal(self, number: int) -> None:
        """To those that somebody outside wants to end."""
        for ending in self:
            if ending.from_outside and ending.copy.child is not None:
                ending.copy.child.signal(number)

    def extend(self, copy: Copy, seconds: float) -> None:
        """It asks to be given so long from now on."""
        for ending in self:
            if ending.copy is copy:
                ending.extend(seconds)

    def alive(self) -> list[Copy]:
        """Those that have not ended yet."""
        return [ending.copy for ending in self._all if ending.copy.alive]

    def in_the_way(self, spec: Spec, slot: str) -> str:
        """What the next copy waits for; "" when it may start."""
        draining = self.alive()
        for copy in draining:
            if spec.slotted and copy.slot == slot:
                return f"generation {copy.number} to end, which has slot {slot}"
        if len(draining) < spec.max_draining:
            return ""
        return f"one of {len(draining)} old copies to end: more may not drain at once"

    def _under_way(self, copy: Copy, over: Callable[[], None]) -> Ending:
        def gone() -> None:
            self._forget(ending)
            over()

        ending = Ending(self._site.loop, copy, gone, lambda what: self._ends_late(copy, what))
        self._all.append(ending)
        return ending

    def _forget(self, ending: Ending) -> None:
        self._all.remove(ending)
        self._site.guard.forgets(ending.copy.pid)
        self._site.addresses.tidy(self._wanted())
        gc.collect()  # a flip leaves cycles; taken away at once, memory does not grow with flips

    def _ends_late(self, copy: Copy, what: str) -> None:
        """Whoever it still served has lost something: that is not to pass in silence."""
        open_ = self._site.addresses.connections(copy)
        told = f"generation {copy.number} {what}"
        if open_:
            told += f", {open_} proxied connection{'s' if open_ > 1 else ''} open"
        self.late = [*self.late, told][-_MOST_LATE:]
        self._site.say(told)
