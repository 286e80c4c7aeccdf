"""The driver for NATS: what it asks and orders, with servers that answer what they are told to."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.nats_move import taken_over, wish
from gapless.errors import ClusterError
from gapless.testing.virtual_time import run_virtual

from .nats_words import CONSUMER, STREAM, World

T = TypeVar("T")
SYSTEM = {"user": "sys", "password": "env:NATS_SYSTEM"}
APP = {"user": "app", "password": "env:NATS_APP"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("NATS_SYSTEM", "sys-secret")
    monkeypatch.setenv("NATS_APP", "app-secret")
    return World.of_three()


def run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtual(work)


def topology(world: World, **config: Any) -> Topology:
    return run(world.driver(**config).topology())


def evacuate(
    world: World,
    member: str = "n1",
    targets: tuple[str, ...] = (),
    seconds: float = 10.0,
    **config: Any,
) -> dict[str, Moved]:
    moved = run(world.driver(**config).evacuate(member, targets, seconds, None))
    return {one.group: one for one in moved}


def orders(world: World) -> list[tuple[str, str]]:
    return [
        (host, line.split()[1].removeprefix("$JS.API."))
        for host, said in world.said
        for line in said.splitlines()
        if line.startswith("PUB")
    ]


def test_a_topology_takes_one_look_at_each(world: World) -> None:
    told = topology(world)
    assert world.looks == 1 and world.said == []
    assert (told.asked, told.findings) == (("n1", "n2", "n3"), ())
    assert told.singletons == {"meta leader": "n1"}
    assert {name: group.leader for name, group in told.groups.items()} == {
        "meta": "n1", STREAM: "n1", CONSUMER: "n2",
    }  # fmt: skip
    assert not told.groups["meta"].movable and told.groups[STREAM].movable
    assert topology(world, system=SYSTEM).groups["meta"].movable
    driver = world.driver()
    assert (driver.name, driver.kind) == ("bus", "nats")
    assert run(driver.seal("n1", None)) == ""
    run(driver.restore("n1", None))


def test_who_seems_to_be_behind_is_asked_once_more(world: World) -> None:
    def writes(world: World) -> None:
        world.at("n1").place += 30  # the leader is asked first, and has less than what comes next
        world.at("n2").place = world.at("n3").place = world.at("n1").place - 30

    world.changing = writes
    told = topology(world)
    assert world.looks == 2 and told.groups[STREAM].full and not told.findings


def test_the_last_host_is_that_of_the_last_member(world: World) -> None:
    world.down = {"host-n3"}
    told = topology(world)
    assert told.members["n3"].host == "host-n3"
    assert {finding.code for finding in told.findings} == {"silent-member"}


@pytest.mark.parametrize("status", [500, 503])
def test_not_well_is_an_answer(world: World, status: int) -> None:
    """500 in lame duck mode, with newer servers."""
    world.at("n3").health, world.at("n3").status = "failed to be ready for connections", status
    (found,) = topology(world).findings
    assert found.code == "unhealthy" and "ready for connections" in found.what
    world.at("n3").status = 404
    (found,) = topology(world).findings
    assert found.code == "silent-member" and "refuses /healthz" in found.what


def test_nobody_tells_of_anything(world: World) -> None:
    world.down = {"host-n1", "host-n2"}
    world.at("n3").disabled = True
    with pytest.raises(ClusterError, match="none of 3 hosts") as caught:
        topology(world)
    assert "host-n3: JetStream is off" in caught.value.evidence
    assert "host-n1: NATS on host-n1 does not answer" in caught.value.evidence


def test_everything_that_it_leads_is_told_on_its_own_port(world: World) -> None:
    moved = evacuate(world, targets=("n2",), system=SYSTEM)
    assert {group: (one.left, one.to) for group, one in moved.items()} == {
        "meta": (True, "n3"), STREAM: (True, "n3"),
    }, "to whom the server chose"  # fmt: skip
    assert orders(world) == [
        ("host-n1", "STREAM.LEADER.STEPDOWN.ORDERS"), ("host-n1", "META.LEADER.STEPDOWN"),
    ], "the meta group last: without its leader nobody else is heard"  # fmt: skip
    by_user = {("META" in said): ("sys-secret" in said) for _, said in world.said}
    assert by_user == {True: True, False: False}, "each in its account"


def test_a_member_that_leads_nothing_is_told_nothing(world: World) -> None:
    assert evacuate(world, "n3") == {} and world.said == []


def test_without_a_user_of_the_system_the_meta_group_stays(world: World) -> None:
    moved = evacuate(world)
    assert moved[STREAM].left and not moved["meta"].left
    assert "no user of the system account" in moved["meta"].why
    world.lead(STREAM, "n2")
    assert set(evacuate(world)) == {"meta"}


def test_a_server_that_knows_of_targets_is_told_one(world: World) -> None:
    seen = world.round()
    assert wish(seen, STREAM, "n1", ("n2",)) == b"", "2.9 refuses an order that names one"
    world.at("n1").version = "2.11.3"
    world.at("n2").place = 99
    seen = world.round()
    assert json.loads(wish(seen, STREAM, "n1", ("n2",))) == {"placement": {"preferred": "n2"}}
    assert b'"n3"' in wish(seen, STREAM, "n1", ()), "it has got furthest"
    world.at("n2").place = 10
    assert b'"n3"' in wish(world.round(), STREAM, "n1", ("n2",)), "n2 is not in sync"
    world.down = {"host-n2", "host-n3"}
    assert wish(world.round(), STREAM, "n1", ("n2",)) == b"", "nobody is"


def test_it_has_left_when_all_say_so(world: World) -> None:
    assert taken_over(world.round(), STREAM, "n1") == ""
    world.lead(STREAM, "n2")
    assert taken_over(world.round(), STREAM, "n1") == "n2"
    world.at("n3").leads[STREAM] = ""
    assert taken_over(world.round(), STREAM, "n1") == ""
    world.down = {"host-n3"}
    assert taken_over(world.round(), STREAM, "n1") == "n2", "of those that answer"
    world.down = {"host-n2"}
    world.lead(STREAM, "n2")
    assert taken_over(world.round(), STREAM, "n1") == "", "the new leader has to say so itself"
    assert taken_over(world.round(), "$G > GONE", "n1") == ""


def test_it_is_told_twice_and_why_it_stayed_is_told(world: World) -> None:
    world.obeys = False
    moved = evacuate(world, seconds=4.0)[STREAM]
    assert not moved.left and "n1 names n1, n2 names n1" in moved.why
    assert moved.seconds == pytest.approx(4.0, abs=0.2)
    assert orders(world) == [("host-n1", "STREAM.LEADER.STEPDOWN.ORDERS")] * 2


def test_an_order_that_was_refused_is_not_waited_for(world: World) -> None:
    world.obeys = False
    reply = b'{"error":{"code":503,"description":"JetStream system temporarily unavailable"}}'
    world.at("n1").reply = b"MSG _INBOX.gapless 1 %d\r\n%b\r\n" % (len(reply), reply)
    moved = evacuate(world, seconds=4.0)[STREAM]
    assert moved.why == "JetStream system temporarily unavailable" and moved.seconds < 0.5
    world.closed = {"host-n1"}
    assert "takes no clients" in evacuate(world, seconds=4.0)[STREAM].why


def test_what_was_refused_and_moved_all_the_same_has_left(world: World) -> None:
    reply = b'{"error":{"description":"no"}}'
    world.at("n1").reply = b"MSG _INBOX.gapless 1 %d\r\n%b\r\n" % (len(reply), reply)
    assert evacuate(world)[STREAM].left


def test_a_leader_that_is_silent_cannot_be_told(world: World) -> None:
    world.down = {"host-n1"}
    assert evacuate(world)[STREAM].why == "n1 leads, and does not answer" and world.said == []


def test_who_leads_by_its_own_word_alone_is_told_nothing(world: World) -> None:
    world.down = {"host-n2", "host-n3"}
    moved = evacuate(world, system=SYSTEM)
    assert moved.keys() == {"meta", STREAM} and world.said == []
    assert moved[STREAM].why == "no majority of 3 names one leader: n1 names n1"
    assert evacuate(world, "n3") == {}, "nobody says that it leads anything"
    world.down = set()
    world.at("n2").leads[STREAM] = world.at("n3").leads[STREAM] = ""
    moved = evacuate(world, system=SYSTEM)
    assert moved["meta"].left and not moved[STREAM].left
    assert "n1 names n1, n2 names nobody" in moved[STREAM].why


def test_a_member_that_is_back(world: World) -> None:
    driver = world.driver()
    before = run(driver.topology())
    assert "still the process" in run(driver.rejoined("n3", before)).why
    world.restarted("n3")
    answer = run(driver.rejoined("n3", before))
    assert answer.done and answer.lag == 0
    assert run(driver.rejoined("n9", before)).why == "n9 was no member before"
