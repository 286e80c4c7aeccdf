"""What came of a flip, and which copies of a process there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gapless.model import NOTHING
from gapless.render.layout import WIDTH, block, head, labelled, screen, table
from gapless.render.words import clean, moment, plural, seconds

Facts = Mapping[str, Any]
LOG_LINES = 40
"""Some servers say the reason first, and where it happened and how they end in many lines after."""
_DONE = {"flip": "Flipped", "rollback": "Rolled back"}


def render_outcome(
    verb: str, name: str, reply: Facts, status: Facts | None, width: int = WIDTH
) -> str:
    """One line when all is well, else the failure screen; ``status`` is what serves now."""
    if not reply.get("ok"):
        return screen(_failed(verb, name, reply, status, width))
    if not reply.get("pid"):
        what = "a flip is queued" if reply.get("what") == "queued" else reply.get("what", "done")
        return screen(head("✓", f"{name}: {what}", "", width))
    done = f"{_DONE[verb]} {name}" if verb in _DONE else name
    told = ", old one told to stop" if reply.get("replaced", True) else ""
    lines = head("✓", f"{done}{_settings(reply)}: {_new(reply)}{told}", "", width)
    return screen([*lines, *_warnings(reply, width)])


def _settings(reply: Facts) -> str:
    """Where a flip back has led."""
    of = reply.get("settings_of")
    if of is None:
        return ""
    return f" to the settings of generation {of}" if of else " to the settings of an earlier start"


def _warnings(facts: Facts, width: int = WIDTH) -> list[str]:
    return [
        line for one in facts.get("warnings") or () for line in labelled("warning", str(one), width)
    ]


def _new(reply: Facts) -> str:
    took = reply.get("seconds", {}).get("ready")
    ready = f", ready in {seconds(took)}" if isinstance(took, (int, float)) else ""
    return f"generation {reply['generation']}, pid {reply['pid']}{ready}"


def _failed(verb: str, name: str, reply: Facts, status: Facts | None, width: int) -> Iterator[str]:
    yield from head("✗", f"{name}: {reply.get('what') or 'failed'}", "", width)
    if reply.get("evidence"):
        yield from labelled("answer", str(reply["evidence"]), width)
    yield from _log(reply)
    if reply.get("code") != 7:
        yield from labelled("now", _serving(status), width)
    yield from labelled("next", str(reply.get("next") or _way(verb, name, reply)), width)


def _way(verb: str, name: str, reply: Facts) -> str:
    again = "run rollback" if verb == "rollback" else "flip"
    told = f"mend the cause, then: gapless {again} {name}"
    return told if reply.get("code") == 4 else "gapless run status"


def _log(reply: Facts) -> list[str]:
    """The last lines of the new copy, whole: the reason is often their end; or where they went."""
    lines = [clean(str(line)) for line in reply.get("log") or ()]
    if not lines and str(reply.get("log_source", "")).startswith("/"):
        lines = [f"in {reply['log_source']}"]
    return block("log", lines[-LOG_LINES:])


def _serving(status: Facts | None) -> str:
    active = (status or {}).get("active")
    if not active:
        return "nothing serves" if status else "nobody answers"
    up = active.get("seconds", {}).get("up", 0.0)
    return f"generation {active['generation']} serves, pid {active['pid']}, up {seconds(up)}"


def render_stop(name: str, *, done: bool) -> str:
    """After ``run stop``."""
    if done:
        return screen(head("✓", f"Stopped {name}"))
    return screen([*head("‖", f"{name} is being stopped"), *labelled("next", "gapless run status")])


def render_processes(
    found: Sequence[Facts], width: int = 0, ended: Mapping[str, str] = NOTHING
) -> str:
    """One line a copy; then what else there is to know of each process, and how those ``ended``
    that nobody told to."""
    dead = [f"{name} runs no more: {clean(how)}" for name, how in ended.items()]
    if not found:
        return screen(["Nothing is supervised.", *dead])
    header = ("NAME", "GENERATION", "STATE", "PID", "SLOT", "UP", "CONNECTIONS")
    rows = [row for status in found for row in _copies(status)]
    lines = table(header, rows, width, ("CONNECTIONS", "SLOT"))
    return screen([*lines, *(line for status in found for line in _more(status)), *dead])


def _copies(status: Facts) -> Iterator[tuple[str, ...]]:
    copies = [status.get("active"), status.get("new"), *status.get("draining", ())]
    there = [copy for copy in copies if copy]
    for copy in there:
        yield (
            str(status["name"]),
            str(copy["generation"]),
            str(copy["state"]),
            str(copy["pid"]),
            str(copy["slot"]),
            seconds(copy.get("seconds", {}).get("up", 0.0)),
            str(copy["connections"]) if "connections" in copy else "-",
        )
    if not there:
        yield str(status["name"]), "-", str(status["state"]), "-", "-", "-", "-"


def _more(status: Facts) -> Iterator[str]:
    yield ""
    counts = f"{plural(status.get('flips', 0), 'flip')}, {status.get('failed', 0)} failed"
    queued = ", one more flip is queued" if status.get("queued") else ""
    since = moment(status.get("since", 0.0))
    who = f"supervisor {status.get('pid')}, {status.get('state')}{queued}, since {since}, {counts}"
    yield f"{status['name']}: {who}"
    if waits := status.get("waits_for"):
        yield from labelled("waits", f"for {waits}")
    listen = [f"{one['name']} {one['address']}" for one in status.get("listen", ())]
    listen += [f"proxy {one['listen']} to {one['to']}" for one in status.get("proxy", ())]
    if listen:
        yield from labelled("listen", ", ".join(listen))
    last = status.get("last")
    if last and not last.get("ok"):
        yield from labelled("failed", f"{last.get('what')}\n{last.get('evidence', '')}".strip())
    for late in status.get("late", ()):
        yield from labelled("late", str(late))
    yield from _warnings(status)
    yield from _warnings(last or {})
