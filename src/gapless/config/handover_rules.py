"""What a service that hands over needs, and what it cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig


def check_handover(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """Two copies, nothing in front of them, and the strategy that is made for it."""
    place = (*path, "rollout", "strategy")
    if service.handover is None:
        if service.strategy == "handover":
            text = "handover: nothing says how the copies speak to each other"
            yield Finding(place, text, "write handover: {} for a program that speaks handover/1")
        return
    if service.strategy != "handover":
        text = f"{service.strategy}: two copies of a program that hands over need its lock"
        yield Finding(place, text, "leave strategy out, or handover")
    if service.balancer:
        text = "handover: a balancer sends traffic to it, which can wait there"
        yield Finding((*path, "handover"), text, "write strategy: start-first, or no balancer")
