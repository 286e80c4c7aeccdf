"""A cluster of minichronik nodes with an etcd of its own, all processes of this machine."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.ports import free_port, own_address
from tests.unit.drivers.balancers.etcd_server import Etcd

from .minichronik.client import ask, committed

_ROOT = Path(__file__).parents[2]
SELDOM = 3600.0
"""As good as never: what is killed before has nothing on disk."""
_NONE: Mapping[str, str] = {}


def until(true: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Wait for what can be seen; nobody who does not answer has what is looked for."""
    ends = time.monotonic() + seconds
    while not _holds(true):
        assert time.monotonic() < ends, f"waited for {what} in vain"
        time.sleep(0.02)


def _holds(true: Callable[[], object]) -> object:
    try:
        return true()
    except OSError:
        return False


class ChronikNode:
    """One of them; it may be started again with another lie or other variables."""

    def __init__(self, number: int, address: str, folder: Path, argv: list[str]) -> None:
        self.number, self.address, self.url = number, address, f"http://{address}"
        self.argv = [sys.executable, "-m", "tests.clusters.minichronik", *argv]
        self.argv += ["--node-id", str(number), "--listen", address]
        self.data = folder / f"node-{number}"
        self.argv += ["--data", str(self.data)]
        """What anybody else has to run, in the project's folder, to start it."""
        self.log = folder / f"node-{number}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.is_plain = True
        """Whether it was started without a lie and without anything else of its own."""

    def start(
        self,
        *,
        lie: str = "",
        flush_every: float = SELDOM,
        variables: Mapping[str, str] = _NONE,
    ) -> None:
        """At once; ``/health`` tells when it has joined."""
        assert not self.is_running
        self.is_plain = not lie and not variables and flush_every == SELDOM
        more = ["--flush-every", str(flush_every), *(["--lie", lie] if lie else [])]
        environment = {**os.environ, **variables}
        self._started_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.argv, *more],
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def tell_to_stop(self) -> None:
        """SIGTERM, without waiting for the end."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 20.0) -> int:
        """The status that it exited with."""
        assert self._process
        return self._process.wait(seconds)

    def stop(self) -> None:
        """In order, to the end."""
        self.tell_to_stop()
        assert self.wait() == 0, self.said()

    def kill(self) -> None:
        """SIGKILL; it is gone when this returns."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def said(self) -> str:
        """What it printed since it was started last."""
        with self.log.open() as log:
            log.seek(self._started_at)
            return log.read()

    def get(self, path: str) -> Any:
        """The answer, whatever its status."""
        return ask(self.url + path)[1]

    def has(self, partition: str, values: Collection[str]) -> bool:
        """Among what it knows to be committed."""
        return set(values) <= set(committed(self.url, partition))

    def told(self, partition: str) -> Any:
        """All that it tells of it."""
        (found,) = [one for one in self.get("/partitions") if one["name"] == partition]
        return found

    def leader(self, partition: str) -> int:
        return int(self.told(partition)["leader"])

    def isr(self, partition: str) -> list[int]:
        return list(self.told(partition)["in_sync_replicas"])

    def applied(self, partition: str) -> dict[str, int]:
        return dict(self.told(partition)["applied_index"])

    def transfer(self, partition: str, target: int) -> tuple[int, Any]:
        """Asks this node to hand over a leadership: status and answer."""
        return ask(f"{self.url}/partitions/{partition}/transfer?to={target}", b"", limit=40.0)

    def metric(self, name: str) -> float:
        """``name`` with its labels."""
        found = re.search(rf"^chronik_{re.escape(name)} (\S+)$", self.get("/metrics"), re.MULTILINE)
        assert found, self.get("/metrics")
        return float(found[1])


class ChronikCluster:
    """``with ChronikCluster(folder) as cluster:`` all of it runs and leads, and ends afterwards."""

    def __init__(
        self, folder: Path, *, nodes: int = 3, topics: str = "test-topic:3", min_isr: int = 2
    ) -> None:
        self.folder, self.etcd = folder, Etcd(folder)
        host = own_address()
        addresses = {number: f"{host}:{free_port(host)}" for number in range(1, nodes + 1)}
        peers = ",".join(f"{number}={address}" for number, address in addresses.items())
        argv = ["--etcd", self.etcd.url, "--peers", peers]
        argv += ["--topics", topics, "--min-isr", str(min_isr)]
        self.nodes = {
            number: ChronikNode(number, address, folder, argv)
            for number, address in addresses.items()
        }

    def __enter__(self) -> ChronikCluster:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> None:
        self.etcd.start()
        for node in self.nodes.values():
            node.start()
        self.wait_until_healthy()

    def restore(self) -> None:
        """All nodes run plainly, and lead what they led first. What was written stays."""
        for node in self.nodes.values():
            if node.is_running and not node.is_plain:
                node.stop()
            if not node.is_running:
                node.start()
        self.wait_until_healthy()
        homes = itertools.cycle(self.nodes)
        for partition, home in zip(sorted(self.leaders()), homes, strict=False):
            self.move(partition, home)

    def move(self, partition: str, target: int) -> None:
        """It is led by this node, and all know it."""
        leader = self.leader(partition)
        if leader.number != target:
            status, said = leader.transfer(partition, target)
            assert status == 200, said
        running = [node for node in self.nodes.values() if node.is_running]
        until(
            lambda: {node.leader(partition) for node in running} == {target},
            f"node {target} to lead {partition}",
        )

    def end(self) -> None:
        """Nothing of it runs any more."""
        for node in self.nodes.values():
            if node.is_running:
                node.kill()
        self.etcd.stop()

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes.values()]

    def leaders(self) -> dict[str, int]:
        """By partition, as the first node that runs tells it."""
        node = next(node for node in self.nodes.values() if node.is_running)
        return {one["name"]: one["leader"] for one in node.get("/partitions")}

    def leader(self, partition: str) -> ChronikNode:
        """Of a partition that has one."""
        return self.nodes[self.leaders()[partition]]

    def epoch(self, partition: str) -> int:
        """Of its leadership, as etcd has it: one more when somebody leads it, and one more when
        nobody does."""
        key = base64.b64encode(f"/minichronik/partitions/{partition}".encode()).decode()
        _, found = ask(f"{self.etcd.url}/v3/kv/range", json.dumps({"key": key}).encode())
        return int(json.loads(base64.b64decode(found["kvs"][0]["value"]))["epoch"])

    def wait_until_healthy(self) -> None:
        """Every node says of every partition that it is led and that all replicas are in sync; the
        nodes agree on it."""

        def healthy() -> bool:
            told = [ask(f"{url}/health") for url in self.urls]
            views = {str(sorted(said["partitions"].items())) for _, said in told}
            return len(views) == 1 and all(said["status"] == "healthy" for _, said in told)

        until(healthy, "all nodes to be healthy")

    def wait_until_all_have(self, partition: str, values: Collection[str]) -> None:
        """Each node that runs has them among what is committed."""
        for node in self.nodes.values():
            if node.is_running:
                until(partial(node.has, partition, values), f"all of {partition} on {node.address}")
