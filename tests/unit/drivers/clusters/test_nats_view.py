"""What NATS answers on its monitoring port, read into facts."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.clusters import nats_view
from gapless.drivers.clusters.nats_view import NonsenseError, Single, account_of, subject_of

from .nats_words import CONSUMER, STREAM, Nats, World, peer, single


def of(one: Nats) -> nats_view.Server:
    return one.server()


def test_a_server_is_called_by_its_name_and_its_process_by_its_id() -> None:
    server = of(World.of_three().at("n1"))
    assert (server.name, server.life, server.version) == ("n1", "LIFEn1", "2.9.10")
    assert (server.minor, server.cluster, server.address) == ((2, 9), "C", "0.0.0.0:4222")
    assert server.routes == frozenset({"LIFEn2", "LIFEn3"}) and server.health == ""
    assert list(server.views) == ["meta", STREAM, CONSUMER], "and not those without a durable name"
    assert nats_view.Server("x", "y").minor == (0, 0)


def test_a_leader_tells_of_its_replicas() -> None:
    world = World.of_three()
    world.at("n1").peers[STREAM] = {"n3": peer("n3", current=False, offline=True, lag=7)}
    view = of(world.at("n1")).views[STREAM]
    assert (view.leader, view.size, view.place) == ("n1", 3, 100)
    assert str(view.peer("n3")) == "n3 offline, 7 behind"
    assert str(view.peer("n2")) == "n2 current, 0 behind"
    assert view.peer("n9") is None
    assert of(world.at("n2")).views["meta"].peers == (), "a follower names the leader only"


def test_a_raft_that_has_not_begun_names_itself() -> None:
    """As the leader of a group of one, though three are wanted."""
    one = World.of_three().at("n2")
    jsz = one.jsz()
    jsz["account_details"][0]["stream_detail"][0]["cluster"] = {"leader": "n2"}
    server = nats_view.server(one.page("/varz")[1], {"status": "ok"}, {}, jsz)
    assert (server.views[STREAM].leader, server.views[STREAM].size) == ("", 3)


def test_what_has_one_replica_is_told_apart() -> None:
    one = World.of_three().at("n1")
    mine = {"name": "mine", "config": {"durable_name": "mine", "num_replicas": 1}}
    held = one.jsz()["account_details"][0]["stream_detail"][0]
    more = {**held, "name": "MORE", "consumer_detail": [mine]}
    one.streams = [single(storage="memory", consumer_detail=[mine]), more]
    server = of(one)
    assert server.singles == (
        Single("$G > ALONE", 5, memory=True),
        Single("$G > MORE > mine", consumer=True),
    )
    assert "$G > ALONE" not in server.views


def test_a_complaint_concerns_all_or_one_group() -> None:
    one = World.of_three().at("n1")
    one.health = "JetStream is not current with the meta leader"
    assert of(one).complains_of("meta") and of(one).complains_of(STREAM)
    one.health = f"JetStream stream '{STREAM}' is not current"
    assert of(one).complains_of(STREAM) and not of(one).complains_of(CONSUMER)
    one.health = ""
    assert not of(one).complains_of("meta")


def test_a_server_without_jetstream_holds_nothing() -> None:
    """And finds itself well."""
    one = World.of_three().at("n1")
    one.disabled = True
    server = of(one)
    assert (server.jetstream, server.views, server.singles, server.health) == (False, {}, (), "")
    whole = nats_view.server(one.page("/varz")[1], {"status": "ok"}, {}, {"server_id": "x"})
    assert not whole.jetstream, "without a cluster"


def test_subjects_are_those_of_their_account() -> None:
    assert subject_of("meta") == "$JS.API.META.LEADER.STEPDOWN"
    assert subject_of(STREAM) == "$JS.API.STREAM.LEADER.STEPDOWN.ORDERS"
    assert subject_of(CONSUMER) == "$JS.API.CONSUMER.LEADER.STEPDOWN.ORDERS.worker"
    assert [account_of(group) for group in ("meta", CONSUMER)] == ["meta", "$G"]


@pytest.mark.parametrize("wrong", [None, [], "xyzzy", {}, {"server_name": "x"}])
def test_everything_else_is_nonsense(wrong: Any) -> None:
    one = World.of_three().at("n1")
    varz, healthz, routez = (one.page(path)[1] for path in ("/varz", "/healthz", "/routez"))
    with pytest.raises(NonsenseError):
        nats_view.server(wrong, healthz, routez, one.jsz())
    with pytest.raises(NonsenseError):
        nats_view.server(varz, wrong, routez, one.jsz())
    with pytest.raises(NonsenseError):
        nats_view.server(varz, healthz, routez, {"meta_cluster": {"leader": "n1"}})
