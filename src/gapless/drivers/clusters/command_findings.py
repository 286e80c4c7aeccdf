"""What is not as it has to be in a cluster that commands tell of, beside what these found already.
No side effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group
from gapless.drivers.clusters.command_round import Round

_CLUSTER = "the cluster"
_WAIT = "wait until they agree, and see their logs where they do not"


def findings(of: Round) -> tuple[Finding, ...]:
    """All there are, each once."""
    told = (one for view in of.views.values() for one in view.findings)
    found = (*_asked_twice(of), *_members(of), *_silent(of), *_no_groups(of), *_groups(of), *told)
    return tuple(dict.fromkeys(found))


def _asked_twice(of: Round) -> Iterator[Finding]:
    for name in of.views:
        hosts = [host for host, view in of.everyone if view.id == name]
        if len(hosts) > 1:
            yield Finding(
                "member-asked-twice",
                name,
                f"answers on {len(hosts)} hosts: {', '.join(hosts)}",
                ", ".join(f"{host} → self {name}" for host in hosts),
                "the command has to ask the member of the host that it runs on",
                absolute=True,
            )


def _members(of: Round) -> Iterator[Finding]:
    known = {name: frozenset(view.members) for name, view in of.views.items()}
    if len(set(known.values())) > 1:
        yield Finding(
            "split-members",
            _CLUSTER,
            f"{len(known)} members do not know the same members",
            "\n".join(f"{name}: {', '.join(sorted(of_it))}" for name, of_it in known.items()),
            _WAIT,
        )


def _silent(of: Round) -> Iterator[Finding]:
    for name in of.names:
        if name in of.views:
            continue
        sight, what = of.sight_of(name), of.trouble(name)
        if sight is None:
            hosts = ", ".join(one.host for one in of.sights)
            hint = "give its host in gapless.yaml, or take it out of the cluster"
            yield Finding("unknown-member", name, what, f"hosts asked: {hosts}", hint)
        else:
            yield Finding("silent-member", name, what, sight.evidence, sight.next, member=name)
    for sight in of.sights:
        if sight.view is None and sight.host not in of.places.values():
            what = f"no member is known to run there: {sight.why}"
            yield Finding("host-without-member", sight.host, what, sight.evidence, sight.next)


def _no_groups(of: Round) -> Iterator[Finding]:
    if of.views and not of.told:
        yield Finding(
            "no-groups",
            _CLUSTER,
            f"{len(of.views)} members tell of no group: nothing says that it is safe",
            next="print the groups that hold your data, those that nobody leads among them",
        )


def _groups(of: Round) -> Iterator[Finding]:
    for name, told in of.told.items():
        if len({one.leader for one in told.values()}) > 1:
            named = {who: one.leader or "nobody" for who, one in told.items()}
            yield _split("split-leaders", name, named, "do not name the same leader")
        if len({_shape(one) for one in told.values()}) > 1:
            shapes = {who: _written(one) for who, one in told.items()}
            yield _split("split-groups", name, shapes, "do not tell the same of it")
        members = {member for one in told.values() for member in one.members}
        if mute := sorted(members & of.views.keys() - told.keys()):
            who = dict.fromkeys(told, "tells of it") | dict.fromkeys(mute, "does not know it")
            yield _split("split-groups", name, who, "do not all know it")


def _shape(group: Group) -> tuple[object, ...]:
    return group.kind, frozenset(group.members), group.minimum, group.led


def _written(group: Group) -> str:
    members = ", ".join(sorted(group.members))
    return f"{group.kind.value} of {members}, minimum {group.minimum}"


def _split(code: str, group: str, said: Mapping[str, str], what: str) -> Finding:
    evidence = "\n".join(f"{who}: {word}" for who, word in sorted(said.items()))
    return Finding(code, group, f"{len(said)} members {what}", evidence, _WAIT)
