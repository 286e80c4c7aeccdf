"""A cluster of NATS as several hosts showed it: who is in sync, and what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.group import Group, Kind
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.nats_findings import alone, findings
from gapless.drivers.clusters.nats_round import Round

from .nats_words import CONSUMER, STREAM, World, peer, single


@pytest.fixture
def world() -> World:
    return World.of_three()


def found(of: Round) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings(of)}


def stream(of: Round) -> Group:
    return of.group(STREAM)


def topology(of: Round) -> Topology:
    groups = {group: of.group(group) for group in of.views}
    return Topology(by_id(of.members()), groups, findings(of), tuple(of.servers))


def test_all_is_well(world: World) -> None:
    of = world.round(open={"$G", "meta"})
    assert findings(of) == () and list(alone(of, of.names)) == []
    assert of.leaders == {"meta": "n1", STREAM: "n1", CONSUMER: "n2"}
    for group in map(of.group, of.views):
        assert (group.kind, group.members, group.minimum) == (Kind.QUORUM, ("n1", "n2", "n3"), 2)
        assert group.full and group.slack == 1 and group.movable
    assert stream(of).position == {"n1": 100, "n2": 100, "n3": 100}
    assert of.group(CONSUMER).position == {}
    roles = [(m.id, m.host, m.role, m.began, m.well) for m in of.members()]
    assert roles[0] == ("n1", "host-n1", "meta leader", "LIFEn1", True)
    assert roles[1] == ("n2", "host-n2", "server", "LIFEn2", True)
    assert refusals(topology(of), ("n1",)) == ()


def test_whose_account_has_no_user_stays_until_it_stops(world: World) -> None:
    of = world.round(open=())
    assert not any(of.group(name).movable for name in of.views)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (peer("n3", offline=True), "its leader calls it offline"),
        (peer("n3", current=False, lag=21), "its leader calls it 21 entries behind"),
        (peer("n3", current=False), "its leader has not heard of it"),
        (peer("n3", current=False, lag=20), ""),
    ],
)
def test_the_leader_says_who_is_behind(world: World, told: dict[str, Any], why: str) -> None:
    world.at("n1").peers[STREAM] = {"n3": told}
    of = world.round()
    assert of.objection(STREAM, "n3") == why
    assert ("n3" in stream(of).in_sync) == (not why)
    assert ("replica-behind" in found(of)) == bool(why)
    if why:
        finding = found(of)["replica-behind"]
        assert (finding.where, finding.member) == (STREAM, "n3") and why in finding.what
        assert str(told.get("lag", 0)) in finding.evidence


def test_the_word_of_the_leader_is_not_enough(world: World) -> None:
    """It knows what was before a restart: what the follower has itself counts, too."""
    world.at("n3").place = 79
    assert world.round().objection(STREAM, "n3") == "is 21 messages behind"
    assert not world.round(lag=21).objection(STREAM, "n3")
    world.at("n3").place = 0
    assert world.round().behind(STREAM, "n3") == 100
    world.at("n3").missing = {STREAM}
    assert world.round().objection(STREAM, "n3") == "does not report it"


def test_nor_is_its_own(world: World) -> None:
    """A server that is cut off finds itself well."""
    one = world.at("n3")
    one.health = f"JetStream stream '{STREAM}' is not current"
    of = world.round()
    assert sorted(stream(of).in_sync) == ["n1", "n2"] and of.group(CONSUMER).full
    assert found(of)["unhealthy"].member == "n3" and "not current" in found(of)["unhealthy"].what
    assert set(found(of)) == {"unhealthy"}, "and not once more for each group"


def test_who_was_asked_later_is_not_ahead(world: World) -> None:
    """The mark is that of when the round began."""
    world.at("n1").place = 500
    assert world.round(mark={STREAM: 100}).objection(STREAM, "n3") == ""
    assert world.round().objection(STREAM, "n3") == "is 400 messages behind"


def test_members_that_name_different_leaders_are_told(world: World) -> None:
    world.at("n3").leads[STREAM] = "n2"
    of = world.round()
    assert stream(of).leader == "n1" and sorted(stream(of).in_sync) == ["n1", "n2"]
    finding = found(of)["leader-disagreement"]
    assert (finding.where, finding.what) == (STREAM, "its members name 2 leaders: n1, n2")
    assert "n3 names n2" in finding.evidence
    world.at("n2").leads[STREAM] = ""
    of = world.round()
    assert stream(of).leader == "" and not stream(of).in_sync, "no majority for anybody"
    codes = {one.code for one in refusals(topology(of), ("n3",))}
    assert {"no-leader", "leader-disagreement"} <= codes


def test_a_leader_that_is_silent_vouches_for_nobody(world: World) -> None:
    world.down = {"host-n1"}
    of = world.round()
    assert stream(of).leader == "n1" and not stream(of).in_sync
    assert of.objection(STREAM, "n2") == "its leader n1 does not answer"
    assert set(found(of)) == {"silent-member"}
    silent = found(of)["silent-member"]
    assert (silent.where, silent.member) == ("n1", "n1") and "no way" in silent.what


def test_a_server_of_nobodys_host_is_told(world: World) -> None:
    for one in world.servers.values():
        one.size = 4
    world.at("n1").peers["meta"] = {"n2": peer("n9", offline=True)}
    of = world.round()
    assert of.names == ("n1", "n2", "n3", "n9")
    told = found(of)
    assert told["unknown-member"].where == "n9" and "peer-remove n9" in told["unknown-member"].next
    assert "cluster-size" not in told


def test_sizes_have_to_be_those_of_the_servers(world: World) -> None:
    world.at("n2").size = 4
    finding = found(world.round())["cluster-size"]
    assert "n2 counts 4" in finding.what and "3 servers are known" in finding.what
    assert world.round().group("meta").minimum == 3, "the larger one counts"


def test_jetstream_that_is_off_is_called_ok_by_nobody_else(world: World) -> None:
    world.at("n3").disabled = True
    of = world.round()
    assert of.trouble("n3") == "JetStream is off, or not of a cluster"
    assert found(of)["jetstream-off"].member == "n3"
    assert of.objection(STREAM, "n3") == "does not report it"
    world.at("n3").health = "failed to be ready for connections"
    assert set(found(world.round())) == {"unhealthy"}, "as in lame duck mode, where it is off, too"


def test_a_route_that_is_missing(world: World) -> None:
    world.at("n2").routes = ("LIFEn1",)
    finding = found(world.round())["route-missing"]
    assert (finding.where, finding.what, finding.member) == ("n2", "has no route to n3", "n2")


def test_versions_may_be_one_minor_apart(world: World) -> None:
    world.at("n3").version = "2.10.1"
    assert not findings(world.round())
    world.at("n3").version = "2.11.0"
    assert "2.9 to 2.11" in found(world.round())["version-skew"].what
    world.at("n3").version = "3.9.0"
    assert "version-skew" in found(world.round())
    for one in world.servers.values():
        one.version = ""
    assert not findings(world.round())


def test_one_server_on_two_hosts_is_never_good_enough(world: World) -> None:
    world.servers["host-n3"] = world.at("n2")
    finding = found(world.round())["member-asked-twice"]
    assert finding.absolute and "host-n2, host-n3" in finding.what


def test_a_host_without_a_server(world: World) -> None:
    world.servers["host-n4"] = world.at("n3")
    world.down = {"host-n4"}
    of = world.round()
    told = found(Round(of.sights, 20, {name: f"host-{name}" for name in of.names}, {"$G"}))
    assert set(told) == {"host-without-member"} and told["host-without-member"].where == "host-n4"


def test_a_replica_that_nobody_knows(world: World) -> None:
    wide = {"name": "WIDE", "config": {"num_replicas": 5}, "state": {"last_seq": 1},
            "cluster": {"leader": "n1", "replicas": [peer("n2"), peer("n3")]}}  # fmt: skip
    for one in world.servers.values():
        others = [peer(name) for name in ("n1", "n2", "n3") if name != one.name]
        one.streams = [{**wide, "cluster": {"leader": "n1", "replicas": others}}]
        one.place = 1
    of = world.round()
    assert "5 replicas are wanted, and 3 are known" in found(of)["under-replicated"].what
    assert of.group("$G > WIDE").minimum == 3


def test_what_only_one_server_has_goes_away_with_it(world: World) -> None:
    world.at("n2").streams = [single(), single("EMPTY", storage="memory", messages=0)]
    of = world.round()
    assert list(alone(of, ["n1", "n3"])) == []
    first, second = alone(of, ["n2"])
    assert (first.code, first.where, first.absolute) == ("single-replica", "$G > ALONE", False)
    assert "nats stream edit ALONE --replicas 3" in first.next and "--force" in first.next
    assert second.code == "single-replica", "in memory, but there is nothing in it"
    world.at("n2").streams = [single(storage="memory")]
    (gone,) = alone(world.round(), ["n2"])
    assert (gone.code, gone.absolute) == ("single-replica-in-memory", True) and "5" in gone.what
