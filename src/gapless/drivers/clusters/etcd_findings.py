"""What is not as it has to be in a cluster of etcd, each with its evidence and its remedy. No side
effects.

Two of them are absolute, for with them nobody knows which process a restart would end: one member
that was asked on two hosts, and hosts of two clusters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gapless.clusters.finding import Finding
from gapless.drivers.clusters.etcd_round import GROUP, Answer, Round
from gapless.drivers.clusters.etcd_view import Listed

_STATUS = "etcdctl endpoint status --cluster -w table"
_LIST = "etcdctl member list -w table"
_URL = "compare 'url' of the cluster in gapless.yaml with the addresses of etcd"
_LOGIN = "set 'login' of the cluster in gapless.yaml"


def findings(of: Round) -> tuple[Finding, ...]:
    """All there are, those of the whole cluster first."""
    return (
        *_other_clusters(of),
        *_asked_twice(of),
        *_lists(of),
        *_leaders(of),
        *_terms(of),
        *_versions(of),
        *_alarms(of),
        *_learners(of),
        *_silent_members(of),
        *_idle_hosts(of),
        *_strangers(of),
        *_member_errors(of),
    )


def _other_clusters(of: Round) -> Iterator[Finding]:
    for answer in of.everyone:
        cluster = answer.status.cluster
        if cluster != of.cluster:
            yield Finding(
                "another-cluster",
                answer.sight.host,
                f"its member {answer.status.id} is of the cluster {cluster}, not {of.cluster}",
                _statuses(of.everyone),
                _URL,
                absolute=True,
            )


def _asked_twice(of: Round) -> Iterator[Finding]:
    for member in of.answers:
        hosts = [a.sight.host for a in of.everyone if a.status.id == member]
        if len(hosts) > 1:
            yield Finding(
                "member-asked-twice",
                member,
                f"answers on {len(hosts)} hosts: {', '.join(hosts)}",
                _statuses(of.everyone),
                _URL,
                absolute=True,
            )


def _lists(of: Round) -> Iterator[Finding]:
    told = set(of.lists.values())
    if len(told) > 1:
        evidence = (
            f"{member} lists {', '.join(sorted(map(_as_listed, listed)))}"
            for member, listed in of.lists.items()
        )
        yield Finding(
            "list-disagreement",
            GROUP,
            f"its members tell {len(told)} different lists of members",
            "\n".join(evidence),
            _LIST,
        )


def _leaders(of: Round) -> Iterator[Finding]:
    named = {answer.status.leader for answer in of.answers.values()}
    if not any(named):
        what = f"none of the {len(of.answers)} members that answer knows of a leader"
        yield Finding("no-leader", GROUP, what, _statuses(of.answers.values()), _STATUS)
    elif len(named) > 1:
        what = f"its members name {len(named)} leaders: {', '.join(sorted(map(_or_none, named)))}"
        yield Finding("leader-disagreement", GROUP, what, _statuses(of.answers.values()), _STATUS)


def _terms(of: Round) -> Iterator[Finding]:
    terms = {answer.status.term for answer in of.answers.values()}
    if len(terms) > 1:
        what = f"its members are in {len(terms)} terms: {', '.join(map(str, sorted(terms)))}"
        yield Finding("term-disagreement", GROUP, what, _statuses(of.answers.values()), _STATUS)


def _versions(of: Round) -> Iterator[Finding]:
    minors = sorted(filter(None, {answer.status.minor for answer in of.answers.values()}))
    if not minors:
        return
    (major, minor), (last_major, last_minor) = minors[0], minors[-1]
    if major != last_major or last_minor - minor > 1:
        yield Finding(
            "version-skew",
            GROUP,
            f"its members run {major}.{minor} to {last_major}.{last_minor}: more than one minor",
            _statuses(of.answers.values()),
            "bring all members to one minor version before the next",
        )


def _alarms(of: Round) -> Iterator[Finding]:
    raised = {alarm for answer in of.answers.values() for alarm in answer.status.alarms}
    for alarm in sorted(raised, key=lambda alarm: (alarm.member, alarm.kind)):
        said = [member for member, a in of.answers.items() if alarm in a.status.alarms]
        yield Finding(
            "alarm",
            alarm.member,
            f"raised the alarm {alarm.kind}",
            f"{len(said)} of {len(of.answers)} members that answer say so: {', '.join(said)}",
            _REMEDIES.get(alarm.kind, "etcdctl alarm list"),
        )


_REMEDIES = {
    "NOSPACE": "compact, etcdctl defrag each member, then etcdctl alarm disarm",
    "CORRUPT": "replace the member that is corrupt: etcdctl member remove, then add",
}


def _learners(of: Round) -> Iterator[Finding]:
    for one in of.listed.values():
        if one.learner:
            behind = f"{of.behind(one.id)} entries behind" if one.id in of.answers else "silent"
            yield Finding(
                "learner",
                one.id,
                f"is a learner, {behind}: the leader feeds it, so it must not be restarted",
                _who_lists(of, one),
                f"etcdctl member promote {one.id}, or remove it",
            )


def _silent_members(of: Round) -> Iterator[Finding]:
    for one in of.listed.values():
        if one.id in of.answers:
            continue
        sight = next((s for s in of.sights if s.host == of.places.get(one.id)), None)
        called = f"{one.name or 'never started'}, at {', '.join(one.urls) or 'no address'}"
        if sight is None:
            yield Finding(
                "unknown-member",
                one.id,
                f"none of the {len(of.sights)} hosts is known to run it ({called})",
                _who_lists(of, one),
                "give its host in gapless.yaml, or etcdctl member remove it",
            )
        elif not sight.refused:
            yield Finding(
                "silent-member",
                one.id,
                f"does not answer on {sight.host} ({called}): {sight.why}",
                "\n".join(filter(None, (_who_lists(of, one), sight.evidence))),
                sight.next,
                member=one.id,
            )


def _idle_hosts(of: Round) -> Iterator[Finding]:
    for sight in of.sights:
        if sight.refused:
            yield Finding("auth-refused", sight.host, sight.why, sight.evidence, _LOGIN)
        elif sight.status is None and sight.host not in of.places.values():
            yield Finding(
                "host-without-member",
                sight.host,
                f"no member is known to run there: {sight.why}",
                sight.evidence,
                sight.next,
            )


def _strangers(of: Round) -> Iterator[Finding]:
    for member, answer in of.answers.items():
        if member not in of.listed:
            yield Finding(
                "unlisted-member",
                member,
                f"answers on {answer.sight.host}, and is on none of {len(of.lists)} lists",
                _statuses([answer]),
                _LIST,
            )


def _member_errors(of: Round) -> Iterator[Finding]:
    for member, answer in of.answers.items():
        sight, errors = answer.sight, answer.status.errors
        if errors:
            what = f"reports {len(errors)} errors: {', '.join(errors)}"
            yield Finding("member-error", member, what, _statuses([answer]), _STATUS)
        if sight.why and not sight.refused:
            what = f"does not tell all of itself: {sight.why}"
            yield Finding("partial-answer", member, what, sight.evidence, sight.next)
        elif not sight.began and not sight.why:
            yield Finding(
                "no-start-time",
                member,
                "does not tell when its process began, so a restart could not be told",
                f"GET /metrics on {sight.host} has no process_start_time_seconds",
                f"curl {sight.url}/metrics",
            )


def _who_lists(of: Round, one: Listed) -> str:
    told = [member for member, listed in of.lists.items() if one in listed]
    return f"{len(told)} of {len(of.lists)} lists have it: those of {', '.join(told)}"


def _statuses(answers: Iterable[Answer]) -> str:
    """What members said of themselves, a line each."""
    return "\n".join(
        f"{answer.sight.host}: {one.id} names {_or_none(one.leader)} in term {one.term}, "
        f"applied {one.applied}, version {one.version}, cluster {one.cluster}"
        for answer in answers
        for one in (answer.status,)
    )


def _as_listed(one: Listed) -> str:
    return f"{one}{' as a learner' if one.learner else ''} at {' '.join(one.urls) or 'no address'}"


def _or_none(leader: str) -> str:
    return leader or "none"
