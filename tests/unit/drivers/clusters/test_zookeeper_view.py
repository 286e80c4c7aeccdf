"""What one server of ZooKeeper answers."""

from __future__ import annotations

import pytest

from gapless.drivers.clusters.zookeeper_view import NonsenseError, behind, idle, refused, server

from .zookeeper_words import NOW, Server

WORDS = ("mntr", "srvr", "conf")


def read(one: Server) -> object:
    return server({word: one.answer(word, NOW) for word in WORDS}, NOW, 0.1)


def test_all_it_tells() -> None:
    one = Server("1", "leader", strangers=1, watching=1, observers=("4",), outstanding=7)
    found = server({word: one.answer(word, NOW) for word in WORDS}, NOW, 0.1)
    assert (found.id, found.state, found.zxid, found.version) == (
        "1",
        "leader",
        0x200000064,
        "3.8.0",
    )
    assert (found.synced, found.watching, found.size, found.outstanding) == (1, 1, 3, 7)
    assert found.ensemble.voters == {one: f"10.0.0.{one}:2888:3888" for one in "123"}
    assert found.ensemble.observers == {"4": "10.0.0.4:2888:3888"}
    assert (found.ensemble.version, found.ensemble.weighed) == ("100000000", False)
    assert (found.life.since, found.life.elections, found.life.received) == (NOW - 1000, 2, 5000)


def test_a_follower_counts_nobody() -> None:
    one = Server("2", more="group.1=1:2:3\nweight.1=2")
    found = server({word: one.answer(word, NOW) for word in WORDS}, NOW, 0.1)
    assert (found.synced, found.watching, found.ensemble.weighed) == (None, None, True)


@pytest.mark.parametrize(
    "key",
    ["zk_server_state", "zk_uptime", "zk_looking_count", "zk_bytes_received_count", "Zxid",
     "zk_outstanding_requests", "serverId"],
)  # fmt: skip
def test_what_is_missing_is_named(key: str) -> None:
    with pytest.raises(NonsenseError, match=key):
        read(Server("1", missing=(key,)))


@pytest.mark.parametrize(
    ("word", "said", "why"),
    [
        ("mntr", "zk_server_state\tleader\nzk_synced_followers\tmany", "zk_synced_followers is no"),
        ("srvr", "Zxid: here", "Zxid is no number"),
        ("mntr", "zk_server_state\tleader\nzk_uptime\tinf", "zk_uptime is no number"),
        ("mntr", "<html>", "zk_server_state"),
    ],
)
def test_nonsense(word: str, said: str, why: str) -> None:
    with pytest.raises(NonsenseError, match=why):
        read(Server("1", answers={word: said}))


def test_answers_that_are_none() -> None:
    one = Server("1", words=("srvr",))
    assert refused(one.answer("mntr", NOW)) and not refused(one.answer("srvr", NOW))
    one.idle = True
    assert idle(one.answer("srvr", NOW)) and not idle(one.answer("mntr", NOW))


@pytest.mark.parametrize(
    ("own", "leader", "left"),
    [
        (0x200000005, 0x200000009, 4),
        (0x200000009, 0x200000005, 0),
        (0x1000000FF, 0x200000000, 0),
        (0x1000000FF, 0x200000007, 7),
        (0x300000000, 0x200000007, 0),
    ],
    ids=["same epoch", "asked later", "nothing written yet", "older epoch", "newer epoch"],
)
def test_zxids_compare_within_an_epoch(own: int, leader: int, left: int) -> None:
    assert behind(own, leader) == left
