"""Errors in the logs of hosts, counted there: the level, and each named pattern, is one source.

1. Before the first change every host is asked once for the baseline: the fingerprints it knows, and
   where its files end. A message is new when none of these hosts had it.
2. Each look reads what was written since; one reading serves all sources of an entry, and every
   part of its time.
3. Times are the host's. How much its clock is off is known but for the way there and back; a
   window rather begins too early than after the first errors.
4. A host that cannot be asked at the beginning is asked later; what is new to it is not known then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gapless.config.verify_rates import LogsConfig
from gapless.drivers.checks.rates import Count, RateSource
from gapless.drivers.checks.reach import Reach
from gapless.drivers.checks.told_secrets import ToldSecrets
from gapless.drivers.transports.log_query import LogQuery, LogReading, Marks
from gapless.errors import SourceUnavailable, TransportError

_AT_ONCE = 20
"""Hosts that are asked at the same time."""
_JUST = 0.5
"""Seconds after which a log is read again."""
_MOST_MARKS = 100
_MOST_READINGS = 1
"""Kept besides the newest: the baseline is asked for in pieces while others look."""


def make_sources(config: LogsConfig, reach: Reach) -> tuple[RateSource, ...]:
    """One for the level, one for each pattern."""
    logs = HostLogs(config, reach)
    names = ([] if config.level == "none" else [""]) + list(config.patterns)
    return tuple(LogRate(logs, name, name or config.level) for name in names)


@dataclass
class _Host:
    """What is remembered of the log of one host. ``marks``: where its files ended, and when."""

    skew: float = 0.0
    marks: list[tuple[float, Marks]] = field(default_factory=list)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    readings: list[LogReading] = field(default_factory=list)
    """The last ones, by the host's clock."""

    def mark(self, since: float) -> tuple[Marks, float | None]:
        """The last place that was reached before a moment of the host's clock."""
        before = [one for one in self.marks if one[0] <= since]
        return (before[-1][1], before[-1][0]) if before else ({}, None)

    def just_read(self, since: float, until: float) -> LogReading | None:
        """What was read for the same window, up to now or nearly so: for another rule."""
        for reading in self.readings:
            if reading.since == since and 0 <= until - reading.until < _JUST:
                return reading
        return None

    def keep(self, reading: LogReading) -> None:
        """Remember what was read, and where it ended."""
        self.readings = [*self.readings[-_MOST_READINGS:], reading]
        if reading.marks:
            self.marks = [*self.marks[-_MOST_MARKS:], (reading.read, reading.marks)]


class HostLogs:
    """The logs of one entry of ``verify``, on all hosts."""

    def __init__(self, config: LogsConfig, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._hosts: dict[str, _Host] = {}
        self._known: set[str] = set()
        self._learned: dict[str, bool] = {}
        self._begun = asyncio.Lock()
        self._secrets = ToldSecrets()

    async def learn(self, hosts: Sequence[str]) -> None:
        """Read the baseline of hosts that were not asked yet. Raises nothing."""
        few = asyncio.Semaphore(_AT_ONCE)

        async def one(host: str) -> None:
            async with few:
                with suppress(SourceUnavailable):
                    await self._learn(host)

        async with self._begun:
            new = [host for host in dict.fromkeys(hosts) if host not in self._learned]
            await asyncio.gather(*(one(host) for host in new))

    async def _learn(self, host: str) -> None:
        self._learned[host] = False
        kept = await self._host(host)
        now = self._reach.clock.now() + kept.skew
        async with kept.asking:
            reading = await self._read(host, kept, now - self._config.baseline, now)
        for tally in reading.tallies.values():
            self._known.update(tally.seen)
        self._known.update(reading.older)
        overflowed = any(tally.overflowed for tally in reading.tallies.values())
        self._learned[host] = reading.covered is not None and not overflowed
        kept.readings.clear()  # most hosts are not asked again for long

    async def count(self, tally: str, host: str, since: float, until: float) -> Count | None:
        """What one rule found. Raises SourceUnavailable."""
        kept = await self._host(host)
        async with kept.asking:
            since, until = since + kept.skew, until + kept.skew
            for reading in kept.readings:
                part = reading.part(tally, since, until)
                if part is not None and (since, until) != (reading.since, reading.until):
                    return Count(*part)
            reading = kept.just_read(since, until) or await self._read(host, kept, since, until)
        if reading.covered is None:
            return None
        found = reading.tallies[tally]
        secrets = tuple(self._reach.references(host))
        unseen = found.new if self._learned.get(host) else ()
        return Count(
            found.errors,
            reading.covered,
            top=await self._secrets.hide(found.top, secrets),
            unseen=await self._secrets.hide(unseen, secrets),
        )

    async def _read(self, host: str, kept: _Host, since: float, until: float) -> LogReading:
        query = self._query(host, kept, since, until)
        try:
            reading = await self._reach.transport(host).logs(query)
        except TransportError as error:
            raise _unreadable(host, error) from error
        kept.keep(reading)
        return reading

    async def _host(self, host: str) -> _Host:
        if host not in self._hosts:
            transport = self._reach.transport(host)
            try:
                await transport.connect()
                before = self._reach.clock.now()
                theirs = (await transport.facts()).clock
                after = self._reach.clock.now()
            except TransportError as error:
                raise _unreadable(host, error) from error
            off = before > theirs or theirs > after
            self._hosts.setdefault(host, _Host(theirs - after if off else 0.0))
        return self._hosts[host]

    def _query(self, host: str, kept: _Host, since: float, until: float) -> LogQuery:
        config = self._config
        marks, marked = kept.mark(since)
        return LogQuery(
            since=since,
            until=until,
            unit="" if config.files else config.unit or self._reach.unit(host),
            journal=config.journal or "",
            files=tuple(self._reach.filled(path, host) for path in config.files),
            level=config.level,
            patterns=config.patterns,
            ignore=config.ignore,
            known=frozenset(self._known),
            marks=marks,
            marked=marked,
            timeout=config.answer,
        )


class LogRate:
    """One rule of an entry: its level, or a named pattern (``tally``)."""

    def __init__(self, logs: HostLogs, tally: str, word: str) -> None:
        self._logs = logs
        self._tally = tally
        self._word = word

    @property
    def name(self) -> str:
        """Short, for evidence."""
        return f"logs ({self._word})"

    async def begin(self, hosts: Sequence[str]) -> None:
        """Learn what was there before."""
        await self._logs.learn(hosts)

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """Incidents in the log."""
        return await self._logs.count(self._tally, host, since, until)


def _unreadable(host: str, error: TransportError) -> SourceUnavailable:
    what = f"the log cannot be read: {error.what}"
    return SourceUnavailable(what, where=host, evidence=error.evidence)
