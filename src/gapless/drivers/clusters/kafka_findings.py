"""What is not as it has to be in a Kafka cluster, each with its evidence and its remedy. No side
effects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gapless.clusters.finding import Finding
from gapless.drivers.clusters.kafka_round import QUORUM, Round
from gapless.drivers.clusters.kafka_view import View
from gapless.drivers.clusters.kafka_words import METADATA, called, some

_SHOWN = 5


def findings(of: Round) -> tuple[Finding, ...]:
    """All that is wrong now, that of the whole cluster first."""
    return (
        *_asked_twice(of),
        *_clusters(of),
        *_disagreement(of),
        *_controller(of),
        *_silent(of),
        *_unregistered(of),
        *_idle_hosts(of),
        *_lost_disks(of),
    )


def _asked_twice(of: Round) -> Iterator[Finding]:
    for name in of.views:
        hosts = [host for host, view in of.everyone if view.id == name]
        if len(hosts) > 1:
            yield Finding(
                "member-asked-twice",
                called(name),
                f"answers on {len(hosts)} hosts: {', '.join(hosts)}",
                _told(of, lambda view: f"broker {view.id}"),
                "compare 'address' of the cluster in gapless.yaml with each broker's listeners",
                absolute=True,
            )


def _clusters(of: Round) -> Iterator[Finding]:
    if len({view.cluster for _, view in of.everyone}) > 1:
        yield Finding(
            "another-cluster",
            METADATA,
            "the hosts run brokers of more than one cluster",
            _told(of, lambda view: f"broker {view.id} of cluster {view.cluster}"),
            "compare 'address' of the cluster in gapless.yaml with the addresses of its brokers",
            absolute=True,
        )


def _disagreement(of: Round) -> Iterator[Finding]:
    """In one finding: a broker that is late is late with many partitions."""
    differing = [name for name in of.partitions if _differs(of, name)]
    registered = {frozenset(view.brokers) for view in of.views.values()}
    if not differing and len(registered) <= 1:
        return
    what = f"brokers do not say the same of {some(differing)}" if differing else (
        "brokers do not name the same registered ones"
    )  # fmt: skip
    yield Finding(
        "metadata-disagreement",
        METADATA,
        what,
        "\n".join(_differing(of, differing[:_SHOWN])),
        "wait until all have what the controller says; see the log of the one that is late",
        member=_odd_one(of, differing),
    )


def _controller(of: Round) -> Iterator[Finding]:
    if of.views and of.quorum is None:
        yield Finding(
            "controller-unknown",
            QUORUM,
            "no broker can ask the controller",
            _told(of, lambda view: f"DescribeQuorum → {view.why or 'no answer'}"),
            "see that a majority of the controllers runs, and their logs",
        )


def _silent(of: Round) -> Iterator[Finding]:
    for name in of.names:
        if name in of.views:
            continue
        sight = of.sight_of(name)
        if sight is None:
            yield Finding(
                "unknown-member",
                called(name),
                f"is a broker or a replica of the cluster, and {of.trouble(name)}",
                f"hosts asked: {', '.join(one.host for one in of.sights)}",
                "give its host in gapless.yaml, or take it out of the cluster",
            )
        else:
            what = of.trouble(name)
            yield Finding(sight.code, called(name), what, sight.evidence, sight.next, member=name)


def _unregistered(of: Round) -> Iterator[Finding]:
    for name in of.views:
        if trouble := of.trouble(name):
            yield Finding(
                "not-registered",
                called(name),
                trouble,
                _told(of, lambda view: f"registered: {', '.join(sorted(view.brokers))}"),
                "wait until the controller lets it serve; its log says why it does not",
                member=name,
            )


def _idle_hosts(of: Round) -> Iterator[Finding]:
    for sight in of.sights:
        if sight.view is None and sight.host not in of.places.values():
            shut = sight.code != "silent-member"
            yield Finding(
                sight.code if shut else "host-without-member",
                sight.host,
                f"no broker is known to run there: {sight.why}",
                sight.evidence,
                sight.next,
            )


def _lost_disks(of: Round) -> Iterator[Finding]:
    for name, view in of.views.items():
        if view.lost:
            yield Finding(
                "log-dir-offline",
                called(name),
                f"cannot use {', '.join(view.lost)}",
                "DescribeLogDirs → KAFKA_STORAGE_ERROR",
                "mend its disk; what lay there is fetched again when it starts",
                member=name,
            )


def _differs(of: Round, partition: str) -> bool:
    told = of.partitions[partition]
    return len(told) < len(of.views) or len(set(told.values())) > 1


def _differing(of: Round, partitions: Iterable[str]) -> Iterator[str]:
    for name in partitions:
        for broker in of.views:
            yield f"{name} as {called(broker)} knows it: {of.partitions[name].get(broker, 'not')}"
    for broker, view in of.views.items():
        yield f"{called(broker)} names {', '.join(sorted(view.brokers))}"


def _odd_one(of: Round, differing: Iterable[str]) -> str:
    """Who alone says otherwise than all others, who agree; "" where nobody does. It takes three."""
    names = list(of.views)
    for one in names if len(names) > 2 else ():
        others = [of.views[name] for name in names if name != one]
        if _alike(others, differing):
            return one
    return ""


def _alike(views: Iterable[View], partitions: Iterable[str]) -> bool:
    told = [
        (frozenset(view.brokers), *(view.partitions.get(one) for one in partitions))
        for view in views
    ]
    return len(set(told)) == 1


def _told(of: Round, say: Callable[[View], str]) -> str:
    """What each broker says, a line each."""
    return "\n".join(f"{host}: {say(view)}" for host, view in of.everyone)
