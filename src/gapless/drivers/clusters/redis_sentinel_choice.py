"""To whom the role of the master may go, and who has to be kept from it. No side effects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gapless.drivers.clusters.redis_sentinel_sight import SHUNNED, Placed, unpausable
from gapless.errors import ClusterError

_EQUAL = 3.0
"""Seconds, at most, for replicas to get what the master has; they are near when it begins."""


@dataclass(frozen=True, slots=True)
class Choice:
    """From whom, and to one of whom. ``shunned``: replicas by the priority that they have, which
    sentinels could choose as well, and are not to. ``patience``: seconds of silence after which
    sentinels hold a server for down."""

    old: str
    wanted: Collection[str]
    shunned: Mapping[str, int]
    patience: float = 30.0

    @property
    def equal(self) -> float:
        """Seconds for replicas to get what the master has. A sentinel that greets the paused master
        waits with its other clients, and soon takes it for dead: it must be over before."""
        return min(_EQUAL, self.patience / 2)


def chosen(
    placed: Placed, member: str, targets: Collection[str], slow: Collection[str], lag: int
) -> Choice:
    """Those of ``targets`` that are in sync, else any that is, without those that were too ``slow``
    before. Every other replica that sentinels might choose is shunned. Raises ClusterError where
    nobody can take over, or somebody might who cannot be asked."""
    if placed.sight.master != member or placed.sight.mute:
        raise ClusterError("not all sentinels name it the master", where=member)
    found = placed.servers.get(member)
    if found is None or not found.pauses:
        why = unpausable(member, found).what if found else "it does not answer"
        raise ClusterError(why, where=member)
    others = [one for one in placed.sight.ids if one != member and _eligible(placed, one)]
    reasons = {one: _unfit(placed, one, lag, slow) for one in others}
    fit = [one for one, reason in reasons.items() if not reason]
    wanted = [one for one in fit if one in targets] or fit
    if not wanted:
        told = "; ".join(f"{one}: {reason}" for one, reason in reasons.items())
        raise ClusterError("no replica can take over", where=member, evidence=told)
    return Choice(
        old=member,
        wanted=wanted,
        shunned={one: placed.servers[one].priority for one in others if one not in wanted},
        patience=min(watch.patience for watch in placed.sight.watches.values()),
    )


def _unfit(placed: Placed, member: str, lag: int, slow: Collection[str]) -> str:
    """Why it cannot take over; "" where it can."""
    if member in slow:
        return "too slow"
    if placed.servers[member].priority >= SHUNNED:  # sentinels would take one that is not asked
        return "its priority was left changed"
    return placed.trouble(member, lag)


def _eligible(placed: Placed, member: str) -> bool:
    """Whether sentinels might choose it. Raises ClusterError where nobody can keep them from it: it
    is well for them, and does not answer us."""
    found = placed.servers.get(member)
    if found is not None:
        return found.priority % SHUNNED > 0
    seen = (watch.servers.get(member) for watch in placed.sight.watches.values())
    if any(one is not None and not one.unwell and one.priority for one in seen):
        what = f"sentinels might choose {member}, which does not answer us"
        raise ClusterError(what, where=placed.sight.master)
    return False
