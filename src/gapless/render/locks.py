"""Whose lock is broken, before and after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gapless.render.layout import following, screen
from gapless.render.rows import HostLockRow, LockRow
from gapless.render.words import ago, clean, hosts

_HERE = {True: "its controller is at work", False: "its controller is gone"}
_THERE = {True: "its controller is connected to them", False: "its controller is not connected"}


def render_owners(
    service: str, held: LockRow | None, on_hosts: Sequence[HostLockRow], now: float
) -> str:
    """Who owns a service that is about to be taken away."""
    return screen(_owners(held, on_hosts, now) or [f"Nobody is known to own {service}."])


def render_broken(
    service: str,
    held: LockRow | None,
    on_hosts: Sequence[HostLockRow],
    unreachable: Sequence[str],
    now: float,
) -> str:
    """Whose lock was broken, and who still obeys it."""
    owners = _owners(held, on_hosts, now)
    lines = [f"The lock of {service} is broken.", *owners]
    if not owners:
        where = "the hosts that answered" if unreachable else "its hosts"
        lines = [
            f"Nobody owned {service}, neither here nor on {where}; they were told all the same."
        ]
    if unreachable:
        names = ",".join(unreachable)
        lines.append(f"Not reached, and so still obeying the lock they know: {names}")
        lines += following(f"gapless doctor --hosts {names}, then the same command again")
    return screen(lines)


def _owners(held: LockRow | None, on_hosts: Iterable[HostLockRow], now: float) -> list[str]:
    lines = [f"{_owner(held, now)}; {_HERE[held.live]}"] if held is not None else []
    strange = (row for row in on_hosts if held is None or row.rollout != held.rollout)
    lines += (
        f"{_owner(row, now)}; known to {hosts(row.hosts)}: {_THERE[row.live]}" for row in strange
    )
    return [clean(line) for line in lines]


def _owner(row: LockRow | HostLockRow, now: float) -> str:
    why = f", reason: {row.reason}" if row.reason else ""
    where = f"{row.owner} on {row.controller}, pid {row.pid}"
    return f"Rollout {row.rollout} of {where}, since {ago(row.since, now)}{why}"
