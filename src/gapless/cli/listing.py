"""Events as lines on standard output."""

from __future__ import annotations

import sys
from difflib import get_close_matches

from gapless.errors import UsageError
from gapless.events.event import TYPES, Event
from gapless.render.layout import cut
from gapless.render.moments import any_sentence
from gapless.render.output import Output
from gapless.render.words import clean, moment


def refuse_unknown_types(words: tuple[str, ...]) -> None:
    """A type or prefix that no event has would show nothing, as if nothing had happened."""
    for word in words:
        if not any(name.startswith(word) for name in TYPES):
            close = get_close_matches(word, TYPES, n=3)
            hint = f" — near: {', '.join(close)}" if close else ""
            raise UsageError(f"no event has the type '{word}'{hint}", next="gapless events")


class EventLines:
    """Prints events that are wanted; ends the program quietly when nobody reads any more."""

    def __init__(self, types: tuple[str, ...], *, as_json: bool) -> None:
        self._types = types
        self._json = as_json
        self._output = Output(sys.stdout)

    def show(self, event: Event) -> None:
        """Print it if it is wanted."""
        if self._types and not event.type.startswith(self._types):
            return
        self._output.write((event.to_line() if self._json else _line(event)) + "\n")
        if self._output.lost:
            raise BrokenPipeError


def _line(event: Event) -> str:
    words = clean(any_sentence(event)).replace("\n", " ")
    return f"{event.seq:>6}  {moment(event.ts)}  {event.type:<20}  {cut(words, 400)}"
