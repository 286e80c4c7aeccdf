"""NATS is restarted by one command, while somebody publishes all the time."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.nats_client import Client
from tests.clusters.nats_cluster import CURRENT, DEBIAN, EDITIONS, NAMES, USERS, NatsServers
from tests.clusters.site import Site, Writer

pytestmark = [pytest.mark.timeout(170), pytest.mark.xdist_group("nats-rolled")]
_ANSWER = 0.1
"""Seconds after which a message is said again."""
_STALL = 0.3
"""Of these the server itself waits for 0.25 when it hands over."""
_BUSY = 1.7
"""What is allowed beside that where others use this machine, too: within the two seconds for which
a client tries."""


class NatsSite(Site):
    """Three servers; the writer goes on to the next one where its own ends."""

    def __init__(self, folder: Path, edition: str = DEBIAN) -> None:
        super().__init__(folder, list(NAMES))
        (folder / "data").mkdir()
        self.edition = edition
        self.servers = NatsServers(folder / "data", edition)
        self._turns = itertools.cycle(NAMES)
        self._client: Client | None = None
        self.places: dict[str, int] = {}
        """By message where the stream has it, as it was acknowledged."""

    def begin(self) -> None:
        for name in NAMES:
            self.begin_one(name, self.servers.argv(name))
        self.servers.wait(self.servers.well, "a cluster")
        self.servers.furnish()
        for account, (_, password) in USERS.items():
            (self.folder / f"{account}.secret").write_text(password)
        self.write()

    def address(self, name: str) -> str:
        return self.servers.address(name)

    def service(self) -> dict[str, Any]:
        users = {
            account: {"user": user, "password": f"file:{self.folder / account}.secret"}
            for account, (user, _) in USERS.items()
        }
        client = f"{{address}}:{self.servers.client_port}"
        monitor = f"http://{{address}}:{self.servers.monitor_port}"
        nats = {"monitor": monitor, "address": client, "accounts": {"SHOP": users["SHOP"]}}
        return {
            "health": {"http": f"{monitor}/healthz", "timeout": "30s"},
            "cluster": {"nats": {**nats, "system": users["$SYS"]}},
        }

    def put(self, key: str) -> None:
        """Raises OSError."""
        if self._client is None:
            at = self.address(next(self._turns))
            self._client = Client(at, self.servers.client_port, *USERS["SHOP"])
        try:
            self.places[key] = self._client.publish("orders.new", key, _ANSWER)["seq"]
        except TimeoutError:
            raise  # the connection is good: it is said again
        except OSError as error:
            if "503" not in str(error):  # else nobody leads the stream for the moment
                self._client.close()
                self._client = None
            raise

    def lost(self, keys: list[str]) -> list[str]:
        """Those that are not where they were acknowledged to be."""
        with self.servers.client(NAMES[0]) as client:
            return [key for key in keys if self._read(client, self.places[key]) != key]

    def end(self) -> None:
        with suppress(OSError):
            if self._client:
                self._client.close()
        super().end()

    def _read(self, client: Client, place: int) -> str:
        told = client.api("STREAM.MSG.GET.ORDERS", {"seq": place})
        return base64.b64decode(told["message"]["data"]).decode()


@pytest.fixture(scope="module", params=EDITIONS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NatsSite]:
    made = NatsSite(tmp_path_factory.mktemp("site"), request.param)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_a_stream_that_would_be_gone_is_not_stopped(site: NatsSite) -> None:
    """Not even with a reason: nothing is touched."""
    before = site.pids()
    with site.servers.client(NAMES[0]) as client:
        loose = {"name": "LOOSE", "subjects": ["loose.*"], "num_replicas": 1, "storage": "memory"}
        client.api("STREAM.CREATE.LOOSE", loose)
        client.publish_in_the_end("loose.x", "one")
        told = site.run("restart", "--yes", "--force", "--reason", "test", check=3)
        client.api("STREAM.DELETE.LOOSE")
    assert "SHOP > LOOSE" in told and "nats stream edit LOOSE --replicas 3" in told
    assert site.pids() == before


def test_leaders_go_last_and_no_message_is_lost(site: NatsSite) -> None:
    before = site.pids()
    led = site.servers.leaders(NAMES[0])
    with Writer(site.put, OSError) as writer:
        told = site.run("restart", "--yes", "--reason", "test")
    print(told)
    assert not site.lost(writer.acknowledged)
    assert len(writer.acknowledged) > 50
    first, *_, last = site.order()
    assert last == led["meta"], "its leader goes last"
    if site.edition == CURRENT:  # who is told whom to hand over to moves nothing twice
        most = len(led) + sum(leader == first for leader in led.values())
        moved = [one.data["moved"] for one in site.events() if one.type == "leaders.moved"]
        assert sum(moved) <= most, moved
    assert all(site.pids()[name] != before[name] for name in NAMES)
    assert site.servers.well()
    site.servers.wait(lambda: len(site.servers.held()) == 1, "replicas that hold the same")
    print(f"{len(writer.acknowledged)} messages, longest {writer.longest:.2f} s")
    assert writer.longest < _STALL + _BUSY
