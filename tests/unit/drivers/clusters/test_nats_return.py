"""What a server of NATS lacks to be back."""

from __future__ import annotations

import pytest

from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.nats_return import left_to_catch_up, missing
from gapless.drivers.clusters.nats_round import Round

from .nats_words import CONSUMER, STREAM, World, peer


@pytest.fixture
def world() -> World:
    return World.of_three()


def topology(of: Round) -> Topology:
    return Topology(by_id(of.members()), {group: of.group(group) for group in of.views})


def lacks(world: World, before: Topology, name: str = "n3") -> str:
    return missing(world.round(), before.members[name], before)


def test_it_is_back(world: World) -> None:
    before = topology(world.round())
    assert lacks(world, before) == "it is still the process LIFEn3"
    world.restarted("n3")
    assert lacks(world, before) == ""
    assert left_to_catch_up(world.round(), "n3", before) == 0


def test_it_is_not(world: World) -> None:
    before = topology(world.round())
    world.restarted("n3")
    one = world.at("n3")
    one.health = "JetStream is not current with the meta leader"
    assert "not current with the meta leader" in lacks(world, before)
    one.health, one.place = "", 40
    assert lacks(world, before) == f"{STREAM}: is 60 messages behind"
    assert left_to_catch_up(world.round(), "n3", before) == 60
    one.missing = {STREAM}
    assert lacks(world, before) == f"{STREAM}: does not report it"
    assert left_to_catch_up(world.round(), "n3", before) == 100
    one.missing, one.place = {CONSUMER}, 100
    assert lacks(world, before) == f"{CONSUMER}: does not report it"
    one.missing = set()
    world.at("n1").peers[STREAM] = {"n3": peer("n3", offline=True)}
    assert lacks(world, before) == f"{STREAM}: its leader calls it offline"
    world.at("n1").peers[STREAM] = {"n3": peer("n2")}
    assert lacks(world, before) == f"{STREAM}: its leader does not list it"
    world.down = {"host-n3"}
    assert lacks(world, before).startswith("n3 does not answer")
    assert left_to_catch_up(world.round(), "n3", before) is None


def test_a_group_that_is_gone_is_missed(world: World) -> None:
    before = topology(world.round())
    world.restarted("n3")
    for one in world.servers.values():
        one.missing = {CONSUMER}
    assert lacks(world, before) == f"{CONSUMER}: nobody reports it"


def test_another_name_is_no_return(world: World) -> None:
    before = topology(world.round())
    world.restarted("n3")
    world.at("n3").name = "n7"
    assert lacks(world, before) == "host-n3 runs n7 now, not n3: it is another server"
