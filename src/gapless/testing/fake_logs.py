"""How a fake host reads its logs: what its units wrote, or its files hold, by the real rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gapless.drivers.transports.log_query import LogQuery, LogReading
from gapless.hostside import log_times
from gapless.hostside.log_incidents import Incidents
from gapless.hostside.log_levels import LEVELS
from gapless.hostside.log_patterns import Patterns

if TYPE_CHECKING:
    from gapless.testing.fake_host import FakeHost
    from gapless.testing.fake_unit import FakeUnit

_NO_LEVEL = 1000


def read(host: FakeHost, query: LogQuery) -> LogReading:
    """The journal of a unit, or files by their whole names; nothing is rotated here."""
    if not (_units(host, query) or any(map(host.files.exists, query.files))):
        return LogReading(None, host.now(), query.since, query.until)
    patterns = Patterns(query.patterns, query.ignore)
    incidents = Incidents(LEVELS.get(query.level, _NO_LEVEL), patterns)
    for at, text in _lines(host, query):
        if query.since <= at < query.until:
            incidents.feed(at, text)
    incidents.close()
    tallies = {"": incidents.level, **incidents.named}
    answer = {
        "covered": max(query.until - query.since, 0.0),
        "read": host.now(),
        "lines": incidents.lines,
        "tallies": {name: tally.to_json(query.known) for name, tally in tallies.items()},
        "older": [],
        "marks": {},
    }
    return LogReading.from_json(answer, query)


def _units(host: FakeHost, query: LogQuery) -> list[FakeUnit]:
    return [host.units[name] for name in query.unit.split() if name in host.units]


def _lines(host: FakeHost, query: LogQuery) -> Iterator[tuple[float, str]]:
    if not query.files:
        written = sorted(line for unit in _units(host, query) for line in unit.log)
        for at, _, said in written:
            yield at, said.decode("utf-8", "replace")
    for path in filter(host.files.exists, query.files):
        for line in host.files.read(path).decode("utf-8", "replace").splitlines():
            yield log_times.of_line(line) or host.now(), line
