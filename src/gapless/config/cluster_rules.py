"""What a service that is a cluster needs, and what it cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig
from gapless.config.slots import differs

FOLLOWERS_FIRST = "followers-first"
_OWN_ORDER = {"canary": 0, "groups": (), "spread": "none"}
"""What leaves the order to the cluster."""


def check_cluster(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """In the order that the cluster itself gives, and never back as a whole."""
    rollout, place = service.rollout, (*path, "rollout")
    if service.cluster is None:
        if service.strategy == FOLLOWERS_FIRST:
            text = f"{FOLLOWERS_FIRST}: nothing says which cluster its instances are members of"
            yield Finding((*place, "strategy"), text, "write cluster: {etcd: {}}, or leave it out")
        return
    if service.strategy != FOLLOWERS_FIRST:
        text = f"{service.strategy}: members of a cluster are restarted {FOLLOWERS_FIRST}"
        yield Finding((*place, "strategy"), text, f"leave strategy out, or {FOLLOWERS_FIRST}")
    if service.process is not None and not differs(service.process.name or ""):
        text = "process: a flip would start a second member beside the first, on the same data"
        yield Finding(
            (*path, "process"), text, "name: NAME-{slot}: one ends before the next starts"
        )
    for key, none in _OWN_ORDER.items():
        if getattr(rollout, key) != none:
            text = f"{key}: the cluster itself says which member goes next"
            yield Finding((*place, key), text, f"leave {key} out")
    if service.on_failure == "rollback":
        text = "on_failure: rollback would stop member after member of a cluster that is not well"
        yield Finding((*place, "on_failure"), text, "write stop or pause")
