"""Copies of a bot change places under events: ``gapless`` beside who does it otherwise.

One source on loopback sends events to everybody who is connected, each copy at its own time; each
effect is written down by the copy that has it. What is counted: lost, doubled, blackout.

1. Side by side, nobody is killed: stop-first, start-first without a lock, standby without a lock,
   the sequence of docs/reference/handover.md by itself, and ``gapless deploy``.
2. The sequence and ``gapless deploy``, and somebody is killed with -9 in any phase: the old copy,
   the new one, the orchestrator, by a seed. The next one goes on where ``state.json`` says, and
   ``gapless resume`` where the journal does.
3. Claims at 1,000 events a second on tmpfs.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.handing import claiming
from bench.handing.judge import Kill, Verdict
from bench.handing.ours import Deployed
from bench.handing.playing import SKEW, Play, Played
from bench.handing.rivals import RIVALS, Rival, Sequenced
from bench.results import Bound, table

QUIET = (1, 20)
KILLED: dict[type[Rival], tuple[int, int]] = {Sequenced: (20, 1000), Deployed: (3, 100)}
"""How many handovers: with --short, and without."""
SEED = 5
LEVELS = ("at-most-once", "at-least-once", "transactional", "idempotent-key")
VICTIMS = ("old", "new", "orchestrator")
_ACCOUNTS = 20
HEADS = (
    "", "handovers", "events", "lost", "doubled", "longest gap", "blackout", "took p50",
    "source late",
)  # fmt: skip
LEVEL_HEADS = (
    "level", "events", "lost", "most for a kill", "doubled", "most for a kill", "repeats seen",
    "only killed had", "nobody had",
)  # fmt: skip


def main(short: bool) -> list[Bound]:
    """All parts."""
    print(
        f"  {time.strftime('%Y-%m-%d')}, 500 events/s on loopback, skew 0-{SKEW * 1000:g} ms, "
        f"seed {SEED}"
    )
    folder = Path(tempfile.mkdtemp(prefix="gapless-bench-", dir="/dev/shm"))
    try:
        bounds = _side_by_side(folder, QUIET[0] if short else QUIET[1])
        for kind, (few, many) in KILLED.items():
            bounds += _killed(folder, kind, few if short else many)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [*bounds, *claiming.bounds(short)]


def _side_by_side(folder: Path, count: int) -> list[Bound]:
    rows, bounds = [], []
    for kind in (*RIVALS, Sequenced, Deployed):
        if reason := kind.missing():
            print(f"  {kind.name} left out: {reason}")
            continue
        levels = LEVELS if kind.has_lock else ("at-least-once",)
        played = asyncio.run(
            Play(Path(tempfile.mkdtemp(dir=folder)), kind, levels, SEED).quiet(count)
        )
        rows.append(_row(kind.name, played))
        if kind.has_lock:
            bounds += [
                Bound(f"{kind.name}, nobody killed: lost", played.lost, 0),
                Bound(f"{kind.name}, nobody killed: doubled", played.doubled, 0),
                Bound(f"{kind.name}, planned blackout", played.blackout * 1000, 0, "ms"),
            ]
    table("nobody is killed", HEADS, rows)
    return bounds


def _row(name: str, played: Played) -> list[str]:
    took = sorted(played.took)
    return [
        name, f"{len(took)}", f"{played.events}", f"{played.lost}", f"{played.doubled}",
        f"{played.longest_gap * 1000:.0f} ms", f"{played.blackout * 1000:.0f} ms",
        f"{took[len(took) // 2]:.2f} s", f"{played.late * 1000:.0f} ms",
    ]  # fmt: skip


def _killed(folder: Path, kind: type[Rival], count: int) -> list[Bound]:
    if reason := kind.missing():
        return [Bound(f"{kind.name}, with kills", 0, 0, skipped=reason)]
    play = Play(Path(tempfile.mkdtemp(dir=folder)), kind, LEVELS, SEED)
    played = asyncio.run(play.killing(count, random.Random(SEED), VICTIMS))
    kills = [kill for kill in played.kills if kill.pid]
    rows = [_level_row(level, played.verdicts[level], kills) for level in LEVELS]
    table(
        f"{kind.name}: {count} handovers, killed with -9: {_told(played.kills)}", LEVEL_HEADS, rows
    )
    for account, count in played.accounts[:_ACCOUNTS]:
        print(f"  {count} {account}")
    return [*_bounds_of(kind.name, played.verdicts, kills), _takeover(kind.name, played.takeovers)]


def _told(kills: Sequence[Kill]) -> str:
    of = {victim: sum(kill.victim == victim for kill in kills) for victim in VICTIMS}
    return ", ".join(f"{number} {victim}" for victim, number in of.items())


def _level_row(level: str, verdict: Verdict, kills: Sequence[Kill]) -> list[str]:
    return [
        level, f"{verdict.events}", f"{len(verdict.lost)}",
        f"{verdict.most_for_a_kill(verdict.lost, kills)}", f"{len(verdict.doubled)}",
        f"{verdict.most_for_a_kill(verdict.doubled, kills)}", f"{verdict.repeats}",
        f"{verdict.to_killed}", f"{verdict.to_nobody}",
    ]  # fmt: skip


def _bounds_of(name: str, verdicts: dict[str, Verdict], kills: Sequence[Kill]) -> list[Bound]:
    bounds = []
    for level in LEVELS:
        verdict = verdicts[level]
        for what, found in (("lost", verdict.lost), ("doubled", verdict.doubled)):
            allowed = (level, what) in (("at-most-once", "lost"), ("at-least-once", "doubled"))
            if allowed:
                most = verdict.most_for_a_kill(found, kills)
                bounds.append(Bound(f"{name}, {level}: {what} for a kill", most, 1))
            else:
                bounds.append(Bound(f"{name}, {level}: {what}", len(found), 0))
    return bounds


def _takeover(contestant: str, took: Sequence[float]) -> Bound:
    name = f"{contestant}, takeover after kill -9, p99"
    if not took:
        return Bound(name, 0, 0, "ms", skipped="no active copy was killed beside a standby")
    return Bound(name, sorted(took)[int(len(took) * 0.99)] * 1000, 1000, "ms")


if __name__ == "__main__":
    sys.exit(0 if all(bound.ok for bound in main("--short" in sys.argv)) else 1)
