"""What became of each event: lost, doubled, or had its one effect.

1. An event is *reachable* when it was sent to a process that lived to handle it: one that was
   ACTIVE when it arrived, at most 100 ms later, had 100 ms for it; one that stood by (BOOTING,
   STANDBY) keeps it for 10 s, and had 100 ms after it became ACTIVE. One that was sent to nobody,
   or only to processes that were killed before that, no protocol can bring back: both are counted
   apart.
2. Lost: reachable, and without an effect. Doubled: more than one. A receiver that honours the key
   of ``idempotent-key`` keeps the first; repeats are told.
3. A blackout is time in which events came and nobody had an effect: gaps between two effects that
   are longer than 150 ms.
"""

from __future__ import annotations

import bisect
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.handing.source import Sent

_KEPT = 10.0
_TRANSIT = 0.1
_ACTS = 0.1
_GAP = 0.1


@dataclass(frozen=True)
class Kill:
    """``victim``: old, new or orchestrator; ``pid`` of a copy, else 0; ``state``: what it was."""

    victim: str
    pid: int
    at: float
    state: str = ""


@dataclass
class Ledger:
    """What copies wrote down: (process, moment) of each effect by event, and their states."""

    effects: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    states: dict[int, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))

    def state_of(self, pid: int, at: float) -> str:
        """What it was; BOOTING before it said anything."""
        said = self.states.get(pid, [])
        number = bisect.bisect_right(said, at, key=lambda one: one[0])
        return said[number - 1][1] if number else "BOOTING"

    def active_after(self, pid: int, at: float) -> float:
        """The moment from which it is ACTIVE; never is infinite."""
        if self.state_of(pid, at) == "ACTIVE":
            return at
        later = (when for when, state in self.states.get(pid, []) if state == "ACTIVE")
        return next((when for when in later if when > at), float("inf"))


@dataclass
class Verdict:
    """Counts of one level."""

    events: int = 0
    lost: list[Sent] = field(default_factory=list)
    doubled: list[Sent] = field(default_factory=list)
    repeats: int = 0
    to_nobody: int = 0
    to_killed: int = 0

    def most_for_a_kill(self, events: Sequence[Sent], kills: Sequence[Kill]) -> int:
        """How many of these events belong to one kill, the nearest; of all, where there is none."""
        if not kills:
            return len(events)
        nearest = [min(kills, key=lambda kill: abs(kill.at - event.at)) for event in events]
        return max(Counter(nearest).values(), default=0)


def read(ledger: Path, database: Path) -> Ledger:
    """Both files."""
    found = Ledger()
    for line in ledger.read_text().splitlines():
        what, which, pid, at = line.split()
        if what == "effect":
            found.effects[which].append((int(pid), float(at)))
        else:
            found.states[int(pid)].append((float(at), which))
    if database.exists():
        link = sqlite3.connect(database)
        try:
            for which, pid, at in link.execute("SELECT id, pid, at FROM effects"):
                found.effects[which].append((pid, at))
        except sqlite3.OperationalError:
            pass  # nobody had an effect there
        finally:
            link.close()
    return found


def judge(events: Sequence[Sent], found: Ledger, kills: Sequence[Kill]) -> dict[str, Verdict]:
    """By level."""
    killed = {kill.pid: kill.at for kill in kills if kill.pid}
    verdicts: dict[str, Verdict] = defaultdict(Verdict)
    for event in events:
        verdict = verdicts[event.level]
        verdict.events += 1
        had = len(found.effects.get(event.id, ()))
        if had > 1 and event.level == "idempotent-key":
            verdict.repeats += had - 1
        elif had > 1:
            verdict.doubled.append(event)
        elif not had and _reachable(event, found, killed):
            verdict.lost.append(event)
        elif not had and not event.to:
            verdict.to_nobody += 1
        elif not had:
            verdict.to_killed += 1
    return dict(verdicts)


def _reachable(event: Sent, found: Ledger, killed: dict[int, float]) -> bool:
    for pid, at in event.to:
        dies = killed.get(pid)
        takes = all(found.state_of(pid, moment) != "DRAINING" for moment in (at, at + _TRANSIT))
        if takes and (dies is None or dies > min(at + _KEPT, found.active_after(pid, at) + _ACTS)):
            return True
    return False


def accounts(
    verdicts: dict[str, Verdict], found: Ledger, kills: Sequence[Kill]
) -> list[tuple[str, int]]:
    """Where what was lost or doubled belongs: the nearest kill, what those were that it was sent
    to, and how long after that who had an effect; and how many events are alike."""
    alike: Counter[str] = Counter()
    for verdict in verdicts.values():
        for what, events in (("lost", verdict.lost), ("doubled", verdict.doubled)):
            alike.update(f"{what}: {_account(event, found, kills)}" for event in events)
    return alike.most_common()


def _account(event: Sent, found: Ledger, kills: Sequence[Kill]) -> str:
    kill = min(kills, key=lambda one: abs(one.at - event.at), default=None)
    killed = {one.pid for one in kills if one.pid}
    to = [
        f"{pid} {found.state_of(pid, at)}{', killed some time' if pid in killed else ''}"
        for pid, at in event.to
    ]
    had = [
        f"{pid} within {100 * math.ceil((at - event.at) * 10)} ms"
        for pid, at in found.effects.get(event.id, ())
    ]
    when = f"{event.at - kill.at:+.1f} s from a kill of {kill.victim} {kill.pid}" if kill else ""
    return f"{when}; sent to {' and '.join(to)}; done by {' and '.join(had) or 'nobody'}"


def blackout(found: Ledger, begun: float, ended: float) -> tuple[float, float]:
    """The longest gap between effects, and all that are a blackout; seconds."""
    moments = sorted(at for had in found.effects.values() for _, at in had if begun < at < ended)
    gaps = [later - at for at, later in zip([begun, *moments], [*moments, ended], strict=True)]
    return max(gaps), sum(gap for gap in gaps if gap > _GAP)


def takeovers(found: Ledger, kills: Sequence[Kill]) -> list[float]:
    """Seconds from the kill of an active copy to the next effect of one that stood by."""
    moments = sorted((at, pid) for had in found.effects.values() for pid, at in had)
    took = []
    for kill in kills:
        active = kill.pid and found.state_of(kill.pid, kill.at) == "ACTIVE"
        if active and any(_stands_by(found, pid, kill, kills) for pid in found.states):
            after = bisect.bisect_right(moments, (kill.at, 1 << 30))
            others = (at - kill.at for at, pid in moments[after:] if pid != kill.pid)
            took.append(next(others, float("inf")))
    return took


def _stands_by(found: Ledger, pid: int, kill: Kill, kills: Sequence[Kill]) -> bool:
    """It was ready, and had not been killed before."""
    dead = any(other.pid == pid and other.at <= kill.at for other in kills)
    return not dead and found.state_of(pid, kill.at) == "STANDBY"
