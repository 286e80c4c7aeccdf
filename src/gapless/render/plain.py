"""For pipes and logs: one line per state change, and a heartbeat when nothing changes."""

from __future__ import annotations

from collections.abc import Iterable

from gapless.clock import Clock, LoopClock
from gapless.events.event import Event
from gapless.plans import Plan
from gapless.render.moments import moment_line
from gapless.render.output import Output
from gapless.render.ticker import Ticker
from gapless.render.words import clean, clock_time, plural, seconds
from gapless.report.fold import apply, progress_of
from gapless.report.progress import InstanceProgress, Progress, Stage

HEARTBEAT = 30.0
"""Seconds of silence after which one line says that all is alive; never more often."""


class Plain:
    """Lines for people who read logs; what was ``before`` counts and is not told again."""

    def __init__(
        self,
        output: Output,
        plan: Plan | None = None,
        clock: Clock | None = None,
        before: Iterable[Event] = (),
    ) -> None:
        self._output = output
        self._clock = clock or LoopClock()
        self._progress = progress_of(plan, before)
        self._last: float = 0.0
        self._ticker = Ticker(HEARTBEAT / 10, self.tick)

    def observe(self, event: Event) -> None:
        """Write its line if it changes anything."""
        apply(self._progress, event)
        line = moment_line(event)
        if line:
            self._write(line)
        self._ticker.start()

    def say(self, text: str) -> None:
        """Write a line."""
        self._write(f"{clock_time(self._clock.now())}  {text}")

    def tick(self) -> None:
        """Write a heartbeat when the last line is old enough."""
        silent = self._clock.monotonic() - self._last
        if self._progress.ending is None and silent >= HEARTBEAT:
            now = self._clock.now()
            self._write(f"{clock_time(now)}  {heartbeat(self._progress, now)}")

    def hold(self) -> None:
        """Lines disturb nobody."""

    def go_on(self) -> None:
        """They never stopped."""

    def close(self) -> None:
        """Stop the heartbeat."""
        self._ticker.stop()

    def _write(self, line: str) -> None:
        self._output.write(line + "\n")
        self._last = self._clock.monotonic()


def heartbeat(progress: Progress, now: float) -> str:
    """Counts, and what the longest wait is for."""
    done, total = progress.count(Stage.DONE), len(progress.instances)
    words = f"… {done} of {plural(total, 'instance')} done"
    waiting = [i for i in progress.instances.values() if i.stage in (Stage.RUNNING, Stage.UNDOING)]
    if waiting:
        words += f"; {_longest(min(waiting, key=lambda item: item.since), now)}"
    return words


def _longest(item: InstanceProgress, now: float) -> str:
    if item.away:
        lost = f"connection lost for {seconds(now - item.away)}, trying again"
        return f"{item.host} {item.service} in {item.step}: {lost}"
    answer = f", last answer {clean(item.answer)}" if item.answer else ""
    return f"{item.host} {item.service} in {item.step} for {seconds(now - item.since)}{answer}"
