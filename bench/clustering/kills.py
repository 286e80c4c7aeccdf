"""The controller is killed with SIGKILL somewhere in the restart of a real cluster, and resumed.

1. A whole restart is measured first, from the first record of its journal to the last; a seed then
   draws each moment after the first record of another one.
2. ``gapless resume`` ends it.
3. Then all members are there and agree, nothing is held back any more, each member was started
   again just once, and all that was acknowledged is there.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.clustering.client import Client
from bench.clustering.rig import Rig
from bench.clustering.seen import Seen
from bench.results import Bound
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event

_WORDS = ("restart", "--yes", "--reason", "killed")
_DONE = "rollout.succeeded"
_MANY = 100_000


@dataclass
class Killed:
    """What came of one kill. ``at``: so many seconds after the rollout began; ``step``: what was
    under way; ``amiss``: what is not as it has to be, in words."""

    at: float
    step: str = ""
    seen: Seen | None = None
    amiss: list[str] = field(default_factory=list)


def bounds(rig: Rig, count: int, seed: int) -> Iterator[Bound]:
    """So many kills; what is amiss is printed."""
    draw = random.Random(seed)
    length = _length(rig)
    done = []
    for _ in range(count):
        one = killed(rig, draw.uniform(0.0, length))
        done.append(one)
        for words in one.amiss:
            told = f"killed after {one.at:.2f} s in {one.step or 'nothing'}: {words}"
            print(f"  {rig.name}, {told}", flush=True)
    steps = Counter(one.step.split()[0] if one.step else "nothing" for one in done)
    print(f"  {rig.name}: {count} kills within {length:.1f} s, in "
          + ", ".join(f"{step} {times}" for step, times in steps.most_common()))  # fmt: skip
    seen = [one.seen for one in done if one.seen]
    operations, failed = sum(o.operations for o in seen), sum(o.failed for o in seen)
    print(f"  {rig.name}: {operations} operations, {failed} failed, "
          f"longest {max((o.longest for o in seen), default=0.0):.2f} s")  # fmt: skip
    name = f"{rig.name}: not as it has to be, of {count} kills"
    yield Bound(name, sum(bool(one.amiss) for one in done), 0)
    lost = sum(o.lost + o.unread for o in seen)
    yield Bound(f"{rig.name}: acknowledged, and lost, with kills", lost, 0)


def killed(rig: Rig, at: float) -> Killed:
    """One."""
    one = Killed(at)
    rig.settle()
    rig.site.write()
    before, known = rig.starts(), _rollouts(rig)
    with Client(rig.workload, rig.rate) as client:
        client.mark()
        began = time.monotonic()
        controller = rig.site.start(*_WORDS)
        try:
            rig.wait(lambda: _rollouts(rig) > known, "a rollout begins")
            time.sleep(at)
        finally:
            controller.kill()
            controller.wait()
        _resume(rig, one)
        if held := rig.held():
            one.amiss.append(held)
        try:
            rig.settle()
        except RuntimeError as error:
            one.amiss.append(str(error))
        one.seen = client.finish(time.monotonic() - began)
    after = rig.starts()
    for name in rig.site.names:
        times = after[name] - before[name]
        if times != 1:
            one.amiss.append(f"{name} was started {times} times")
    if one.seen.lost or one.seen.unread:
        one.amiss.append(f"{one.seen.lost} lost, {one.seen.unread} unread")
    return one


def _resume(rig: Rig, one: Killed) -> None:
    one.step = _under_way(rig.site.events())
    told = ""
    if rig.site.events()[-1].type != _DONE:
        told = rig.site.run("resume", "--yes", check=None)
    if rig.site.events()[-1].type != _DONE:
        one.amiss.append(f"it did not come to its end: {told[-1500:]}")


def _under_way(events: list[Event]) -> str:
    """The last step that had begun and not ended, and where; else what was said last."""
    last = events[-1]
    return f"{last.step} {last.host}" if last.type == "step.started" else last.type


def _rollouts(rig: Rig) -> int:
    """How many there are."""
    if not (rig.site.folder / "state" / "site").exists():
        return 0
    journal = SqliteJournal(rig.site.folder / "state" / "site")
    try:
        return len(journal.rollouts(_MANY))
    finally:
        journal.close()


def _length(rig: Rig) -> float:
    rig.settle()
    rig.site.write()
    rig.site.run(*_WORDS)
    events = rig.site.events()
    return events[-1].ts - events[0].ts
