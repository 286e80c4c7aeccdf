"""What a member of etcd lacks to be back."""

from __future__ import annotations

from dataclasses import replace

from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.etcd_return import missing
from gapless.drivers.clusters.etcd_round import GROUP, Round
from gapless.drivers.clusters.etcd_sight import Sight

from .etcd_words import listing, round_of, sight, silent

A, B, C = sight("a1"), sight("b2"), sight("c3")
ANEW = replace(C, began="anew")


def topology(of: Round) -> Topology:
    return Topology(by_id(of.members()), {GROUP: of.group()})


def lacks(*sights: Sight, before: Round | None = None) -> str:
    was = topology(before or round_of(A, B, C))
    return missing(round_of(*sights), was.members["c3"], was)


def test_it_is_back() -> None:
    assert lacks(A, B, ANEW) == ""


def test_it_is_not() -> None:
    assert lacks(A, B, silent("etcd3")) == "c3 does not answer: etcd on etcd3 does not answer"
    assert "still the process" in lacks(A, B, C)
    assert "nobody can tell" in lacks(A, B, replace(C, began=""))
    behind = replace(sight("c3", raftAppliedIndex="80"), began="anew")
    assert lacks(A, B, behind) == "c3 is 20 entries behind"
    alone = replace(sight("c3", ""), began="anew")
    assert lacks(A, B, alone) == "c3 names no leader in term 3, most name a1 in term 3"


def test_another_identity_is_no_return() -> None:
    new = replace(sight("f"), host="etcd3")
    assert lacks(A, B, new) == "etcd3 runs f now, not c3: it is another identity"
    two = listing("a1", "b2")
    a, b = sight("a1", listed=two), sight("b2", listed=two)
    assert "not in the list" in lacks(a, b, silent("etcd3"))


def test_the_voters_are_those_of_before() -> None:
    more = listing("a1", "b2", "c3", "d4")
    now = [sight(member, listed=more) for member in ("a1", "b2", "c3")]
    told = lacks(*now[:2], replace(now[2], began="anew"))
    assert told == "the voters are a1, b2, c3, d4, and were a1, b2, c3"
