"""How a fake host reads its logs: what its units wrote, by the real rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapless.drivers.transports.log_query import LogQuery, LogReading
from gapless.hostside.log_incidents import Incidents
from gapless.hostside.log_levels import LEVELS
from gapless.hostside.log_patterns import Patterns

if TYPE_CHECKING:
    from gapless.testing.fake_host import FakeHost

_NO_LEVEL = 1000


def read(host: FakeHost, query: LogQuery) -> LogReading:
    """The journal of a unit. A fake host has no log files."""
    unit = host.units.get(query.unit)
    if unit is None:
        return LogReading(None, host.now())
    incidents = Incidents(
        LEVELS.get(query.level, _NO_LEVEL), Patterns(query.patterns, query.ignore)
    )
    for at, _, written in unit.log:
        if query.since <= at < query.until:
            incidents.feed(at, written.decode("utf-8", "replace"))
    incidents.close()
    tallies = {"": incidents.level, **incidents.named}
    return LogReading.from_json(
        {
            "covered": max(query.until - query.since, 0.0),
            "read": host.now(),
            "lines": incidents.lines,
            "tallies": {name: tally.to_json(query.known) for name, tally in tallies.items()},
            "older": [],
            "marks": {},
        },
        query,
    )
