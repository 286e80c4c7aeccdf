"""What has to be there before traffic can be moved to a new copy in shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from gapless.config.balancers import BalancerConfig, kinds
from gapless.config.quantities import format_share
from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig

BY_COUNTS = "or leave shift out: whole instances go first then, as many as canary says"


def check_shift(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """What a service says of shares and cannot mean."""
    rollout = service.rollout
    if service.strategy != "canary":
        if rollout.shift:
            text = "shift: only canary gives a new copy the traffic in shares"
            yield Finding((*path, "rollout", "shift"), text, "write strategy: canary")
        return
    if "canary" in rollout.model_fields_set and rollout.canary == 0:
        text = "canary: 0: nobody would go first"
        yield Finding((*path, "rollout", "canary"), text, "leave it out, or write 1 or more")
    if rollout.shift and not service.balancer:
        text = "shift: there is no traffic to give shares of"
        yield Finding((*path, "rollout", "shift"), text, f"name a balancer, {BY_COUNTS}")
    yield from _rising(path, service)


def _rising(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    shares = [one.share for one in service.rollout.shift]
    for number, share in enumerate(shares):
        if share >= 1:
            text = "shift: 100% is what comes after the last share anyway"
            yield Finding((*path, "rollout", "shift", number), text, "leave it out")
    for number, (before, share) in enumerate(pairwise(shares), 1):
        if share <= before:
            text = f"shift: {format_share(share)} is not more than {format_share(before)} before it"
            yield Finding((*path, "rollout", "shift", number), text, "shares rise")


def check_shifting(
    services: Mapping[str, ServiceConfig], balancers: Mapping[str, BalancerConfig]
) -> Iterator[Finding]:
    """Balancers that have no weights to move shares with."""
    able = ", ".join(key for key, kind in kinds().items() if kind.shifts)
    for name, service in services.items():
        named = service.balancer if service.rollout.shift else ()
        for balancer in named:
            config = balancers.get(balancer)
            if config is None or config.driver.shifts:
                continue
            text = f"shift: {config.kind} ({balancer}) has no weights to give shares with"
            hint = f"use {able}, {BY_COUNTS}"
            yield Finding(("services", name, "rollout", "shift"), text, hint)
