"""What copies may not have said of themselves by the end of the joint phase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.drivers.handover.folder import Seen
from gapless.drivers.handover.view import Copy

_ENOUGH = 10
"""Events that the other copy has to have handled before it counts that this one saw none."""


def objection(before: Seen, after: Seen) -> str:
    """Why the copy that was let in should not stay, or "": it was started again, or is not ready,
    or its lock had no answers, or that of the other one, or no event reaches it though the other
    has them."""
    me = after.me
    assert me is not None and before.me is not None
    if _died(before.me, me, after):
        return f"{me.id} was started again: it died"
    if not me.ready:
        return f"{me.id} is not ready any more"
    for name, what in _FIGURES.items():
        if more := me.figure(name) - before.me.figure(name):
            return f"{me.id}: {more} {what}"
    if trouble := lock_trouble(after):
        return trouble
    won, lost = me.figure("claims_won"), me.figure("claims_lost")
    theirs = _won(after) - _won(before)
    if not won + lost and theirs >= _ENOUGH:
        return f"no event reached {me.id}, while the other handled {theirs}"
    return ""


def lock_trouble(seen: Seen) -> str:
    """What the copy that was active when the lock went on says of that since then, or ""."""
    other, base = seen.other, seen.written.lock_on or {}
    if other is None or base.get("id") != other.id:
        return ""
    for name, what in _FIGURES.items():
        now = other.figure(name)
        more = now - int(base.get(name) or 0)
        if more := more if more >= 0 else now:  # started again, it counts from 0
            return f"{other.id}: {more} {what}"
    return ""


def at_lock_on(seen: Seen, active: Copy) -> Mapping[str, Any]:
    """Where that count begins, also for whoever turns on what is on already."""
    known = seen.written.lock_on
    if known is not None and known.get("id") == active.id:
        return known
    return {"id": active.id, **{name: active.figure(name) for name in _FIGURES}}


def _died(before: Copy, now: Copy, seen: Seen) -> bool:
    """Since the handover began. One that goes on is another matter: its supervisor may have started
    it again long before."""
    if now.told.get("pid") != before.told.get("pid"):
        return True
    return bool(now.told.get("restarted")) and now.epoch == seen.written.latest


_FIGURES = {
    "lock_errors": "claims had no answer of the event lock",
    "failed_open": "events were handled without the lock",
    "failed_closed": "events were dropped for want of the lock",
}


def _won(seen: Seen) -> int:
    return seen.other.figure("claims_won") if seen.other is not None else 0
