"""Real etcd of several members on this machine, each at an address of its own, spoken to without
gapless."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

PROGRAM = shutil.which("etcd")
QUICK = ("--heartbeat-interval", "50", "--election-timeout", "500")
"""Half of what etcd takes by itself: somebody who is gone is replaced sooner."""
_PATIENCE = 40.0


def need_etcd() -> None:
    """Skip without the program, unless everything has to run."""
    if PROGRAM is None:
        missing = "etcd is not installed (apt-get install etcd-server)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class EtcdMembers:
    """``etcd1`` … are names of members and of the hosts they are on. Nothing runs at first.
    ``times``: flags for when a leader is taken for gone."""

    def __init__(self, folder: Path, times: Sequence[str] = QUICK) -> None:
        need_etcd()
        self._folder = folder
        self._times = times
        # Connections begin at 127.0.0.1, so none of them takes a port that a member comes back to.
        self._net = f"127.{random.randint(1, 254)}.{random.randint(2, 254)}"
        self.client_port, self._peer_port = (free_port(f"{self._net}.1") for _ in range(2))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._argv: dict[str, list[str]] = {}

    def begin(self, count: int = 3) -> list[str]:
        """A new cluster of so many; returns when all of them follow one leader."""
        names = [f"etcd{number}" for number in range(1, count + 1)]
        for name in names:
            self.start(name, names)
        self.wait(lambda: self._one_leader(names), "one leader")
        return names

    def address(self, name: str) -> str:
        """That of a host."""
        return f"{self._net}.{int(name.removeprefix('etcd'))}"

    def url(self, name: str) -> str:
        """For clients."""
        return f"http://{self.address(name)}:{self.client_port}"

    def peer_url(self, name: str) -> str:
        """For members."""
        return f"http://{self.address(name)}:{self._peer_port}"

    def start(self, name: str, among: Sequence[str] = (), *flags: str, state: str = "new") -> None:
        """Run it; without ``among`` as it was run before. Returns when it listens."""
        assert PROGRAM
        if among:
            self._argv[name] = [*self._words(name, among, state), *flags]
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [PROGRAM, *self._argv[name]], stdout=log, stderr=log
            )

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, in order unless another signal says otherwise."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(_PATIENCE)
        finally:
            process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        self.stop(name, signal.SIGKILL)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """It does not run for a while, and is not gone."""
        process = self._processes[name]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def wipe(self, name: str) -> None:
        """Its disk is lost."""
        shutil.rmtree(self._data(name))

    def end(self) -> None:
        """Everything that was started is gone."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def call(self, name: str, path: str, data: Any) -> dict[str, Any]:
        """Ask one member. Raises OSError, also for what it refuses."""
        asked = urllib.request.Request(self.url(name) + path, json.dumps(data).encode())
        with urllib.request.urlopen(asked, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def status(self, name: str) -> dict[str, Any]:
        return self.call(name, "/v3/maintenance/status", {})

    def id(self, name: str) -> str:
        """As etcdctl shows it."""
        return f"{int(self.status(name)['header']['member_id']):x}"

    def leader(self, name: str) -> str:
        """Whom it follows."""
        return f"{int(self.status(name).get('leader', 0)):x}"

    def add(self, asked: str, name: str, *, learner: bool = False) -> None:
        """A new one on the list; tried until the cluster takes it."""
        data = {"peerURLs": [self.peer_url(name)], "isLearner": learner}
        self.wait(lambda: self.call(asked, "/v3/cluster/member/add", data), f"adding {name}")

    def remove(self, asked: str, member: str) -> None:
        data = {"ID": str(int(member, 16))}
        self.wait(lambda: self.call(asked, "/v3/cluster/member/remove", data), f"removing {member}")

    def put(self, name: str, key: str, value: str) -> None:
        self.call(name, "/v3/kv/put", {"key": _packed(key), "value": _packed(value)})

    def keys(self, name: str, prefix: str) -> dict[str, str]:
        """Read from the quorum."""
        asked = {"key": _packed(prefix), "range_end": _packed(prefix + "\x7f")}
        found = self.call(name, "/v3/kv/range", asked).get("kvs", [])
        return {_unpacked(kv["key"]): _unpacked(kv["value"]) for kv in found}

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until it holds; a member that does not answer yet is waited for."""
        until, error = time.monotonic() + _PATIENCE, ""
        while True:
            try:
                if condition():
                    return
            except OSError as silence:
                error = f": {silence}"
            assert time.monotonic() < until, f"waited in vain for {what}{error}\n{self._tails()}"
            time.sleep(0.05)

    def _one_leader(self, names: Sequence[str]) -> bool:
        leaders = {self.leader(name) for name in names}
        # The version of the cluster comes last, and is an entry of its own.
        ready = all(
            '"etcdcluster":"not_decided"' not in self._version(name).replace(" ", "")
            for name in names
        )
        return len(leaders) == 1 and leaders != {"0"} and ready

    def _version(self, name: str) -> str:
        with urllib.request.urlopen(f"{self.url(name)}/version", timeout=5) as answer:
            return str(answer.read().decode())

    def _words(self, name: str, among: Sequence[str], state: str) -> list[str]:
        cluster = ",".join(f"{other}={self.peer_url(other)}" for other in among)
        return [
            *("--name", name, "--data-dir", str(self._data(name))),
            *("--listen-client-urls", self.url(name)),
            *("--advertise-client-urls", self.url(name)),
            *("--listen-peer-urls", self.peer_url(name)),
            *("--initial-advertise-peer-urls", self.peer_url(name)),
            *("--initial-cluster", cluster, "--initial-cluster-state", state),
            *("--initial-cluster-token", self._net),
            *self._times,
        ]

    def _data(self, name: str) -> Path:
        return self._folder / name

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _tails(self) -> str:
        return "\n".join(
            f"{path.name}: {path.read_text()[-800:]}" for path in self._folder.glob("*.log")
        )


class Writer:
    """A client that writes one key after the other, each until somebody acknowledges it."""

    def __init__(self, members: EtcdMembers, names: Sequence[str]) -> None:
        self._members = members
        self._names = list(names)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.acknowledged: dict[str, str] = {}

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def goes_on(self) -> None:
        """Returns when more has been acknowledged."""
        before = len(self.acknowledged)
        self._members.wait(lambda: len(self.acknowledged) > before + 5, "writes")

    def _write(self) -> None:
        number = 0
        while not self._ending.is_set():
            key, value = f"written/{number:06}", f"{number * 7}"
            try:
                self._members.put(self._names[0], key, value)
            except OSError:
                self._names.append(self._names.pop(0))
            else:
                self.acknowledged[key] = value
                number += 1
            self._ending.wait(0.005)


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unpacked(text: str) -> str:
    return base64.b64decode(text).decode()
