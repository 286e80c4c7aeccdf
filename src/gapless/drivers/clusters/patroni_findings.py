"""What is not as it has to be in a cluster of Patroni, each with its evidence and its remedy. No
side effects.

Two of them are absolute, for with them nobody knows which process a restart would end: one member
that was asked on two hosts, and hosts of two clusters. A restart that is pending is none: to
restart is the point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gapless.clusters.finding import Finding
from gapless.drivers.clusters.patroni_round import Round, Trouble
from gapless.drivers.clusters.patroni_sight import Sight

_LIST = "patronictl list"
_URL = "compare 'url' and 'names' of the cluster in gapless.yaml with patronictl list"
_WHOLE = ("second-primary",)
"""Troubles of one member that no restart of it mends."""


def findings(of: Round) -> tuple[Finding, ...]:
    """All there are, those of the whole cluster first."""
    return (
        *_other_clusters(of),
        *_asked_twice(of),
        *_lists(of),
        *_leaders(of),
        *_paused(of),
        *_plans(of),
        *_past(of),
        *_in_trouble(of),
        *_stores(of),
        *_strangers(of),
        *_partial(of),
    )


def _other_clusters(of: Round) -> Iterator[Finding]:
    head = of.head
    for sight in of.sights:
        if sight.status is None:
            continue
        scope, system = sight.status.scope, sight.status.system
        other = scope if scope != of.scope else ""
        if not other and head is not None and system and head.system and system != head.system:
            other = f"another {scope}: the identity of its data is {system}, not {head.system}"
        if other:
            yield Finding(
                "another-cluster",
                sight.host,
                f"its member is of {other}, and not of {of.scope}"
                if other == scope
                else f"its member is of {other}",
                _statuses(of.sights),
                _URL,
                absolute=True,
            )


def _asked_twice(of: Round) -> Iterator[Finding]:
    for member in of.listed:
        hosts = [sight.host for sight in of.sights if of.places.get(sight.host) == member]
        if len(hosts) > 1:
            what = f"is on {len(hosts)} hosts: {', '.join(hosts)}"
            evidence = _statuses(of.sights)
            yield Finding("member-asked-twice", member, what, evidence, _URL, absolute=True)


def _lists(of: Round) -> Iterator[Finding]:
    told = {tuple(sorted(s.view.members)) for s in of.views if s.view is not None}
    if len(told) > 1:
        what = f"its members tell {len(told)} different lists of members"
        yield Finding("list-disagreement", of.scope, what, _views(of), _LIST)


def _leaders(of: Round) -> Iterator[Finding]:
    named = {sight.view.leaders for sight in of.views if sight.view is not None}
    if len(named) > 1 or any(len(leaders) > 1 for leaders in named):
        what = "its members do not agree on one leader"
        yield Finding("leader-disagreement", of.scope, what, _views(of), _LIST)
        return
    blind = [name for name, s in of.answers.items() if s.status is not None and s.status.unlocked]
    if of.leader and blind:
        what = f"{', '.join(blind)}: knows of no leader, the others name {of.leader}"
        yield Finding("leader-disagreement", of.scope, what, _views(of), _LIST)


def _paused(of: Round) -> Iterator[Finding]:
    if of.paused:
        yield Finding(
            "paused",
            of.scope,
            "is in maintenance mode: Patroni would neither stop PostgreSQL nor fail over",
            _views(of),
            f"patronictl resume {of.scope}",
        )


def _plans(of: Round) -> Iterator[Finding]:
    """What somebody ordered for later; it could come in between."""
    switch = {s.view.switchover for s in of.views if s.view is not None and s.view.switchover}
    for at in sorted(switch):
        what = f"a switchover is scheduled at {at}"
        remedy = f"patronictl flush {of.scope} switchover"
        yield Finding("scheduled-switchover", of.scope, what, _views(of), remedy)
    for member, listed in of.listed.items():
        status = of.status(member)
        planned = {one.restart for one in listed} | {status.restart if status is not None else ""}
        for at in sorted(planned - {""}):
            what = f"its restart is scheduled at {at}"
            remedy = f"patronictl flush {of.scope} {member} restart"
            yield Finding("scheduled-restart", member, what, _views(of), remedy)


def _past(of: Round) -> Iterator[Finding]:
    """Whoever has just been promoted writes it down a moment later. A leader of standbys does
    not."""
    sight, head = of.answers.get(of.leader), of.head
    if sight is None or head is None or head.timeline is None or head.role == "standby_leader":
        return
    if sight.past is not None and sight.past != head.timeline - 1:
        yield Finding(
            "history-changing",
            of.leader,
            f"leads on timeline {head.timeline}, and the history has none after {sight.past}",
            f"GET /history on {sight.host} ends with timeline {sight.past}",
            "wait; see patronictl history, and why leaders change",
        )


def _in_trouble(of: Round) -> Iterator[Finding]:
    for member in of.listed:
        trouble = of.trouble(member)
        if trouble is None:
            continue
        if not of.host(member) and trouble.code == "silent-member":
            yield _unknown(of, member)
        else:
            yield _of_member(of, member, trouble)


def _unknown(of: Round, member: str) -> Finding:
    return Finding(
        "unknown-member",
        member,
        f"none of the {len(of.sights)} hosts is known to run it",
        _views(of),
        "give its host in gapless.yaml, or name it under 'names' of the cluster",
    )


def _of_member(of: Round, member: str, trouble: Trouble) -> Finding:
    sights = [sight for sight in of.sights if of.places.get(sight.host) == member]
    evidence = "\n".join(filter(None, (_statuses(sights), *(s.evidence for s in sights))))
    alone = "" if trouble.code in _WHOLE else member
    return Finding(trouble.code, member, trouble.what, evidence, trouble.next, member=alone)


def _stores(of: Round) -> Iterator[Finding]:
    """Who has lost the store (DCS) gives up the lead when the lock ends, or has done so."""
    for member, sight in of.answers.items():
        status = sight.status
        assert status is not None
        if status.failsafe:
            what = "the store cannot be reached: it goes on in failsafe mode"
        elif status.age is None:
            what = "does not tell when it reached the store last"
        elif status.age > of.settings.ttl:
            what = f"reached the store {status.age:.0f} s ago, and its lock holds for "
            what += f"{of.settings.ttl:.0f} s"
        else:
            continue
        yield Finding(
            "store-lost",
            member,
            what,
            _statuses([sight]),
            f"see that etcd (or what stands for it) answers from {sight.host}",
            member=member,
        )


def _strangers(of: Round) -> Iterator[Finding]:
    for sight in of.sights:
        member = of.places.get(sight.host, "")
        if not member:
            what = f"no member is known to run there{f': {sight.why}' if sight.why else ''}"
            evidence = sight.evidence or _statuses([sight])
            yield Finding("host-without-member", sight.host, what, evidence, sight.next or _URL)
        elif member not in of.listed:
            what = f"runs on {sight.host}, and is on none of {len(of.views)} lists"
            yield Finding("unlisted-member", member, what, _statuses([sight]), _URL)


def _partial(of: Round) -> Iterator[Finding]:
    for member, sight in of.answers.items():
        if sight.why:
            what = f"does not tell all: {sight.why}"
            yield Finding("partial-answer", member, what, sight.evidence, sight.next, member=member)
        elif sight.status is not None and not sight.status.began and _runs(of, member):
            what = "does not tell when its PostgreSQL began, so a restart could not be told"
            hint = f"curl {sight.url}/patroni"
            yield Finding("no-start-time", member, what, _statuses([sight]), hint)


def _runs(of: Round, member: str) -> bool:
    trouble = of.trouble(member)
    return trouble is None or trouble.code != "not-running"


def _views(of: Round) -> str:
    """What the store has, as each member reads it, a line each."""
    return "\n".join(
        f"{sight.host}: "
        + ", ".join(
            f"{one.name} {one.role} {one.state} on timeline {one.timeline}"
            for one in sight.view.members.values()
        )
        + (", paused" if sight.view.paused else "")
        for sight in of.views
        if sight.view is not None
    )


def _statuses(sights: Iterable[Sight]) -> str:
    """What members said of themselves, a line each."""
    return "\n".join(
        f"{sight.host}: {one.scope} {one.system}, {one.role} {one.state}, timeline {one.timeline}, "
        f"at {one.location}, {one.version}"
        for sight in sights
        if (one := sight.status) is not None
    )
