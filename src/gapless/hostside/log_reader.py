"""The process that reads a log: it gets one question and prints one answer as JSON.

It has a process of its own so that it can be ended whatever it is doing, and so that the helper
goes on answering while it reads.
"""

from __future__ import annotations

import json
import sys
import time

from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.log_files import Files
from gapless.hostside.log_incidents import Incidents
from gapless.hostside.log_journal import Journal
from gapless.hostside.log_levels import LEVELS
from gapless.hostside.log_patterns import Patterns
from gapless.hostside.payload import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_LEVEL = 1000


def answer(query: dict[str, Any]) -> dict[str, Any]:
    """What is in a log; ``query`` as LogQuery travels. Raises Fault."""
    patterns = Patterns(query["patterns"], query["ignore"])
    least = LEVELS.get(query["level"], _NO_LEVEL)
    incidents, before = Incidents(least, patterns), Incidents(least, patterns)
    since, until = query["since"], query["until"]
    files = Files(query["files"], query["marks"], query["marked"])
    try:
        if query["files"]:
            covered = files.read(since, until, incidents, before)
        else:
            covered = Journal(query["unit"], query["journal"]).read(since, until, incidents)
    except OSError as error:
        raise from_os_error(error, "the log cannot be read") from error
    read = time.time()  # afterwards: what lies before the marks was written before
    incidents.close()
    before.close()
    known = frozenset(query["known"])
    tallies = {"": incidents.level, **incidents.named}
    older = {"": before.level, **before.named}
    return {
        "covered": covered,
        "lines": incidents.lines,
        "tallies": {name: tally.to_json(known) for name, tally in tallies.items()},
        "older": sorted({key for tally in older.values() for key in tally.fingerprints()}),
        "marks": files.marks,
        "read": read,
    }


def main() -> None:
    """Answer the question in the settings."""
    try:
        found = answer(SETTINGS["log"])
    except Fault as fault:
        found = {"fault": fault.to_json()}
    json.dump(found, sys.stdout)
    sys.stdout.flush()
