"""What the driver for etcd asks, with hosts that answer what they are told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from gapless.clock import LoopClock
from gapless.clusters.topology import Topology
from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.drivers.clusters.etcd import EtcdCluster
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, Unreachable

from .etcd_words import NAMES, listing, said

HOSTS = tuple(NAMES.values())
UNKNOWN = (400, {"error": "etcdserver: invalid auth token", "code": 16})


class Member:
    """A host with a member that answers these, by path: the last of several for ever."""

    def __init__(self, member: str) -> None:
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.told: list[Any] = []
        self.silent = False
        self.answers: dict[str, list[tuple[int, Any]]] = {
            "/v3/maintenance/status": [(200, said(member))],
            "/v3/cluster/member/list": [(200, listing(*NAMES))],
            "/metrics": [(200, "process_start_time_seconds 1.5e+09\n")],
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
        tokens = [line for line in head.splitlines() if line.startswith("Authorization: ")]
        self.tokens += [line.removeprefix("Authorization: ") for line in tokens]
        left = self.answers[path]
        status, answer = left.pop(0) if len(left) > 1 else left[0]
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return f"HTTP/1.1 {status} X\r\n\r\n{text}".encode()


def members() -> dict[str, Member]:
    return {host: Member(member) for member, host in NAMES.items()}


def cluster(hosts: dict[str, Member], **config: Any) -> EtcdCluster:
    def transport(host: str) -> Transport:
        return cast(Transport, hosts[host])

    settings = EtcdClusterConfig.model_validate({"url": "http://{host}:2379", **config})
    return EtcdCluster("keys", settings, HOSTS, transport, LoopClock())


def topology(hosts: dict[str, Member], **config: Any) -> Topology:
    return asyncio.run(cluster(hosts, **config).topology())


def status(host: Member, *answers: Any) -> None:
    host.answers["/v3/maintenance/status"] = [(200, answer) for answer in answers]


def test_nothing_is_asked_that_needs_a_majority() -> None:
    hosts = members()
    assert topology(hosts).groups["raft"].full
    asked = ["/v3/maintenance/status", "/v3/cluster/member/list", "/metrics"]
    assert all(host.asked == asked for host in hosts.values())


def test_who_seems_to_be_behind_is_asked_once_more() -> None:
    """It was asked earlier than the others, while clients write."""
    hosts = members()
    early, now = (said("c3", raftAppliedIndex=index) for index in ("80", "97"))
    status(hosts["etcd3"], early, now)
    assert topology(hosts).groups["raft"].full
    assert hosts["etcd3"].asked.count("/v3/maintenance/status") == 2
    assert hosts["etcd1"].asked.count("/v3/maintenance/status") == 1
    status(hosts["etcd3"], early)
    late = topology(hosts)
    assert late.groups["raft"].in_sync == {"a1", "b2"}
    assert late.members["c3"].trouble == "is 20 entries behind"
    assert topology(hosts, lag=20).groups["raft"].full


def test_a_token_that_is_not_known_any_more_is_got_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "geheim")
    hosts = members()
    for host in hosts.values():
        host.answers["/v3/auth/authenticate"] = [(200, {"token": "t.1"}), (200, {"token": "t.2"})]
    hosts["etcd2"].answers["/v3/maintenance/status"].insert(0, UNKNOWN)
    assert not topology(hosts, login={"user": "root", "password": "env:PASSWORD"}).findings
    assert hosts["etcd1"].tokens == ["t.1", "t.1"]
    assert hosts["etcd2"].tokens == ["t.1", "t.2", "t.2"]


@pytest.mark.parametrize(
    "answer",
    [
        UNKNOWN,
        (403, {"message": "etcdserver: permission denied", "code": 7}),
        (400, {"error": "etcdserver: user name is empty", "code": 3}),
    ],
)
def test_who_does_not_let_us_in_is_told(answer: tuple[int, Any]) -> None:
    hosts = members()
    hosts["etcd3"].answers["/v3/maintenance/status"] = [answer]
    found = topology(hosts)
    (finding,) = found.findings
    assert (finding.code, finding.where) == ("auth-refused", "etcd3")
    assert "set 'login'" in finding.next and found.groups["raft"].slack == 0


def test_an_old_or_odd_member_is_told() -> None:
    hosts = members()
    hosts["etcd3"].answers["/v3/maintenance/status"] = [(404, "404 page not found")]
    (finding,) = topology(hosts).findings
    assert (finding.code, finding.next) == ("silent-member", "gapless needs etcd >= 3.4")
    hosts["etcd3"].answers["/v3/maintenance/status"] = [(200, "xyzzy")]
    (finding,) = topology(hosts).findings
    assert "answers nonsense" in finding.what and "200 xyzzy" in finding.evidence
    hosts = members()
    hosts["etcd3"].answers["/metrics"] = [(404, "")]
    (finding,) = topology(hosts).findings
    assert (finding.code, finding.where) == ("no-start-time", "c3")


def test_when_nobody_tells_who_the_members_are_that_is_an_error() -> None:
    hosts = members()
    for host in hosts.values():
        host.answers["/v3/cluster/member/list"] = [(503, {"error": "no", "code": 14})]
    for ask in _asks():
        with pytest.raises(ClusterError, match="none of 3 hosts tells") as caught:
            asyncio.run(ask(cluster(hosts)))
        assert "etcd3: etcd on etcd3 refuses: no" in caught.value.evidence


def _asks() -> list[Callable[[EtcdCluster], Any]]:
    return [lambda it: it.topology(), lambda it: it.evacuate("a1", [], 5, None)]


def test_a_leader_that_is_silent_cannot_hand_over() -> None:
    hosts = members()
    hosts["etcd1"].silent = True
    (moved,) = asyncio.run(cluster(hosts).evacuate("a1", ["b2"], 5, None))
    assert (moved.left, moved.why) == (False, "a1 leads, and does not answer")
    assert asyncio.run(cluster(hosts).evacuate("b2", ["c3"], 5, None)) == ()


def test_the_best_of_the_targets_is_ordered_and_the_best_of_all_without() -> None:
    for targets, ordered in (
        (["b2"], "b2"),
        (["b2", "c3"], "c3"),
        (["d4"], "c3"),
        ([], "c3"),
    ):
        hosts = members()
        status(hosts["etcd2"], said("b2", raftAppliedIndex="99"))
        refusal = {"error": "etcdserver: bad leader transferee", "code": 9}
        leader = hosts["etcd1"]
        leader.answers["/v3/maintenance/transfer-leadership"] = [(412, refusal)]
        (moved,) = asyncio.run(cluster(hosts).evacuate("a1", targets, 1, None))
        assert not moved.left and "bad leader transferee" in moved.why
        told = [int(said["targetID"]) for said in leader.told if "targetID" in said]
        assert f"{told[0]:x}" == ordered and len(told) == 2
