"""Real ZooKeeper of three servers on this machine, each at an address of its own."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clusters.zookeeper_client import Client
from tests.ports import free_port, own_address

JAVA = shutil.which("java")
JARS = [Path("/usr/share/java") / name for name in ("zookeeper.jar", "slf4j-simple.jar")]
NAMES = ("zk1", "zk2", "zk3")
ALL_WORDS = "mntr,srvr,conf"
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx64m")
"""These live for seconds."""
_PATIENCE = 60.0
_DEATHSIG = 1


def need_zookeeper() -> None:
    """Skip without the program, unless everything has to run."""
    if JAVA is None or not JARS[0].exists():
        missing = "ZooKeeper is not installed (apt-get install zookeeper)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class ZooKeeperServers:
    """``zk1`` … are names of the hosts that they are on; the server's id is the number. Nothing
    runs at first."""

    def __init__(self, folder: Path) -> None:
        need_zookeeper()
        self._folder = folder
        self._net = own_address().rpartition(".")[0]
        ports = (free_port(f"{self._net}.1") for _ in range(3))
        self.client_port, self._quorum_port, self._election_port = ports
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in NAMES:
            (folder / name).mkdir()
            (folder / name / "myid").write_text(name.removeprefix("zk"))
            self.configure(name)

    def begin(self) -> None:
        """One leader, and two that follow it."""
        for name in NAMES:
            self.start(name)
        self.wait(self.well, "an ensemble")

    def configure(self, name: str, *, words: str = ALL_WORDS, alone: bool = False) -> None:
        """For its next start; ``alone``: it finds none of the others, nor they it."""
        ports = (self._quorum_port, self._election_port)
        if alone:
            ports = (free_port(self.address(name)), free_port(self.address(name)))
        members = "\n".join(
            f"server.{other.removeprefix('zk')}={self.address(other)}:{ports[0]}:{ports[1]}"
            for other in NAMES
        )
        self._config(name).write_text(f"""
tickTime=1000
initLimit=20
syncLimit=10
dataDir={self._folder / name}
clientPort={self.client_port}
clientPortAddress={self.address(name)}
admin.enableServer=false
4lw.commands.whitelist={words}
{members}
""")

    def address(self, name: str) -> str:
        """That of a host."""
        return f"{self._net}.{name.removeprefix('zk')}"

    def argv(self, name: str) -> list[str]:
        assert JAVA
        return [
            *(JAVA, *_QUICK, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"),
            *("-cp", ":".join(map(str, JARS))),
            *("org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self._config(name))),
        ]

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
    def client(self, name: str) -> Iterator[Client]:
        client = Client(self.address(name), self.client_port)
        try:
            yield client
        finally:
            client.close()

    def say(self, name: str, word: str) -> dict[str, str]:
        """What it answers to a word, by field. Raises OSError."""
        address = (self.address(name), self.client_port)
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(word.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        mark = {"mntr": "\t", "conf": "="}.get(word, ": ")
        pairs = (line.partition(mark) for line in answer.splitlines())
        return {key: value for key, found, value in pairs if found}

    def leader(self) -> str:
        """Who says so; "" for nobody. Raises OSError."""
        told = [name for name in NAMES if self.say(name, "srvr").get("Mode") == "leader"]
        return told[0] if len(told) == 1 else ""

    def well(self) -> bool:
        """One leads, and counts both others. Raises OSError."""
        leader = self.leader()
        return bool(leader) and self.say(leader, "mntr").get("zk_synced_followers") == "2"

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

    def _config(self, name: str) -> Path:
        return self._folder / f"{name}.cfg"

    def _tails(self) -> str:
        logs = self._folder.glob("*.log")
        return "\n".join(f"{path.name}: {path.read_text()[-800:]}" for path in logs)


def _ends_with_us() -> None:
    ctypes.CDLL(None).prctl(_DEATHSIG, signal.SIGKILL)
