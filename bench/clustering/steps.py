"""Where the seconds of a restart by gapless went, by its journal."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.events.event import Event


def told(events: Sequence[Event], seconds: float, down: float) -> str:
    """The sum of each step over all members, less the time that members are down anyway, and what
    the command took besides. ``seconds``: of the whole command."""
    sums: dict[str, float] = {}
    for event in events:
        if event.type == "step.succeeded" and event.step:
            took = float(event.data.get("seconds", 0.0))
            down_then = down if event.step == "switch" else 0.0
            sums[event.step] = sums.get(event.step, 0.0) + took - down_then
    span = events[-1].ts - events[0].ts if events else 0.0
    words = [f"{step} {took:.1f} s" for step, took in sums.items() if took >= 0.05]
    return ", ".join([*words, f"the command around it {max(0.0, seconds - span):.1f} s"])


def gates(events: Sequence[Event]) -> float:
    """Seconds of a roll of one member after the other in which none of them was down and no
    leadership was moved: what is asked before and after."""
    span = events[-1].ts - events[0].ts if events else 0.0
    return span - _seconds(events, "switch", "ready") - moves(events)


def moves(events: Sequence[Event]) -> float:
    """Seconds in which leaderships were moved, by the system's own command; who leads nothing is
    only asked."""
    moved = [event for event in events if event.data.get("moved")]
    return _seconds(moved, "evacuate")


def _seconds(events: Sequence[Event], *steps: str) -> float:
    # A member is down from the order to stop until it answers its own health check again (switch,
    # ready), which is more than an open port: it reads what it has stored before.
    ended = (e for e in events if e.type == "step.succeeded" and e.step in steps)
    return sum(float(event.data.get("seconds", 0.0)) for event in ended)
