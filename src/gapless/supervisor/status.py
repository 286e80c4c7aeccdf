"""What runs now, for whoever asks."""

from __future__ import annotations

import os

from gapless.supervisor.copy import Copy
from gapless.supervisor.flipping import Flipping
from gapless.supervisor.loop import Loop
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Proxy, Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NOBODY = Copy(Loop(), "", 0, "a", Spec("", ()))


def status(site: Site, flipping: Flipping, since: float) -> dict[str, Any]:
    """``since``: when the supervisor was started, in seconds since the epoch."""
    spec, copies = site.spec, flipping.copies
    active, trial = copies.active, copies.on_the_way
    return {
        "name": spec.name,
        "pid": os.getpid(),
        "state": _state(flipping, trial),
        "command": list((active or trial or _NOBODY).spec.command),
        "source": spec.source,
        "since": round(since, 3),
        "active": _described(site, active),
        "new": _described(site, trial),
        "draining": [_described(site, ending.copy) for ending in copies.endings],
        "flips": flipping.flips,
        "failed": flipping.failed,
        "queued": bool(flipping.requests),
        "waits_for": flipping.waits_for,
        "listen": [{"name": one.name, "address": one.address} for one in spec.listen],
        "proxy": [{"listen": one.listen, "to": one.to} for one in _proxies(spec, active)],
        "rollback_to": site.last_good.of if site.last_good.spec else None,
        "late": copies.endings.late,
        "last": flipping.callers.last,
        "warnings": list(spec.warnings),
    }


def _state(flipping: Flipping, trial: Copy | None) -> str:
    if flipping.stopping:
        return "stopping"
    if trial is not None:
        return trial.state
    if flipping.copies.failing is not None:
        return "failing"
    if flipping.busy:
        return "starting"
    return "waiting" if flipping.waits_for else "idle"


def _proxies(spec: Spec, active: Copy | None) -> tuple[Proxy, ...]:
    """With where they lead now."""
    return active.spec.proxy if active else spec.proxy


def _described(site: Site, copy: Copy | None) -> dict[str, Any] | None:
    if copy is None:
        return None
    return {**copy.describe(), "connections": site.addresses.connections(copy)}
