"""What a command prints, and the place of whatever is wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.group import Kind
from gapless.drivers.clusters.command_json import NonsenseError, parsed
from gapless.drivers.clusters.command_view import view

from .command_world import answer

Change = Callable[[dict[str, Any]], object]


def refusal(change: Change) -> str:
    told = answer("1")
    change(told)
    with pytest.raises(NonsenseError) as caught:
        view(json.dumps(told))
    return str(caught.value)


def group(**more: Any) -> Change:
    return lambda told: told["groups"][1].update(more)


def test_all_of_it() -> None:
    told = answer("2")
    told["members"][1] |= {"zone": "z", "version": "1.2", "trouble": "it is tired"}
    told["groups"] += [
        {"id": "c", "kind": "primary", "members": ["1", "2"], "leader": "", "in_sync": ["2"],
         "movable": False, "led": False},
        {"id": "d", "kind": "replicas", "members": ["1", "2"], "leader": "2", "in_sync": [],
         "minimum": 2},
    ]  # fmt: skip
    told["singletons"] = {"controller": "3"}
    told["findings"] = [
        {"code": "disk-full", "where": "1", "what": "its disk is full"},
        {"code": "alarm", "where": "the cluster", "what": "it burns", "evidence": "smoke",
         "next": "water", "absolute": True, "member": "3"},
    ]  # fmt: skip
    found = view(json.dumps(told))
    assert (found.id, list(found.members), list(found.groups)) == (
        "2", ["1", "2", "3"], ["a", "b", "c", "d"],
    )  # fmt: skip
    own = found.own
    assert (own.zone, own.version, own.trouble, own.began) == ("z", "1.2", "it is tired", "first-2")
    a, c, d = found.groups["a"], found.groups["c"], found.groups["d"]
    assert (a.kind, a.leader, a.minimum, a.movable, a.led) == (Kind.QUORUM, "1", 2, True, True)
    assert a.full and a.position == {"1": 100, "2": 100, "3": 100}
    assert (c.kind, c.leader, c.minimum, c.movable, c.led) == (Kind.PRIMARY, "", 1, False, False)
    assert (d.kind, d.minimum, d.slack) == (Kind.REPLICAS, 2, -2)
    assert found.singletons == {"controller": "3"}
    assert found.findings == (
        Finding("disk-full", "1", "its disk is full"),
        Finding("alarm", "the cluster", "it burns", "smoke", "water", absolute=True, member="3"),
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("self"), "the answer: self is missing"),
        (lambda t: t.update(extra=1), "the answer: extra is not known; there are version, self"),
        (lambda t: t.update(version=2), "version: 2 is not known; this gapless reads 1"),
        (lambda t: t.update(version="1"), 'version: "1" is no whole number'),
        (lambda t: t.update(version=True), "version: true is no whole number"),
        (lambda t: t.update(self=1), 'self: 1 is no text; write "1"'),
        (lambda t: t.update(self="9"), 'self: "9" is none of its members: 1, 2, 3'),
        (lambda t: t.update(members={}), "members: {} is no list"),
        (lambda t: t.update(members=[]), "members: there is none"),
        (lambda t: t.update(members=["1"]), 'members[0]: "1" is no object'),
        (lambda t: t["members"][2].update(id="1"), 'members[2].id: "1" is there already'),
        (lambda t: t["members"][2].update(id=""), 'members[2].id: "" is no name'),
        (lambda t: t["members"][2].update(id="-f"), 'members[2].id: "-f" is no name'),
        (lambda t: t["members"][2].update(id="a\nb"), 'members[2].id: "a\\nb" is no name'),
        (lambda t: t["members"][1].update(began=[]), "members[1].began: [] is no text"),
        (lambda t: t["members"][1].update(host="x"), "members[1]: host is not known; there are id"),
        (group(id="a"), 'groups[1].id: "a" is there already'),
        (group(members=[]), "groups[1].members: there is none"),
        (group(members=["1", "1"]), 'groups[1].members[1]: "1" is there already'),
        (group(members=["1", "9"]), 'groups[1].members[1]: "9" is none of its members: 1, 2, 3'),
        (group(leader="9"), 'groups[1].leader: "9" is none of its members'),
        (group(leader=None), 'groups[1].leader: null is no text; write "null"'),
        (group(in_sync=[3]), 'groups[1].in_sync[0]: 3 is no text; write "3"'),
        (group(in_sync="123"), 'groups[1].in_sync: "123" is no list'),
        (group(kind="raft"), 'groups[1].kind: "raft" is none of quorum, replicas, primary'),
        (group(kind=[]), "groups[1].kind: [] is none of quorum"),
        (group(kind="replicas"), "groups[1]: minimum is missing"),
        (group(minimum=1), "groups[1].minimum: 1 is no majority of 3"),
        (group(minimum=4), "groups[1].minimum: 4 is not from 1 to 3"),
        (group(kind="primary", minimum=0), "groups[1].minimum: 0 is not from 1 to 3"),
        (group(minimum=2.5), "groups[1].minimum: 2.5 is no whole number"),
        (group(position={"9": 1}), 'groups[1].position["9"]: "9" is none of its members'),
        (group(position={"1": -1}), 'groups[1].position["1"]: -1 is no whole number'),
        (group(position=[]), "groups[1].position: [] is no object"),
        (group(movable="no"), 'groups[1].movable: "no" is neither true nor false'),
        (lambda t: t.update(singletons={"x": "9"}), 'singletons.x: "9" is none'),
        (lambda t: t.update(findings=[{"code": "x"}]), "findings[0]: where is missing"),
        (
            lambda t: t.update(findings=[{"code": "Bad One", "where": "x", "what": "y"}]),
            'findings[0].code: "Bad One" is no code',
        ),
        (
            lambda t: t.update(findings=[{"code": "x", "where": "x", "what": "", "member": ""}]),
            'findings[0].what: "" is no name',
        ),
    ],
)
def test_the_place_of_what_is_wrong(change: Change, said: str) -> None:
    assert refusal(change).startswith(said.replace("singletons.x", 'singletons["x"]'))


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("", "line 1, column 1: no JSON"),
        ('{"version": 1,\n oops', "line 2, column 2: no JSON"),
        ("[]", "the answer: [] is no object"),
        ('{"a": NaN}', "the answer: NaN is no JSON"),
        ('{"self": "1", "self": "2"}', "the answer: an object has self twice"),
        ('{"a": ' + "9" * 5000 + "}", "the answer: Exceeds the limit"),
        ("[" * 100_000, "the answer: objects in objects without end"),
    ],
)
def test_what_is_no_answer(printed: str, said: str) -> None:
    with pytest.raises(NonsenseError) as caught:
        view(printed)
    assert str(caught.value).startswith(said)


def test_what_is_shown_is_short() -> None:
    with pytest.raises(NonsenseError) as caught:
        parsed(json.dumps("x" * 1000)).fields(())
    assert len(str(caught.value)) < 100
