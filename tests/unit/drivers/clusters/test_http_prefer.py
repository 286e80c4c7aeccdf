"""Leaderships that a member of an HTTP cluster gets back, where its groups have a preferred one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.cluster_http import HttpClusterConfig
from gapless.drivers.clusters.base import PrefersLeaders
from gapless.drivers.clusters.http_cluster import Chronik, HttpCluster
from gapless.drivers.transports.base import Transport
from gapless.testing.virtual_time import run_virtual

CONFIG = {
    "url": "http://{host}:3000",
    "groups": {"path": "/partitions", "id": "{name}", "preferred": "first"},
    "transfer": {"path": "/move/{group}?to={to}"},
}


class Nodes:
    """Three that agree. ``obeys``: whether a transfer moves anything."""

    def __init__(self, **leaders: str) -> None:
        self.leaders = leaders
        self.first = dict.fromkeys(leaders, "1")
        self.in_sync = ["1", "2", "3"]
        self.obeys = True
        self.ordered: list[tuple[str, str]] = []

    def driver(self, **changed: Any) -> HttpCluster:
        config = HttpClusterConfig.model_validate({**CONFIG, **changed})
        return HttpCluster("store", config, ("n1", "n2", "n3"), self.transports, LoopClock())

    @property
    def transports(self) -> Callable[[str], Transport]:
        return lambda host: cast(Transport, _Host(self, host))

    def answer(self, host: str, path: str) -> Any:
        if path == "/health":
            return {"node_id": host.removeprefix("n")}
        if moved := re.fullmatch(r"/move/(\w+)\?to=(\d)", path):
            self.ordered.append((host, f"{moved[1]} to {moved[2]}"))
            if self.obeys:
                self.leaders[moved[1]] = moved[2]
            return {}
        return [
            {
                "name": name,
                "leader": leader,
                "first": self.first[name],
                "replicas": ["1", "2", "3"],
                "in_sync_replicas": self.in_sync,
            }
            for name, leader in self.leaders.items()
        ]


class _Host:
    def __init__(self, nodes: Nodes, host: str) -> None:
        self._nodes, self._host = nodes, host

    async def connect(self) -> None:
        pass

    async def exchange(self, address: str, data: bytes, *_: Any) -> bytes:
        path = data.split()[1].decode()
        body = json.dumps(self._nodes.answer(self._host, path)).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_it_leads_again_what_prefers_it_and_nothing_else() -> None:
    nodes = Nodes(a="2", b="3", c="2", d="1")
    nodes.first["c"] = "2"
    moved = run_virtual(nodes.driver().prefer("1"))
    assert {(one.group, one.to, one.why) for one in moved} == {("a", "1", ""), ("b", "1", "")}
    assert nodes.leaders == {"a": "1", "b": "1", "c": "2", "d": "1"}
    assert sorted(nodes.ordered) == [("n2", "a to 1"), ("n3", "b to 1")], "asked at who leads"


def test_one_that_is_not_in_sync_leads_nothing() -> None:
    nodes = Nodes(a="2")
    nodes.in_sync = ["2", "3"]
    (moved,) = run_virtual(nodes.driver().prefer("1"))
    assert (moved.to, moved.why, nodes.ordered) == ("", "1 is not in sync", [])


def test_an_answer_of_200_is_not_believed() -> None:
    nodes = Nodes(a="2")
    nodes.obeys = False
    (moved,) = run_virtual(nodes.driver().prefer("1"))
    assert not moved.left
    assert moved.why == "2 still leads, though 1 was to take over"


def test_where_nothing_is_preferred_or_can_be_moved_nothing_is_done() -> None:
    nodes = Nodes(a="2")
    groups = {"path": "/partitions", "id": "{name}"}
    assert run_virtual(nodes.driver(groups=groups).prefer("1")) == ()
    assert run_virtual(nodes.driver(transfer=None).prefer("1")) == ()
    nodes.first["a"] = "0"
    assert run_virtual(nodes.driver().prefer("1")) == ()
    assert nodes.ordered == []


def test_a_group_that_nobody_leads_is_for_its_election() -> None:
    nodes = Nodes(a="0")
    assert run_virtual(nodes.driver().prefer("1")) == ()


def test_such_drivers_are_known_by_it() -> None:
    assert isinstance(Nodes().driver(), PrefersLeaders)
    assert issubclass(Chronik, HttpCluster)


def test_without_a_transfer_what_it_leads_is_told_and_stays() -> None:
    nodes = Nodes(a="2", b="2", c="1")
    moved = run_virtual(nodes.driver(transfer=None).evacuate("2", ["1"], 5.0, None))
    assert [(one.group, one.left) for one in moved] == [("a", False), ("b", False)]
    assert moved[0].why == "no transfer is given; it hands over when it stops"
    assert run_virtual(nodes.driver(transfer=None).evacuate("3", ["1"], 5.0, None)) == ()
    assert nodes.ordered == [] and nodes.leaders["a"] == "2"
