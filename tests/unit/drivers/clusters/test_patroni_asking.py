"""What the driver for Patroni asks and orders, with hosts that answer what they are told to."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from gapless.clock import LoopClock
from gapless.clusters.topology import Topology
from gapless.config.cluster_patroni import PatroniConfig
from gapless.drivers.clusters.patroni import PatroniCluster
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, Unreachable

from .patroni_words import CONFIG, DATE, HISTORY, NAMES, listing, said, streaming

HOSTS = ("db1", "db2", "db3")
QUESTIONS = ["/patroni", "/cluster", "/config", "/history"]


class Member:
    """A host with a member that answers these, by path: the last of several for ever."""

    def __init__(self, member: str) -> None:
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.told: list[Any] = []
        self.silent = False
        self.ordered: Callable[[], None] = lambda: None
        self.answers: dict[str, list[tuple[int, Any]]] = {
            "/patroni": [(200, said(member))],
            "/cluster": [(200, listing())],
            "/config": [(200, CONFIG)],
            "/history": [(200, HISTORY)],
            "/switchover": [(503, "Switchover failed")],
        }

    async def connect(self) -> None:
        pass

    async def exchange(self, _place: str, data: bytes, *_more: Any) -> bytes:
        if self.silent:
            raise Unreachable("no way")
        head, _, body = data.decode().partition("\r\n\r\n")
        path = head.split()[1]
        self.told += [json.loads(body)] if body else []
        self.asked.append(path)
        self.heads.append(head)
        if path == "/switchover":
            self.ordered()
        left = self.answers[path]
        status, answer = left.pop(0) if len(left) > 1 else left[0]
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return f"HTTP/1.0 {status} X\r\nDate: {DATE}\r\n\r\n{text}".encode()

    def says(self, path: str, *answers: Any) -> None:
        self.answers[path] = [(200, answer) for answer in answers]


def members() -> dict[str, Member]:
    return {f"db{name[-1]}": Member(name) for name in NAMES}


def cluster(hosts: dict[str, Member], **config: Any) -> PatroniCluster:
    def transport(host: str) -> Transport:
        return cast(Transport, hosts[host])

    settings = PatroniConfig.model_validate({"url": "http://{host}:8008", **config})
    return PatroniCluster("shop", settings, HOSTS, transport, LoopClock())


def topology(hosts: dict[str, Member], **config: Any) -> Topology:
    return asyncio.run(cluster(hosts, **config).topology())


def lead(hosts: dict[str, Member], leader: str) -> None:
    """All of them say so, and everybody streams from it."""
    for name in NAMES:
        host = hosts[f"db{name[-1]}"]
        host.says("/patroni", said(name, leader))
        host.says("/cluster", listing(leader))


def test_every_member_is_asked_for_all() -> None:
    hosts = members()
    seen = topology(hosts)
    assert seen.groups["shop"].full and not seen.findings and seen.asked == NAMES
    assert all(host.asked == QUESTIONS for host in hosts.values())
    assert {one.id: one.host for one in seen.members.values()} == {
        "pg1": "db1", "pg2": "db2", "pg3": "db3",
    }  # fmt: skip


def test_who_seems_to_be_behind_is_asked_once_more() -> None:
    """It was asked earlier than the leader, while clients write."""
    hosts = members()
    early, now = (
        said("pg3", xlog={"received_location": at, "replayed_location": at}) for at in (10, 4950)
    )
    hosts["db3"].says("/patroni", early, now)
    assert topology(hosts, lag=100).groups["shop"].full
    assert hosts["db3"].asked.count("/patroni") == 2
    assert hosts["db2"].asked.count("/patroni") == 1
    hosts["db3"].says("/patroni", early)
    late = topology(hosts, lag=100)
    assert late.groups["shop"].in_sync == {"pg1", "pg2"}
    assert late.members["pg3"].trouble == "is 4,990 bytes behind, and 100 are allowed"


def test_a_member_that_cannot_read_the_store_is_told() -> None:
    hosts = members()
    hosts["db3"].answers["/cluster"] = [(503, "")]
    (finding,) = topology(hosts).findings
    assert (finding.code, finding.where) == ("partial-answer", "pg3")
    assert "refuses: status 503" in finding.what
    hosts["db3"].answers["/cluster"] = [(200, "xyzzy")]
    (finding,) = topology(hosts).findings
    assert "answers nonsense" in finding.what and "200 xyzzy" in finding.evidence


def test_when_nobody_tells_who_the_members_are_that_is_an_error() -> None:
    hosts = members()
    for host in hosts.values():
        host.answers["/cluster"] = [(503, "")]
    for ask in _asks():
        with pytest.raises(ClusterError, match="none of 3 hosts tells") as caught:
            asyncio.run(ask(cluster(hosts)))
        assert "db3: Patroni on db3 refuses: status 503" in caught.value.evidence


def _asks() -> list[Callable[[PatroniCluster], Any]]:
    return [lambda it: it.topology(), lambda it: it.evacuate("pg1", [], 5, None)]


def test_a_leader_that_nobody_may_replace() -> None:
    hosts = members()
    tagged = {name: {"tags": {"nofailover": True}} for name in ("pg2", "pg3")}
    for host in hosts.values():
        host.says("/cluster", listing(of=tagged))
    made = cluster(hosts)
    seen = asyncio.run(made.topology())
    assert not seen.findings
    (finding,) = asyncio.run(made.unsafe(seen, ["pg1"]))
    assert finding.code == "no-candidate" and not finding.absolute
    assert finding.evidence == "pg2: is tagged nofailover\npg3: is tagged nofailover"
    assert not asyncio.run(made.unsafe(seen, ["pg2"])), "a replica may always go"
    (moved,) = asyncio.run(made.evacuate("pg1", ["pg2"], 1, None))
    assert not moved.left and "pg2 is tagged nofailover" in moved.why
    assert "/switchover" not in hosts["db1"].asked


def test_somebody_may_replace_it() -> None:
    hosts = members()
    made = cluster(hosts)
    seen = asyncio.run(made.topology())
    assert not asyncio.run(made.unsafe(seen, ["pg1"]))
    assert asyncio.run(made.unsafe(seen, ["pg1", "pg2", "pg3"])), "but not when all of them go"


def test_the_leader_is_told_and_the_cluster_believed() -> None:
    hosts = members()
    leader = hosts["db1"]
    leader.answers["/switchover"] = [(200, 'Successfully switched over to "pg3"')]
    leader.ordered = lambda: lead(hosts, "pg3")
    (moved,) = asyncio.run(cluster(hosts).evacuate("pg1", ["pg3"], 5, None))
    assert moved.left and (moved.group, moved.to) == ("shop", "pg3")
    assert leader.told == [{"leader": "pg1", "candidate": "pg3"}]
    assert asyncio.run(cluster(hosts).evacuate("pg1", [], 5, None)) == ()


def test_who_was_in_sync_is_waited_for_and_nobody_else() -> None:
    """Until then the new leader is alone with what it acknowledges."""
    hosts = members()

    def moved() -> None:
        lead(hosts, "pg3")
        alone = said("pg3", "pg3", replication=streaming("pg1"))
        hosts["db3"].says("/patroni", *[alone] * 5, said("pg3", "pg3"))

    leader = hosts["db1"]
    leader.answers["/switchover"] = [(200, "")]
    leader.ordered = moved
    asyncio.run(cluster(hosts).evacuate("pg1", ["pg3"], 30, None))
    assert hosts["db3"].asked.count("/patroni") >= 6
    hosts = members()
    hosts["db2"].silent = True
    hosts["db1"].answers["/switchover"] = [(200, "")]
    hosts["db1"].ordered = lambda: lead(hosts, "pg3")
    (one,) = asyncio.run(cluster(hosts).evacuate("pg1", ["pg3"], 30, None))
    assert one.left and one.seconds < 5


def test_an_old_leader_that_takes_long_to_come_back_has_left_all_the_same() -> None:
    hosts = members()

    def half() -> None:
        lead(hosts, "pg3")
        hosts["db1"].says("/patroni", said("pg1", "pg3", state="starting"))

    hosts["db1"].answers["/switchover"] = [(200, "")]
    hosts["db1"].ordered = half
    (moved,) = asyncio.run(cluster(hosts).evacuate("pg1", ["pg3"], 0.5, None))
    assert moved.left and moved.to == "pg3"


@pytest.mark.parametrize(
    ("status", "said_there", "told"),
    [
        (202, "switchover scheduled", "it is only scheduled: switchover scheduled"),
        (412, "candidate does not exists", "refuses: candidate does not exists"),
        (503, "Switchover failed", "refuses: Switchover failed"),
        (401, "no auth header received", "does not let us in: no auth header received"),
    ],
)
def test_what_is_not_done_is_a_refusal_and_the_next_best_is_tried(
    status: int, said_there: str, told: str
) -> None:
    hosts = members()
    hosts["db1"].answers["/switchover"] = [(status, said_there)]
    (moved,) = asyncio.run(cluster(hosts).evacuate("pg1", ["pg3"], 5, None))
    assert not moved.left and moved.why.count(told) == 2
    assert [one["candidate"] for one in hosts["db1"].told] == ["pg3", "pg2"]


def test_a_leader_that_is_silent_cannot_make_way() -> None:
    hosts = members()
    hosts["db1"].silent = True
    (moved,) = asyncio.run(cluster(hosts).evacuate("pg1", ["pg2"], 5, None))
    assert (moved.left, moved.why) == (False, "pg1 leads, and does not answer")
    assert asyncio.run(cluster(hosts).evacuate("pg2", ["pg3"], 5, None)) == ()


def test_the_password_goes_with_orders_alone_and_nobody_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PASSWORD", "geheim-7")
    hosts = members()
    known = base64.b64encode(b"admin:geheim-7").decode()
    hosts["db1"].answers["/switchover"] = [(503, f"no: {known} geheim-7")]
    made = cluster(hosts, login={"user": "admin", "password": "env:PASSWORD"})
    (moved,) = asyncio.run(made.evacuate("pg1", ["pg3"], 5, None))
    orders = [head for head in hosts["db1"].heads if "/switchover" in head]
    assert len(orders) == 2 and all(f"Authorization: Basic {known}" in head for head in orders)
    rest = [head for host in hosts.values() for head in host.heads if "/switchover" not in head]
    assert rest and not any("Authorization" in head for head in rest)
    assert "geheim-7" not in moved.why and known not in moved.why and "***" in moved.why
    monkeypatch.delenv("PASSWORD")
    (moved,) = asyncio.run(made.evacuate("pg1", ["pg3"], 5, None))
    assert "PASSWORD" in moved.why and not moved.left


def test_a_new_postgresql_after_the_switchover_is_no_restart_yet() -> None:
    hosts = members()
    made = cluster(hosts)
    before = asyncio.run(made.topology())

    def moved() -> None:
        lead(hosts, "pg3")
        again = said("pg1", "pg3", postmaster_start_time="by the switchover")
        hosts["db1"].says("/patroni", again)

    hosts["db1"].answers["/switchover"] = [(200, "")]
    hosts["db1"].ordered = moved
    asyncio.run(made.evacuate("pg1", ["pg3"], 5, None))
    told = asyncio.run(made.rejoined("pg1", before))
    assert not told.done and "still the PostgreSQL" in told.why
    hosts["db1"].says("/patroni", said("pg1", "pg3", postmaster_start_time="later"))
    told = asyncio.run(made.rejoined("pg1", before))
    assert told.done and told.lag == 0
    assert not asyncio.run(made.rejoined("pg9", before)).done


def test_what_is_left_to_replay_is_told() -> None:
    hosts = members()
    made = cluster(hosts)
    before = asyncio.run(made.topology())
    xlog = {"received_location": 5000, "replayed_location": 1000}
    hosts["db3"].says("/patroni", said("pg3", postmaster_start_time="later", xlog=xlog))
    assert asyncio.run(made.rejoined("pg3", before)).lag == 4000
    hosts["db1"].says("/patroni", said("pg1", replication=streaming("pg2")))
    assert not asyncio.run(made.rejoined("pg3", before)).done


def test_nothing_is_written_down_and_nothing_taken_back() -> None:
    hosts = members()
    made = cluster(hosts)
    assert asyncio.run(made.seal("pg1", None)) == ""
    asyncio.run(made.restore("pg1", None))
    assert not any(host.asked for host in hosts.values())
