"""One roll of a whole cluster under load, in each manner.

1. *naive*: leaders first, each stopped in order, down for a while, started; then the next one as
   soon as the port takes connections.
2. *by hand*: leaders last; what a member leads is handed over by the system's own command before,
   and the next one comes when all is well again. That is what manuals say.
3. *gapless*: ``gapless restart`` as a command; *together* lets it restart several at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from bench.clustering import steps
from bench.clustering.client import Client
from bench.clustering.rig import Rig
from bench.clustering.seen import Seen

BEFORE, AFTER, SHORT = 2.0, 2.0, 1.0
"""Seconds of load before the roll and after it; both with ``--short``."""

Roll = Callable[[Rig, float], None]


def naive(rig: Rig, down: float) -> None:
    """Nobody is asked anything."""
    leaders = rig.leaders()
    for name in (*leaders, *(one for one in rig.site.names if one not in leaders)):
        _bounce(rig, name, down)


def by_hand(rig: Rig, down: float) -> None:
    """As the manual says."""
    leaders = rig.leaders()
    for name in (*(one for one in rig.site.names if one not in leaders), *leaders):
        rig.hand_over(name)
        _bounce(rig, name, down)
        rig.settle()


def gapless(rig: Rig, _down: float) -> None:
    """One command; the time down is in the members' start."""
    rig.site.write()
    rig.site.run("restart", "--yes", "--reason", "bench")


def together(rig: Rig, down: float) -> None:
    """The same, several at a time where the cluster can bear it."""
    plain = dict(rig.site.settings)
    rig.site.settings.update(rig.together)
    try:
        gapless(rig, down)
    finally:
        rig.site.settings = plain


def manners(rig: Rig, *, short: bool) -> Iterator[tuple[str, Roll]]:
    """All of them, in this order: what comes last may leave a cluster that does not mend itself."""
    yield "gapless", gapless
    if not short:
        if rig.together:
            yield "gapless, together", together
        yield "by hand", by_hand
    yield "naive", naive


def rolled(rig: Rig, roll: Roll, down: float, *, short: bool = False) -> Seen:
    """One roll, and what the client saw of it."""
    rig.settle()
    with Client(rig.workload, rig.rate) as client:
        time.sleep(SHORT if short else BEFORE)
        client.mark()
        began = time.monotonic()
        roll(rig, down)
        seconds = time.monotonic() - began
        events = rig.site.events() if roll in (gapless, together) else []
        if events:
            print(f"  {rig.name}, {roll.__name__}: {steps.told(events, seconds, down)}")
        time.sleep(SHORT if short else AFTER)
        return client.finish(seconds, steps.gates(events), steps.moves(events))


def _bounce(rig: Rig, name: str, down: float) -> None:
    rig.stop(name)
    time.sleep(down)
    rig.site.keep(name, "start")
    rig.wait(lambda: rig.listens(name), f"{name} listens")


def shown(seen: Mapping[str, Seen]) -> list[list[str]]:
    """Lines of a table."""
    return [[name, *one.row(seen.get("naive"))] for name, one in seen.items()]
