"""Real RabbitMQ of three nodes on this machine, each at an address of its own, kept as a service
manager would keep them; one cluster for all tests, for a node needs seconds to start."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.rabbitmq_client import Client
from tests.clusters.site import Site
from tests.ports import free_port, own_address

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""Those of the package themselves: what it has in the path of everybody becomes another user."""
NAMES = ("rabbit1", "rabbit2", "rabbit3")
_PLUGINS = ("rabbitmq_management", "rabbitmq_prelaunch", "rabbitmq_web_dispatch")
QUEUE, USER, PASSWORD = "orders", "shop", "correct-horse"
_ANSWER = 0.5
"""Seconds after which a message is said again, to another node."""
_PATIENCE = 180.0
"""A node that boots in 8 s by itself has taken more than a minute where tests ran beside it."""
_ERLANG = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
"""One core each, and none that waits busily."""


def need_rabbitmq() -> None:
    """Skip without the program, unless everything has to run."""
    if not (PROGRAMS / "rabbitmq-server").exists():
        missing = "RabbitMQ is not installed (apt-get install rabbitmq-server)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class RabbitSite(Site):
    """``rabbit1`` … are names of hosts, and the first part of the names of their nodes."""

    LIMIT = 3 * _PATIENCE

    def __init__(self, folder: Path) -> None:
        need_rabbitmq()
        super().__init__(folder, list(NAMES))
        self._net = own_address().rpartition(".")[0]
        self._epmd, self.port, self.api_port = (free_port(f"{self._net}.1") for _ in range(3))
        self._turns = itertools.cycle(NAMES)
        self._client: Client | None = None
        self._shelve()
        for name in NAMES:
            (folder / name).mkdir()
            (folder / name / "rabbitmq.conf").write_text(self._config(name))
            (folder / name / "plugins").write_text("[rabbitmq_management].")
        cookie = folder / ".erlang.cookie"
        cookie.write_text("of-these-tests-alone")
        cookie.chmod(0o400)
        (folder / "secret").write_text(PASSWORD)

    def begin(self) -> None:
        """All three, with one queue of which each has a copy."""
        addresses = ",".join(self.address(name) for name in NAMES)
        epmd = ["epmd", "-address", addresses, "-port", str(self._epmd)]
        self.begin_one("epmd", epmd)
        self.wait(self._registers, "epmd, of which a node would start its own")
        first, *others = NAMES  # all at once they may wait for each other for ever
        self.begin_one(first, self._argv(first))
        self.wait(partial(self.page, first, "overview"), "a node that others can join")
        for name in others:
            self.begin_one(name, self._argv(name))
        self.wait(self.whole, "a cluster")
        self.declare(QUEUE)
        self.wait(self.well, "a queue with a leader")
        self.write()

    def address(self, name: str) -> str:
        return f"{self._net}.{name.removeprefix('rabbit')}"

    def node(self, name: str) -> str:
        """As the cluster calls it."""
        return f"{name}@{self.address(name)}"

    def service(self) -> dict[str, Any]:
        return {
            "health": {"tcp": f"{{address}}:{self.port}", "timeout": f"{_PATIENCE:g}s"},
            "cluster": {
                "rabbitmq": self.config(),
                "transfer": f"{_PATIENCE:g}s",
                "rejoin": f"{_PATIENCE:g}s",
            },
        }

    def config(self) -> dict[str, Any]:
        """Of the driver."""
        return {
            "url": f"http://{{address}}:{self.api_port}",
            "login": {"user": USER, "password": f"file:{self.folder / 'secret'}"},
            "command": ["env", *self._environment()],
        }

    def page(self, name: str, path: str, **more: Any) -> Any:
        """Of its management API. Raises OSError."""
        url = f"http://{self.address(name)}:{self.api_port}/api/{path}"
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"}, **more)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def queue(self, name: str) -> Any:
        """As one of them has it at this moment."""
        told = self.page(name, "queues?disable_stats=true")
        return next(queue for queue in told if queue["name"] == QUEUE)

    def leader(self) -> str:
        """Host of the node that leads it; the name of each node begins with that of its host."""
        return str(self.queue(NAMES[0])["leader"]).partition("@")[0]

    def ctl(self, name: str, *words: str) -> str:
        """Its command line, by hand."""
        done = subprocess.run(
            ["env", *self._environment(), *words[:1], "-n", self.node(name), *words[1:]],
            capture_output=True, text=True, check=True, timeout=_PATIENCE,
        )  # fmt: skip
        return done.stdout

    def declare(self, queue: str, kind: str = "quorum", at: str = NAMES[0]) -> None:
        arguments = {"x-queue-type": kind}
        data = json.dumps({"durable": True, "arguments": arguments, "node": self.node(at)})
        self.page(at, f"queues/%2F/{queue}", data=data.encode(), method="PUT")

    def delete(self, queue: str) -> None:
        self.page(NAMES[0], f"queues/%2F/{queue}", method="DELETE")

    def whole(self) -> bool:
        """All see all run."""
        seen = [self.page(name, "nodes?columns=name,running") for name in NAMES]
        return all(len(NAMES) == sum(node["running"] for node in nodes) for nodes in seen)

    def well(self) -> bool:
        """That, and the queue is led, with everybody online."""
        told = [self.queue(name) for name in NAMES]
        return self.whole() and all(one["leader"] and len(one["online"]) == 3 for one in told)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until it holds; a node that does not answer yet is waited for."""
        until, error = time.monotonic() + _PATIENCE, ""
        while True:
            try:
                if condition():
                    return
            except OSError as silence:
                error = f": {silence}"
            assert time.monotonic() < until, f"waited in vain for {what}{error}\n{self._tails()}"
            time.sleep(0.1)

    def put(self, key: str, queue: str = QUEUE) -> None:
        """Confirmed by a majority of the queue. Raises OSError."""
        if self._client is None:
            self._client = self._opened(next(self._turns), _ANSWER)
        try:
            self._client.publish(queue, key)
        except OSError:
            self._client.close()
            self._client = None
            raise

    def taken(self, name: str = NAMES[0]) -> list[str]:
        """All that is in the queue, which is empty then; of any node that lets us in."""
        client = self._opened(name, _PATIENCE)
        try:
            return list(iter(partial(client.get, QUEUE), None))
        finally:
            client.close()

    def end(self) -> None:
        if self._client is not None:
            self._client.close()
        for name in self.names:  # in order it takes five seconds each
            pid = self.keep(name, "status", check=False)
            if pid:
                os.kill(int(pid), signal.SIGKILL)
        super().end()

    def _opened(self, name: str, seconds: float) -> Client:
        return Client(self.address(name), self.port, USER, PASSWORD, seconds)

    def _registers(self) -> bool:
        with socket.create_connection((self.address(NAMES[0]), self._epmd), timeout=5):
            return True

    def _shelve(self) -> None:
        """Of the plugins that a node reads when it starts only those that it will need: it starts
        sooner."""
        shelf = self.folder / "shelf"
        shelf.mkdir()
        for path in (
            (PROGRAMS / "rabbitmq-server").resolve().parents[1].joinpath("plugins").iterdir()
        ):
            if path.name.startswith(_PLUGINS) or not path.name.startswith("rabbitmq_"):
                (shelf / path.name).symlink_to(path)

    def _argv(self, name: str) -> list[str]:
        folder = self.folder / name
        own = {
            "RABBITMQ_NODENAME": self.node(name),
            "RABBITMQ_CONFIG_FILE": folder / "rabbitmq.conf",
            "RABBITMQ_MNESIA_BASE": folder / "mnesia",
            "RABBITMQ_PLUGINS_DIR": self.folder / "shelf",
            "RABBITMQ_LOG_BASE": folder / "log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
            "RABBITMQ_DIST_PORT": free_port(self.address(name)),
            # no shell in between: its process is the one that is kept
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_inside(self.address(name))} -noinput",
        }
        words = [f"{key}={value}" for key, value in own.items()]
        return [
            "env",
            *self._environment(),
            *words,
            str(PROGRAMS / "rabbitmq-server"),
        ]

    def _environment(self) -> list[str]:
        return [
            f"PATH={PROGRAMS}:/usr/bin:/bin",
            f"HOME={self.folder}",
            f"ERL_EPMD_PORT={self._epmd}",
            "RABBITMQ_USE_LONGNAME=true",
            "RABBITMQ_CONF_ENV_FILE=/dev/null",
            f"RABBITMQ_CTL_ERL_ARGS={_inside('127.0.0.1')}",
        ]

    def _config(self, name: str) -> str:
        return f"""
listeners.tcp.1 = {self.address(name)}:{self.port}
management.tcp.ip = {self.address(name)}
management.tcp.port = {self.api_port}
default_user = {USER}
default_pass = {PASSWORD}
loopback_users = none
disk_free_limit.absolute = 1MB
collect_statistics_interval = 1000
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = {self.node(NAMES[0])}
"""

    def _tails(self) -> str:
        logs = (self.folder / "keep").glob("*.log")
        return "\n".join(f"{path.name}: {path.read_text()[-800:]}" for path in logs)


def _inside(address: str) -> str:
    """Erlang that listens there alone."""
    return f"-kernel inet_dist_use_interface {{{address.replace('.', ',')}}} {_ERLANG}"


_SITES: list[RabbitSite] = []


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitSite]:
    """The one for all modules that ask for it."""
    if not _SITES:
        _SITES.append(RabbitSite(tmp_path_factory.mktemp("rabbit")))
        try:
            _SITES[0].begin()
        except BaseException:
            _SITES[0].end()
            raise
    yield _SITES[0]
    _SITES[0].end()
