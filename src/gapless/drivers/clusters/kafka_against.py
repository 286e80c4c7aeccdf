"""What speaks against stopping some brokers of Kafka though nothing is wrong: how they and their
topics are set up, what is under way, and what we may not see or do. No side effects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from gapless.clusters.finding import Finding
from gapless.drivers.clusters.kafka_client import ALLOW
from gapless.drivers.clusters.kafka_round import Round
from gapless.drivers.clusters.kafka_view import topic_of
from gapless.drivers.clusters.kafka_words import METADATA, called, counted, some


def against(of: Round, members: Collection[str]) -> tuple[Finding, ...]:
    """What speaks against stopping these."""
    held = [one for one in of.partitions if not set(members).isdisjoint(of.replicas(one))]
    return (
        *_moving(of, held),
        *_unclean(of, held),
        *_abrupt(of, members),
        *_blind(of),
        *_powerless(of),
    )


def _moving(of: Round, held: Iterable[str]) -> Iterator[Finding]:
    moves = {one for view in of.views.values() for one in view.moves}
    touched = [one for one in held if one in moves]
    if touched:
        yield Finding(
            "reassignment",
            METADATA,
            f"replicas are being moved: {some(touched)}",
            f"ListPartitionReassignments → {counted(len(moves), 'partition')}",
            "wait until it is over: kafka-reassign-partitions.sh --list",
        )


def _unclean(of: Round, held: Iterable[str]) -> Iterator[Finding]:
    unclean = {topic for view in of.views.values() for topic in view.unclean}
    touched = {topic_of(one) for one in held} & unclean
    if touched:
        yield Finding(
            "unclean-election",
            METADATA,
            f"a replica that is behind may come to lead, and what it lacks is lost: "
            f"{some(touched)}",
            "DescribeConfigs → unclean.leader.election.enable true",
            "set unclean.leader.election.enable=false for these topics",
        )


def _abrupt(of: Round, members: Iterable[str]) -> Iterator[Finding]:
    for name in members:
        view = of.views.get(name)
        if view is not None and view.settings.get("controlled.shutdown.enable") == "false":
            yield Finding(
                "no-controlled-shutdown",
                called(name),
                "does not hand over what it leads when it stops",
                "DescribeConfigs → controlled.shutdown.enable false",
                "set controlled.shutdown.enable=true; it takes effect with its next start",
            )


def _blind(of: Round) -> Iterator[Finding]:
    hidden = {topic for view in of.views.values() for topic in view.hidden}
    if hidden:
        yield Finding(
            "hidden-topics",
            METADATA,
            f"brokers hold what they do not tell of: {some(hidden)}",
            "DescribeLogDirs and Metadata or DescribeConfigs differ",
            f"{ALLOW}; what a topic needs is not known else",
        )


def _powerless(of: Round) -> Iterator[Finding]:
    if not of.may_elect:
        yield Finding(
            "not-allowed",
            METADATA,
            "this user may not have leaders elected: what a broker led would not come back to it",
            "DescribeCluster → authorized operations without Alter",
            ALLOW,
        )
