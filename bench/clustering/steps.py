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


def beside_down(events: Sequence[Event]) -> float:
    """Seconds of a roll of one member after the other in which none of them was down. One is down
    from the order to stop until it answers its own health check again, which is more than an open
    port: a server that reads what it has stored has that long before."""
    spans = events[-1].ts - events[0].ts if events else 0.0
    ended = (e for e in events if e.type == "step.succeeded" and e.step in ("switch", "ready"))
    return spans - sum(float(event.data.get("seconds", 0.0)) for event in ended)
