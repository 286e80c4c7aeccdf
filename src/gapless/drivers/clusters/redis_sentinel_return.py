"""Whether a server that was restarted is back behind its master. No side effects."""

from __future__ import annotations

from gapless.clusters.topology import Topology
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.base import Rejoined
from gapless.drivers.clusters.redis_sentinel_sight import Placed, topology
from gapless.drivers.clusters.redis_view import Server


def rejoined(
    placed: Placed, member: str, before: Topology, config: RedisSentinelConfig
) -> Rejoined:
    """Another process than ``before``, in sync, and every sentinel finds it well. The lag is in
    bytes: of the first copy while there is one, else of the stream."""
    found = placed.servers.get(member)
    if found is None:
        silent = placed.sight.silent.get(placed.hosts.get(member, ""))
        return Rejoined(False, silent.what if silent else "no sentinel has found it yet")
    known, lag = before.members.get(member), _lag(placed, found)
    if known is not None and known.began == found.life:
        return Rejoined(False, f"it is still the process {found.life[:8]}", lag)
    why = _missing(topology(placed, config), config.master, member, before)
    return Rejoined(done=not why, why=why, lag=lag)


def _missing(now: Topology, master: str, member: str, before: Topology) -> str:
    group, was = now.groups[master], before.groups.get(master)
    gone = set(was.members) - set(group.members) if was else set()
    if now.members[member].trouble:
        return now.members[member].trouble
    if not group.leader:
        return "the sentinels name different masters"
    if gone:
        return f"sentinels do not know {', '.join(sorted(gone))} any more"
    found = next((one for one in now.findings if one.where == member), None)
    return found.what if found else ""


def _lag(placed: Placed, found: Server) -> int | None:
    if found.replication.left is not None or placed.master is None:
        return found.replication.left
    if found.replication.master:
        return 0
    return found.replication.behind(placed.master.replication)
