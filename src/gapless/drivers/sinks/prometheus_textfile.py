"""A file of metrics for node_exporter's textfile collector.

1. The file is replaced in one rename, so that a scrape never reads half of it.
2. It is readable by everybody (0644): the collector runs as a user of its own, and there is nothing
   in it but names of services, of hosts and numbers.
3. What it is made of lies beside it, under the same name and ``.book``.
4. A rollout of a thousand hosts has ten thousand events, and the file grows with them: it is
   written when a rollout begins, pauses or ends, and every few seconds between.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from gapless.drivers.sinks.aside import aside
from gapless.drivers.sinks.base import SinkError
from gapless.drivers.sinks.exposition import written
from gapless.drivers.sinks.figures import Figures
from gapless.drivers.sinks.files import replace_file
from gapless.drivers.sinks.metrics_book import opened
from gapless.drivers.sinks.rollout_figures import RolloutFigures
from gapless.events.event import Event

_FOR_ALL, _FOLDER = 0o644, 0o755
_EVERY = 5.0
"""Seconds between two writes in the middle of a rollout."""
_AT_ONCE = ("rollout.", "prove.finished")


class PrometheusTextfileSink:
    """Writes the file anew with what events say."""

    spooled: ClassVar[bool] = False

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        self._rollout = RolloutFigures()
        self._unwritten = False
        self._written = -_EVERY

    @property
    def name(self) -> str:
        """Kind and file."""
        return f"prometheus_textfile {self._path}"

    @property
    def deadline(self) -> float:
        """A disk that takes longer is not there."""
        return 5.0

    async def deliver(self, event: Event) -> None:
        """Count it, and write if it is time to."""
        self._unwritten |= self._rollout.take(event)
        soon = time.monotonic() < self._written + _EVERY and not event.type.startswith(_AT_ONCE)
        if soon or not self._unwritten:
            return
        name, figures = self._rollout.rollout, self._rollout.figures.copy()
        try:
            await aside(lambda: self._write(name, figures))
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror}") from None
        except ValueError as error:
            raise SinkError(str(error)) from None
        self._unwritten, self._written = False, time.monotonic()

    def learn(self, event: Event) -> None:
        """Count it."""
        self._unwritten |= self._rollout.take(event)

    def _write(self, rollout: str, figures: Figures) -> None:
        self._path.parent.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        with opened(self._path.with_name(f"{self._path.name}.book")) as book:
            book.enter(rollout, figures)
            replace_file(self._path, written(book.all()), mode=_FOR_ALL)
