"""All sinks of a project: told outside the critical path, reported on in one line each.

async with SinkHub(project.events, folder) as hub:
    ...observer=hub.offer...
hub.complaints
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from gapless.clock import Clock, LoopClock, within
from gapless.config.project import SinkConfig
from gapless.drivers.sinks.base import Sink
from gapless.drivers.sinks.cursor import Cursor
from gapless.drivers.sinks.files import private_folder
from gapless.drivers.sinks.registry import make_sink
from gapless.drivers.sinks.route import Route
from gapless.drivers.sinks.spool import Spool
from gapless.events.event import TRANSIENT, Event

FLUSH = 2.0
"""Seconds the end of a rollout waits for slow receivers, all together."""


class SinkHub:
    """Hands events to every sink that wants them. Nothing here raises into a rollout."""

    def __init__(
        self, configs: Sequence[SinkConfig], folder: Path, clock: Clock | None = None
    ) -> None:
        self.complaints: tuple[str, ...] = ()
        """One line for each sink that did not get everything; known after the end."""
        self._configs = configs
        self._folder = folder / "sinks"
        self._clock = clock or LoopClock()
        self._cursor = Cursor(self._folder / "seen.json")
        self._routes: list[Route] = []
        self._problems: list[str] = []

    async def __aenter__(self) -> Self:
        """Open every sink; one that cannot be opened is reported at the end."""
        for config in self._configs:
            sink = make_sink(config, self._clock)
            try:
                self._routes.append(self._route(config, sink))
            except OSError as error:
                self._problems.append(f"{sink.name}: {error.strerror}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give slow receivers a moment, keep the rest on disk, and know what to report."""
        try:
            async with within(FLUSH):
                await asyncio.gather(*(route.drained() for route in self._routes))
        except TimeoutError:
            pass  # the spool has what waits
        finally:
            told = [await route.close() for route in self._routes]
            self._cursor.save()
            self.complaints = tuple(line for line in (*self._problems, *told) if line)

    def offer(self, event: Event) -> None:
        """Give an event to everybody who wants it; returns at once."""
        for route in self._routes:
            if route.wants(event):
                route.offer(event)
        if event.type not in TRANSIENT:
            self._cursor.note(event)

    def replay(self, event: Event) -> None:
        """An event of the journal, after a resume: new to the sinks or long delivered."""
        if self._cursor.new(event):
            self.offer(event)
            return
        for route in self._routes:
            route.sink.learn(event)

    def _route(self, config: SinkConfig, sink: Sink) -> Route:
        if not sink.spooled:
            return Route(sink, config.types, self._clock)
        private_folder(self._folder)
        return Route(sink, config.types, self._clock, Spool(self._folder, _file_name(config)))


def _file_name(config: SinkConfig) -> str:
    """The same for the same receiver, and telling nobody its address."""
    text = config.webhook.url if config.webhook else config.model_dump_json()
    return f"webhook-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
