"""What a copy says about itself."""

from __future__ import annotations

import os

from gapless.handover.copy import Copy
from gapless.handover.environment import PROTOCOL


def status_of(copy: Copy) -> dict[str, object]:
    """As the protocol has it."""
    copy.consult()
    return {
        "protocol": PROTOCOL,
        "id": copy.environment.id,
        "epoch": copy.environment.epoch,
        "pid": os.getpid(),
        "state": copy.machine.state.value,
        "lock": copy.lock_on and copy.store is not None,
        "lock_when": copy.environment.lock_when,
        "ready": copy.ready,
        "stale": copy.stale,
        "took_over": copy.took_over,
        "restarted": copy.seat is not None and copy.seat.restarted,
        "units_ready": copy.units.ready,
        "units_total": len(copy.units),
        "units": copy.units.status(),
        "inflight": len(copy.in_work),
        "followups": copy.followups,
        "buffered": copy.buffered,
        "buffer_dropped": copy.buffer_dropped,
        **copy.counts.status(),
        "problems": list(copy.problems.values()),
    }


def words_of(copy: Copy) -> str:
    """For people who look at the service manager."""
    lock = "on" if copy.lock_on else "off"
    return f"handover {copy.machine.state.value} epoch={copy.environment.epoch} lock={lock}"
