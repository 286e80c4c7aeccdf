"""An instance that a node does not know: a typo must not look like a drained one, and what comes
and goes must not look like a typo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import Sight
from gapless.errors import TrafficError

ADDED = "not there: it is added when it is admitted"


def absent(
    host: NodeHost,
    name: str,
    *,
    raw: str = ADDED,
    state: MemberState = MemberState.MISSING,
    life: str = "",
    others: int | None = None,
) -> Sight:
    """An instance where members come and go: it gets nothing, and is added before it gets
    anything."""
    member = Member(host.label, name, state, 0, checked=False, raw=raw)
    return Sight(member, out=True, idle=True, shut=True, accepted=False, life=life, others=others)


def unknown(host: NodeHost, name: str, known: Iterable[str], *, place: str, kind: str) -> Sight:
    """It is missing in ``place``, where these are known; ``kind`` is what members are called."""
    near = difflib.get_close_matches(name, known, 1)
    names = ", ".join(known) or "none"
    hint = f"did you mean {near[0]!r}? " if near else ""
    trouble = TrafficError(
        f"{place} on {host.label} has no {kind} {name!r}",
        where=host.balancer,
        evidence=f"{kind}s there: {names}",
        next=f"{hint}set 'server' of the balancer in gapless.yaml".strip(),
    )
    member = Member(host.label, name, MemberState.MISSING, checked=False, raw=f"not in {names}")
    return Sight(member, out=False, idle=True, shut=False, accepted=False, trouble=trouble)
