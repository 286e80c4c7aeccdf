"""minichronik does what the document says, can lose what is stopped wrongly, and its lies lie."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from .chronik_cluster import SELDOM, ChronikCluster, ChronikNode, until
from .minichronik.client import Client, ask, committed
from .minichronik.log import Entry, Log
from .minichronik.writer import Writer

pytestmark = pytest.mark.xdist_group("minichronik")

PARTITIONS = [f"test-topic-{number}" for number in range(3)]
FIRST = PARTITIONS[0]
SOME = 20
NEVER = 10**9
"""An offset that is not reached."""
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChronikCluster]:
    with ChronikCluster(tmp_path_factory.mktemp("chronik")) as cluster:
        yield cluster


@pytest.fixture
def cluster(standing: ChronikCluster) -> ChronikCluster:
    """As after its start, but for what was written."""
    standing.restore()
    return standing


def write_some(cluster: ChronikCluster, partition: str = FIRST) -> list[str]:
    """Values that were acknowledged, one after the other."""
    client = Client(cluster.urls)
    values = [f"value {next(NUMBERS)}." for _ in range(SOME)]
    offsets = [client.produce(partition, value) for value in values]
    assert offsets == list(range(offsets[0], offsets[0] + SOME))
    return values


def nothing_is_lost(cluster: ChronikCluster, writer: Writer) -> None:
    """Every node has all that was acknowledged."""
    assert not writer.failed
    for partition, values in writer.acknowledged.items():
        cluster.wait_until_all_have(partition, values)


def goes_on(writer: Writer) -> None:
    """Writes are acknowledged from now on, to each partition."""
    before = {partition: len(values) for partition, values in writer.acknowledged.items()}
    until(
        lambda: all(len(values) > before[name] + 2 for name, values in writer.acknowledged.items()),
        "writes to go on",
    )


@contextmanager
def frozen(*nodes: ChronikNode) -> Iterator[None]:
    """They are there and do nothing."""
    for node in nodes:
        os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes:
            os.kill(node.pid, signal.SIGCONT)


@contextmanager
def asking(url: str, body: bytes | None = None) -> Iterator[list[object]]:
    """Meanwhile; the answer, once there is one."""
    answers: list[object] = []

    def run() -> None:
        try:
            answers.append(ask(url, body, limit=30.0))
        except OSError as error:
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield answers
    finally:
        thread.join()


class TestServing:
    def test_leaders_are_spread_as_in_the_document(self, tmp_path: Path) -> None:
        with ChronikCluster(tmp_path) as cluster:
            leaders = cluster.leaders()
            status, health = ask(cluster.urls[0] + "/health")
        assert leaders == {"test-topic-0": 1, "test-topic-1": 2, "test-topic-2": 3}
        assert (status, health["status"]) == (200, "healthy")
        assert health["partitions"]["test-topic-0"] == {
            "leader": 1,
            "in_sync_replicas": [1, 2, 3],
            "status": "healthy",
        }

    def test_a_write_is_read_from_every_node(self, cluster: ChronikCluster) -> None:
        for partition in PARTITIONS:
            values = write_some(cluster, partition)
            cluster.wait_until_all_have(partition, values)
            end = len(committed(cluster.urls[0], partition))
            for node in cluster.nodes.values():
                everywhere = {"1": end, "2": end, "3": end}
                until_equal(partial(node.applied, partition), everywhere)

    def test_who_does_not_lead_names_who_does(self, cluster: ChronikCluster) -> None:
        status, said = ask(f"{cluster.nodes[2].url}/produce/{FIRST}", b"x")
        assert (status, said["error"]) == (421, "NOT_LEADER")
        assert (said["leader"], said["address"]) == (1, cluster.nodes[1].address)
        assert ask(f"{cluster.nodes[2].url}/produce/nothing-0", b"x")[0] == 404
        assert ask(f"{cluster.nodes[2].url}/fetch/{FIRST}?offset=x")[0] == 400

    def test_what_the_real_server_is_asked(self, cluster: ChronikCluster) -> None:
        told = [node.get("/admin/health") for node in cluster.nodes.values()]
        assert [one["status"] for one in told] == ["ok"] * 3
        assert [one["node_id"] for one in told] == [1, 2, 3]
        assert all(one["cluster_nodes"] == [1, 2, 3] for one in told)
        (leader,) = [one["node_id"] for one in told if one["is_leader"]]
        status = cluster.nodes[2].get("/admin/status")
        assert (status["node_id"], status["leader_id"]) == (2, leader)
        assert [one["node_id"] for one in status["nodes"] if one["is_leader"]] == [leader]
        assert status["partitions"][1] == {
            "topic": "test-topic",
            "partition": 1,
            "leader": 2,
            "replicas": [1, 2, 3],
            "isr": [1, 2, 3],
        }

    def test_the_key_of_the_real_server(self, cluster: ChronikCluster) -> None:
        node = cluster.nodes[3]
        node.stop()
        node.start(variables={"CHRONIK_ADMIN_API_KEY": "secret"})
        cluster.wait_until_healthy()
        assert ask(node.url + "/admin/status")[0] == 401
        assert ask(node.url + "/admin/status", key="secret")[0] == 200

    def test_metrics_of_the_document(self, cluster: ChronikCluster) -> None:
        node = cluster.nodes[1]
        write_some(cluster)
        committed(node.url, FIRST)
        assert node.metric('partition_leader_count{node="1"}') == 1
        assert node.metric(f'partition_isr_count{{partition="{FIRST}"}}') == 3
        assert node.metric('produce_latency_seconds{quantile="0.99"}') > 0
        assert node.metric('fetch_latency_seconds{quantile="0.99"}') > 0
        names = [f'leadership_transfers_total{{result="{one}"}}' for one in ("success", "failed")]
        before = [node.metric(name) for name in names]
        assert node.transfer(FIRST, 2)[0] == 200
        assert node.transfer(FIRST, 2)[0] == 421
        assert [node.metric(name) for name in names] == [one + 1 for one in before]

    def test_a_leadership_is_moved(self, cluster: ChronikCluster) -> None:
        with Writer(cluster.urls, PARTITIONS) as writer:
            for source, target in ((1, 2), (2, 3), (3, 1)):
                goes_on(writer)
                assert cluster.nodes[source].transfer(FIRST, target)[0] == 200
                until_equal(partial(told_by_all, cluster), {target})
        nothing_is_lost(cluster, writer)
        assert cluster.nodes[1].transfer(FIRST, 4)[0] == 409


class TestStopping:
    def test_each_node_in_turn_while_a_writer_writes(self, cluster: ChronikCluster) -> None:
        with Writer(cluster.urls, PARTITIONS) as writer:
            for node in cluster.nodes.values():
                goes_on(writer)
                led = [name for name, leader in cluster.leaders().items() if leader == node.number]
                node.stop()
                speaks_as_in_the_document(node, led)
                until(partial(leads_nothing, cluster, node), "the others to know who leads")
                goes_on(writer)
                node.start()
                cluster.wait_until_healthy()
                assert node.metric("shutdown_duration_seconds") > 0
        nothing_is_lost(cluster, writer)

    def test_a_node_that_leads_nothing(self, cluster: ChronikCluster) -> None:
        cluster.move("test-topic-1", 3)
        cluster.nodes[2].stop()
        speaks_as_in_the_document(cluster.nodes[2], [])
        until_equal(partial(cluster.nodes[1].isr, FIRST), [1, 3])

    def test_a_long_fetch_is_drained(self, cluster: ChronikCluster) -> None:
        node = cluster.nodes[1]
        with asking(f"{node.url}/fetch/{FIRST}?offset={NEVER}&wait=20000") as answers:
            until_equal(lambda: node.metric("in_flight_requests"), 1)
            node.stop()
        (answer,) = answers
        assert isinstance(answer, tuple) and answer[0] == 200, answer
        assert "INFO All in-flight requests drained in" in node.said()

    def test_stages_have_limits(self, cluster: ChronikCluster) -> None:
        """Followers that do nothing hold up both a write and the leadership."""
        node = cluster.nodes[1]
        restart(node, drain=0.2, transfer=0.3)
        cluster.wait_until_healthy()
        cluster.move(FIRST, node.number)
        end = node.applied(FIRST)["1"]
        with (
            frozen(cluster.nodes[2], cluster.nodes[3]),
            asking(f"{node.url}/produce/{FIRST}", b"never acknowledged") as answers,
        ):
            until(lambda: node.applied(FIRST)["1"] > end, "the write to be at work")
            node.tell_to_stop()
            until(lambda: ask(f"{node.url}/fetch/{FIRST}")[0] == 503, "it to drain")
            said = ask(f"{node.url}/produce/{FIRST}", b"refused")
            assert said == (503, {"error": "SHUTTING_DOWN"})
            assert node.wait() == 0
        assert not isinstance(answers[0], tuple) or answers[0][0] == 503
        assert "WARN Drain timeout reached with 1 in-flight requests remaining" in node.said()
        assert f"WARN Leadership transfer timeout for {FIRST} after 0.3s" in node.said()
        assert "(transfers: 0 successful, 1 failed)" in node.said()

    def test_all_in_order_and_back(self, cluster: ChronikCluster) -> None:
        """The logs are on disk; on the way there are too few replicas, then no quorum."""
        values = write_some(cluster)
        cluster.nodes[1].stop()
        cluster.nodes[2].stop()
        last = cluster.nodes[3]
        refused = (503, {"error": "NOT_ENOUGH_REPLICAS"})
        until_equal(partial(ask, f"{last.url}/produce/{FIRST}", b"x"), refused)
        last.stop()
        last.start(variables={"CHRONIK_JOIN_TIMEOUT": "0.5"})
        assert last.wait() == 1
        assert "ERROR Failed to join cluster: no leader elected within 0.5s" in last.said()
        for node in cluster.nodes.values():
            node.start()
        cluster.wait_until_healthy()
        cluster.wait_until_all_have(FIRST, values)


class TestKilling:
    def test_all_of_them_loses_acknowledged_writes(self, cluster: ChronikCluster) -> None:
        values = write_some(cluster)
        cluster.wait_until_all_have(FIRST, values)
        kill_all(cluster)
        cluster.wait_until_healthy()
        assert not set(values).intersection(committed(cluster.urls[0], FIRST))

    def test_all_of_them_keeps_what_was_flushed(self, cluster: ChronikCluster) -> None:
        kill_all(cluster, flush_every=0.1)
        cluster.wait_until_healthy()
        values = write_some(cluster)
        for node in cluster.nodes.values():
            until(partial(has_flushed, node, values[-1]), "the last to be flushed")
        kill_all(cluster)
        cluster.wait_until_healthy()
        cluster.wait_until_all_have(FIRST, values)

    def test_one_is_taken_over_and_catches_up(self, cluster: ChronikCluster) -> None:
        with Writer(cluster.urls, PARTITIONS) as writer:
            goes_on(writer)
            cluster.nodes[1].kill()
            until_equal(lambda: ask(cluster.nodes[2].url + "/health")[0], 503)
            until(lambda: cluster.nodes[2].leader(FIRST) in (2, 3), "another to lead")
            goes_on(writer)
            until(lambda: 1 not in cluster.nodes[2].isr(FIRST), "it to be left out")
            cluster.nodes[1].start()
            cluster.wait_until_healthy()
        nothing_is_lost(cluster, writer)

    def test_one_that_is_back_at_once_with_an_empty_log(self, cluster: ChronikCluster) -> None:
        """Its lease never ended, and it led: it must not lead on with what it has forgotten."""
        with Writer(cluster.urls, PARTITIONS) as writer:
            for node in cluster.nodes.values():
                goes_on(writer)
                node.kill()
                node.start()
                joins(node)
                cluster.wait_until_healthy()
        nothing_is_lost(cluster, writer)


class TestLies:
    def test_a_stub_transfer_moves_nothing(self, cluster: ChronikCluster) -> None:
        node = cluster.nodes[1]
        restart(node, lie="stub-transfer")
        cluster.wait_until_healthy()
        cluster.move(FIRST, 1)
        assert node.transfer(FIRST, 2)[0] == 200
        Client(cluster.urls).produce(FIRST, "that all must have noticed")
        assert [one.leader(FIRST) for one in cluster.nodes.values()] == [1, 1, 1]
        before = cluster.epoch(FIRST)
        node.tell_to_stop()
        assert node.wait() == 0
        told = rf"INFO Successfully transferred leadership for {FIRST} in \d+ms"
        assert re.search(told, node.said())
        assert "(transfers: 1 successful, 0 failed)" in node.said()
        other = cluster.nodes[2]
        until(lambda: other.leader(FIRST) in (2, 3), "another to lead")
        assert cluster.epoch(FIRST) == before + 2, "nobody led it in between"

    def test_a_stale_isr_is_that_of_before(self, cluster: ChronikCluster) -> None:
        liar, honest = cluster.nodes[1], cluster.nodes[2]
        restart(liar, lie="stale-isr")
        cluster.wait_until_healthy()
        cluster.nodes[3].stop()
        until_equal(partial(honest.isr, FIRST), [1, 2])
        Client(cluster.urls).produce(FIRST, "that it must have noticed")
        assert liar.isr(FIRST) == [1, 2, 3]
        assert liar.get("/health")["status"] == "healthy"
        assert honest.get("/health")["status"] == "degraded"

    def test_an_empty_tracker_reports_all(self, cluster: ChronikCluster) -> None:
        liar, honest = cluster.nodes[1], cluster.nodes[2]
        cluster.nodes[3].stop()
        until_equal(partial(liar.isr, FIRST), [1, 2])  # or it might hand over to who is gone
        restart(liar, lie="empty-tracker")
        until_equal(partial(honest.isr, FIRST), [1, 2])
        assert liar.isr(FIRST) == [1, 2, 3]
        assert liar.get("/admin/status")["partitions"][0]["isr"] == [1, 2, 3]
        cluster.move(FIRST, 1)
        Client(cluster.urls).produce(FIRST, "fills the tracker")
        assert liar.isr(FIRST) == [1, 2]

    def test_a_hung_drain_ends_at_its_limit(self, cluster: ChronikCluster) -> None:
        node = cluster.nodes[1]
        restart(node, lie="hung-drain", drain=0.5)
        cluster.wait_until_healthy()
        with asking(f"{node.url}/fetch/{FIRST}?offset={NEVER}&wait=10000") as answers:
            until_equal(lambda: node.metric("in_flight_requests"), 1)
            node.tell_to_stop()
            assert node.wait() == 0
        assert isinstance(answers[0], OSError)
        assert re.search(
            "^WARN Drain timeout reached with [12] in-flight requests remaining$",
            node.said(),
            re.MULTILINE,
        )


class TestLog:
    """The file has what was flushed."""

    def test_what_was_not_flushed_is_forgotten(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "log")
        log.append(Entry(1, b"a"))
        log.append(Entry(2, b"b"))
        asyncio.run(log.flush())
        log.append(Entry(2, b"c"))
        assert Log(tmp_path / "log").read(0, 9) == [Entry(1, b"a"), Entry(2, b"b")]

    def test_nothing_is_written_once_it_is_closed(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "log")
        log.append(Entry(1, b"a"))
        log.close()
        asyncio.run(log.flush())
        assert Log(tmp_path / "log").end == 0

    def test_what_was_cut_is_not_in_the_file(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "log")
        for value in (b"a", b"b", b"c"):
            log.append(Entry(1, value))
        asyncio.run(log.flush())
        log.truncate(1)
        log.append(Entry(2, b"other"))
        asyncio.run(log.flush())
        assert Log(tmp_path / "log").read(0, 9) == [Entry(1, b"a"), Entry(2, b"other")]

    def test_half_an_entry_is_none(self, tmp_path: Path) -> None:
        whole = Entry(1, b"whole").packed()
        (tmp_path / "log").write_bytes(whole + whole[:-1])
        assert Log(tmp_path / "log").end == 1

    def test_where_two_logs_part(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "log")
        for epoch in (1, 1, 3, 3):
            log.append(Entry(epoch, b""))
        assert log.agrees(0, 0) and log.agrees(2, 1) and log.agrees(4, 3)
        assert not log.agrees(3, 2) and not log.agrees(5, 3)
        assert log.common(3, 2) == 2
        assert log.common(9, 3) == 4
        assert log.common(1, 3) == 0


def restart(
    node: ChronikNode, *, lie: str = "", drain: float = 10.0, transfer: float = 30.0
) -> None:
    """In order; it comes back with other limits, or as a liar."""
    node.stop()
    variables = {"CHRONIK_DRAIN_TIMEOUT": str(drain), "CHRONIK_TRANSFER_TIMEOUT": str(transfer)}
    node.start(lie=lie, variables=variables)
    joins(node)


def told_by_all(cluster: ChronikCluster) -> set[int]:
    """Who leads the first partition."""
    return {node.leader(FIRST) for node in cluster.nodes.values()}


def leads_nothing(cluster: ChronikCluster, node: ChronikNode) -> bool:
    """As another one tells it."""
    return node.number not in cluster.leaders().values()


def joins(node: ChronikNode) -> None:
    until(lambda: "joined the cluster" in node.said(), "it to join")


def has_flushed(node: ChronikNode, value: str) -> bool:
    return value.encode() in (node.data / f"{FIRST}.log").read_bytes()


def until_equal(told: Callable[[], object], wanted: object) -> None:
    until(lambda: told() == wanted, f"{wanted} to be told")


def kill_all(cluster: ChronikCluster, *, flush_every: float = SELDOM) -> None:
    """And start them again."""
    for node in cluster.nodes.values():
        node.kill()
    for node in cluster.nodes.values():
        node.start(flush_every=flush_every)


def speaks_as_in_the_document(node: ChronikNode, led: list[str]) -> None:
    """Line by line, for one that led these partitions."""
    lines = [
        f"Starting graceful shutdown for node {node.number}",
        "Step 1/4: Draining in-flight requests",
        r"All in-flight requests drained in \d+ms",
        "Step 2/4: Transferring leadership",
        *(
            [f"Found {len(led)} partitions where we're the leader"]
            if led
            else ["No partitions where we're the leader, skipping transfer"]
        ),
    ]
    for name in led:
        lines.append(rf"Transferring leadership for {name} to node [1-3]")
        lines.append(rf"Successfully transferred leadership for {name} in \d+ms")
    lines += [
        "Step 3/4: Syncing WAL to disk",
        "WAL sync complete",
        "Step 4/4: Shutting down",
        r"Graceful shutdown complete in \d+\.\ds "
        rf"\(transfers: {len(led)} successful, 0 failed\)",
    ]
    said = node.said().splitlines()
    start = next(n for n, line in enumerate(said) if "graceful shutdown for" in line)
    found = said[start:]
    assert len(found) == len(lines), found
    for line, wanted in zip(found, lines, strict=True):
        assert re.fullmatch(f"INFO {wanted}", line), line
