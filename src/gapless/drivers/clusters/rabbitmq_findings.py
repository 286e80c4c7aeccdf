"""What is not as it has to be in a cluster of RabbitMQ, each with its evidence and its remedy. No
side effects.

1. Of the whole cluster: alarms, which block every publisher; nodes that do not see each other, are
   down, or in maintenance; versions too far apart; members that disagree about a queue.
2. Of nodes that are to be stopped: what they alone have. A classic queue with one copy goes away
   with its node. One that is not durable comes back empty, or not at all: with messages in it no
   reason is good enough for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gapless.clusters.finding import Finding
from gapless.drivers.clusters.rabbitmq_round import Round
from gapless.drivers.clusters.rabbitmq_view import Queue

_CLUSTER = "the cluster"
_STATUS = "rabbitmq-diagnostics cluster_status"
_BRIDGE = (3, 13)
"""The last before 4, with which 4 runs in one cluster."""


def findings(of: Round) -> tuple[Finding, ...]:
    """All there are, those of the whole cluster first."""
    return (
        *_asked_twice(of),
        *_alarms(of),
        *_known(of),
        *_partitions(of),
        *_versions(of),
        *_in_trouble(of),
        *_idle_hosts(of),
        *_leaders(of),
    )


def alone(of: Round, members: Sequence[str], messages: Mapping[str, int]) -> Iterator[Finding]:
    """What nobody but these has. ``messages``: by queue how many, where that is known."""
    for member in members:
        node = of.nodes.get(member)
        if node is None:
            continue
        for endangered in node.critical:
            yield Finding(
                "quorum-critical",
                endangered,
                f"has no member to spare: without {member} it would stand still",
                "GET /api/health/checks/node-is-quorum-critical → failed",
                "start the nodes that are down; rabbitmq-queues grow NODE all, rabbitmq-queues "
                "quorum_status NAME",
            )
        for name, queue in node.queues.items():
            if queue.leader == member and not queue.replicated and not queue.online - {*members}:
                yield _lone(name, queue, member, messages.get(name))


def _asked_twice(of: Round) -> Iterator[Finding]:
    for name in of.nodes:
        hosts = [host for host, node in of.everyone if node.name == name]
        if len(hosts) > 1:
            yield Finding(
                "member-asked-twice",
                name,
                f"answers on {len(hosts)} hosts: {', '.join(hosts)}",
                "GET /api/overview → node",
                "compare 'url' of the cluster in gapless.yaml with management.tcp of the nodes",
                absolute=True,
            )


def _alarms(of: Round) -> Iterator[Finding]:
    for name, resource in sorted({one for node in of.nodes.values() for one in node.alarms}):
        yield Finding(
            "alarm",
            name or _CLUSTER,
            f"an alarm is raised: {resource}; publishers are blocked",
            "GET /api/health/checks/alarms → failed",
            "free memory or disk there, or have consumers catch up; rabbitmq-diagnostics alarms",
        )


def _known(of: Round) -> Iterator[Finding]:
    """Members that do not count the same nodes."""
    for name, node in of.nodes.items():
        missing = [one for one in of.names if one not in node.peers]
        if missing:
            yield Finding(
                "cluster-disagreement",
                name,
                f"does not know {', '.join(missing)}, which others count to the cluster",
                f"GET /api/nodes → {', '.join(node.peers)}",
                f"{_STATUS} on both; join it, or rabbitmqctl forget_cluster_node",
            )


def _partitions(of: Round) -> Iterator[Finding]:
    for name, node in of.nodes.items():
        unseen = [one for one in of.nodes if one in node.peers and one not in node.sees]
        parted = sorted({*unseen, *node.own.partitions})
        if parted:
            yield Finding(
                "partition",
                name,
                f"is parted from {', '.join(parted)}",
                f"GET /api/nodes on {of.places.get(name, name)} → running {sorted(node.sees)}, "
                f"partitions {list(node.own.partitions)}",
                f"{_STATUS}; mend the network, then restart the nodes of the smaller part",
            )


def _versions(of: Round) -> Iterator[Finding]:
    minors = sorted({node.minor for node in of.nodes.values()} - {(0, 0)})
    if not minors:
        return
    (major, minor), (last_major, last_minor) = minors[0], minors[-1]
    one_step = major == last_major and last_minor - minor <= 1
    if not one_step and not (minors[0] == _BRIDGE and last_major == 4):
        yield Finding(
            "version-skew",
            _CLUSTER,
            f"its nodes run {major}.{minor} to {last_major}.{last_minor}: more than one step",
            "\n".join(f"{node.name}: {node.version}" for node in of.nodes.values()),
            "bring all nodes to one minor version before the next",
        )


def _in_trouble(of: Round) -> Iterator[Finding]:
    for name in of.names:
        trouble = of.trouble(name)
        sight = of.sight(name)
        if not trouble:
            continue
        if sight is None:
            yield Finding(
                "unknown-member",
                name,
                f"is a node of the cluster, and {trouble}",
                f"hosts asked: {', '.join(one.host for one in of.sights)}",
                f"give its host in gapless.yaml, or rabbitmqctl forget_cluster_node {name}",
            )
        elif of.drained(name) or (name not in of.nodes and of.runs(name)):
            yield Finding(
                "in-maintenance" if of.drained(name) else "takes-no-connections",
                name,
                trouble,
                sight.evidence or "GET /api/nodes → being_drained",
                f"rabbitmq-upgrade revive --node {name} where it is in maintenance; {_STATUS}",
                member=name,
            )
        elif name not in of.nodes:
            yield Finding("node-down", name, trouble, sight.evidence, sight.next, member=name)


def _idle_hosts(of: Round) -> Iterator[Finding]:
    for sight in of.sights:
        if sight.node is None and sight.host not in of.places.values():
            yield Finding(
                "host-without-member",
                sight.host,
                f"no node is known to run there: {sight.why}",
                sight.evidence,
                sight.next,
            )


def _leaders(of: Round) -> Iterator[Finding]:
    for group, views in of.views.items():
        told = {name: queue.leader or "nobody" for name, queue in views.items()}
        if len(set(told.values())) > 1:
            yield Finding(
                "leader-disagreement",
                group,
                f"nodes name {len(set(told.values()))} leaders: "
                f"{', '.join(sorted(set(told.values())))}",
                ", ".join(f"{name} names {leader}" for name, leader in told.items()),
                f"rabbitmq-queues quorum_status {group.partition(' > ')[2]}",
            )


def _lone(name: str, queue: Queue, member: str, messages: int | None) -> Finding:
    if not queue.durable:
        held = "nobody can tell how many" if messages is None else f"{messages:,}"
        return Finding(
            "transient-queue",
            name,
            f"is on {member} alone, and not durable: {held} messages would be gone",
            "GET /api/queues → durable false, type classic",
            "have its consumers empty it, and declare a quorum queue in its place",
            absolute=messages != 0,
        )
    if len(queue.members) > 1:
        return Finding(
            "mirrors-not-synchronised",
            name,
            f"is led by {member}, and no other mirror has all of it",
            f"GET /api/queues → slave_nodes {sorted(queue.members - {member})}, "
            "synchronised_slave_nodes []",
            f"rabbitmqctl sync_queue {name.partition(' > ')[2]}, or a quorum queue in its place",
        )
    return Finding(
        "single-copy",
        name,
        f"its only copy is on {member}: nobody serves it while that is down",
        "GET /api/queues → type classic, without mirrors",
        "declare a quorum queue in its place; --force with a reason restarts it with an outage",
    )
