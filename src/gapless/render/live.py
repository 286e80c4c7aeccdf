"""The live view on a terminal: frames drawn in place, at most five a second, only upon change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gapless.clock import Clock, LoopClock
from gapless.events.event import Event
from gapless.plans import Plan
from gapless.render.frame import Row, Tone, frame
from gapless.render.moments import moment_line
from gapless.render.output import Output
from gapless.render.ticker import Ticker
from gapless.report.fold import apply, progress_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

PERIOD = 0.2
"""Seconds between two redraws at least."""

SECOND = 1.0
"""Seconds after which the clock in the header may cause a redraw of its own."""

_STYLES = {Tone.TITLE: "bold", Tone.NORMAL: "", Tone.DIM: "dim", Tone.BAD: "red"}


class Screen:
    """Draws rows in place; rich is imported when the first one is drawn."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._console: Console | None = None
        self._live: Live | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal now."""
        console = self._open()
        return console.size.width, console.size.height

    def draw(self, rows: tuple[Row, ...]) -> None:
        """Replace what is shown."""
        from rich.live import Live

        picture = _text(rows)
        if self._live is None:
            self._live = Live(
                picture,
                console=self._open(),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)
        else:
            self._live.update(picture, refresh=True)

    def close(self) -> None:
        """Wipe the picture; the report follows in its place."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _open(self) -> Console:
        from rich.console import Console

        if self._console is None:
            self._console = Console(file=self._output.stream, highlight=False, markup=False)
        return self._console


def _text(rows: tuple[Row, ...]) -> Text:
    from rich.text import Text

    lines = [Text(row.text, style=_STYLES[row.tone], no_wrap=True) for row in rows]
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


class LiveView:
    """Keeps the picture true to the events; those from ``before`` it began are known to it."""

    def __init__(
        self,
        screen: Screen,
        plan: Plan | None = None,
        clock: Clock | None = None,
        before: Iterable[Event] = (),
    ) -> None:
        self._screen = screen
        self._clock = clock or LoopClock()
        self._progress = progress_of(plan, before)
        self._said = ""
        self._shown: tuple[Row, ...] = ()
        self._drawn = -PERIOD
        self._changed = False
        self._held = False
        self._ticker = Ticker(PERIOD, self.tick)

    def observe(self, event: Event) -> None:
        """Take an event in; draw when the last picture is old enough, else at the next tick."""
        apply(self._progress, event)
        self._said = moment_line(event) or self._said
        self._changed = True
        self._ticker.start()
        if self._clock.monotonic() - self._drawn >= PERIOD:
            self._draw()

    def say(self, text: str) -> None:
        """Show it as the last line, at once."""
        self._said = text
        self._draw()

    def tick(self) -> None:
        """Draw what is due."""
        age = self._clock.monotonic() - self._drawn
        if (self._changed and age >= PERIOD) or age >= SECOND:
            self._draw()

    def hold(self) -> None:
        """Wipe the picture and draw no other."""
        self._held = True
        self._screen.close()

    def go_on(self) -> None:
        """Draw again."""
        self._held, self._shown = False, ()
        self._draw()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._ticker.stop()
        self._screen.close()

    def _draw(self) -> None:
        if self._held:
            return
        width, height = self._screen.size
        rows = frame(self._progress, self._said, self._clock.now(), width=width, height=height)
        self._changed, self._drawn = False, self._clock.monotonic()
        if rows != self._shown:
            self._shown = rows
            self._screen.draw(rows)
