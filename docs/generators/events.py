"""``events.md``: every type of the stream, its fields, and the older form."""

from __future__ import annotations

from docs.generators.markdown import code, page, table
from gapless.events.event import TRANSIENT, TYPES, VERSION, Event

_EXAMPLE = Event(
    "step.succeeded",
    rollout="rtoubop-648a",
    service="shop.api",
    host="web1",
    step="switch",
    actor="ada",
    data={"manner": "restart", "seconds": 2.1},
    ts=1768824000.25,
    seq=17,
)

_FIELDS = (
    ("v", "version of this form"),
    ("seq", "number of the event in the journal of this controller; transient events have 0"),
    ("ts", "RFC 3339 time in UTC, with microseconds"),
    ("type", "one of the types below"),
    ("rollout", "id of the rollout"),
    ("service, host", "what the event is about; web1/2 is one of several instances on a host"),
    ("instance", "`service@host`, when both are given"),
    ("step", "step of the lifecycle: preflight, snapshot, stage, migrate, drain, switch, …"),
    ("from, to", "old and new release, where there is one"),
    ("actor", "who started the rollout, or who asked"),
    ("reason", "why, as given with `--reason` or found out"),
    ("data", "what belongs to the type; secrets are never in it"),
)


def generate() -> str:
    """The whole page."""
    return page(
        "Events",
        _intro(),
        "## Fields\n\n" + table(("field", "holds"), [(_codes(f), text) for f, text in _FIELDS]),
        f"```json\n{_EXAMPLE.to_line()}\n```",
        "## Types\n\n" + _types(),
    )


def _intro() -> str:
    return f"""
One stream of JSON lines, version {VERSION}. `gapless events` prints it, `gapless events -f` follows
it, `--progress=jsonl` prints it while a rollout runs, and [sinks](../how-to/events-and-sinks.md)
receive it. An event is committed to the journal in the same transaction as the step it tells of.

Rules for readers: accept fields and types that you do not know; empty fields are left out; a torn
last line of a file is not an event yet. A type marked *live* is shown and sent while it happens and
is not kept in the journal.
"""


def _types() -> str:
    rows = [
        (code(name), f"*live* {meaning}" if name in TRANSIENT else meaning)
        for name, meaning in TYPES.items()
    ]
    return table(("type", "meaning"), rows)


def _codes(fields: str) -> str:
    return ", ".join(code(field) for field in fields.split(", "))
