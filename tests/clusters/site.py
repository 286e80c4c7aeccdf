"""Clusters of real processes, each member on a "host" of its own, and what gapless is told."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event
from tests.clusters.etcd_cluster import PROGRAM, QUICK, EtcdMembers

KEEPER = Path(__file__).with_name("keeper.py")


class Site:
    """Members are started by the keeper, as a service manager would. ``names`` are those of the
    hosts; ``settings`` go over the keys of the service, ``others`` are services beside it,
    ``beside`` is what the file has else."""

    LIMIT = 170.0
    """Seconds that a command may take, with tests beside it."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder, self.names = folder, names
        self.settings: dict[str, Any] = {}
        self.beside: dict[str, Any] = {}
        self.others: dict[str, Any] = {}
        self._kept: list[str] = []
        (folder / "keep").mkdir()

    def address(self, name: str) -> str:
        """That of a host."""
        raise NotImplementedError

    def service(self) -> dict[str, Any]:
        """What is special about it."""
        raise NotImplementedError

    def begin_one(self, name: str, argv: list[str]) -> None:
        """Started, and kept from now on."""
        self.kept(name, argv)
        self._kept.append(name)
        self.keep(name, "start")

    def kept(self, name: str, argv: list[str]) -> None:
        """What its next start is."""
        (self.folder / "keep" / f"{name}.argv").write_text(json.dumps(argv))

    def end(self) -> None:
        """Nothing runs any more."""
        for name in self._kept:
            self.keep(name, "stop", check=False)

    def keep(self, name: str, verb: str, *, check: bool = True) -> str:
        """By hand."""
        done = subprocess.run(
            [sys.executable, str(KEEPER), str(self.folder / "keep"), name, verb],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def log(self, name: str) -> str:
        """What its program has said so far."""
        return (self.folder / "keep" / f"{name}.log").read_text()

    def pids(self) -> dict[str, str]:
        return {name: self.keep(name, "status") for name in self.names}

    def write(self) -> None:
        """gapless.yaml."""
        keeper = [sys.executable, str(KEEPER), str(self.folder / "keep"), "{host}"]
        service = {
            "on": list(self.names),
            "command": {verb: [*keeper, verb] for verb in ("start", "stop", "status")},
            "soak": "0s",
            **self.service(),
            **self.settings,
        }
        hosts = {
            name: {
                "transport": "local",
                "address": self.address(name),
                "sudo": False,
                "state_dir": str(self.folder / "hosts" / name),
            }
            for name in self.names
        }
        data = {"project": "site", "hosts": hosts, "services": {"store": service, **self.others}}
        data |= self.beside
        (self.folder / "gapless.yaml").write_text(yaml.safe_dump(data, sort_keys=False))

    def run(self, *words: str, check: int | None = 0) -> str:
        """The command to its end; its whole output."""
        done = subprocess.run(
            [sys.executable, "-m", "gapless", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=self.LIMIT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        told = f"{done.stdout}\n{done.stderr}"
        assert check is None or done.returncode == check, f"exit {done.returncode}\n{told}"
        return told

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """The command, and it goes on running."""
        return subprocess.Popen(
            [sys.executable, "-m", "gapless", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def environment(self) -> Mapping[str, str]:
        state = str(self.folder / "state")
        return {**os.environ, "GAPLESS_STATE": state, "NO_COLOR": "1", "COLUMNS": "120"}

    def events(self) -> list[Event]:
        """Of the last rollout."""
        journal = SqliteJournal(self.folder / "state" / "site")
        try:
            return [event for one in journal.rollouts(1) for event in journal.events(one.id)]
        finally:
            journal.close()

    def order(self) -> list[str]:
        """Hosts as they were stopped."""
        return [e.host for e in self.events() if e.type == "step.started" and e.step == "switch"]

    def wait_for(self, kind: str, step: str, seconds: float = 60.0) -> str:
        """Until the journal has this event; the host that it is of."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (self.folder / "state" / "site").exists():
                for event in self.events():
                    if (event.type, event.step) == (kind, step):
                        return event.host
            time.sleep(0.02)
        raise AssertionError(f"no {kind} {step} within {seconds:g} s")


class KeptMembers(EtcdMembers):
    """Started by somebody else."""

    def argv(self, name: str, among: list[str]) -> list[str]:
        assert PROGRAM
        return [PROGRAM, *self._words(name, among, "new")]

    def settled(self, names: list[str]) -> None:
        self.wait(lambda: self._one_leader(names), "one leader")


class EtcdSite(Site):
    """Three members; ``times`` as for ``EtcdMembers``."""

    def __init__(self, folder: Path, times: Sequence[str] = QUICK) -> None:
        super().__init__(folder, [f"etcd{number}" for number in (1, 2, 3)])
        (folder / "data").mkdir()
        self.members = KeptMembers(folder / "data", times)
        self._turns = itertools.cycle(self.names)

    def put(self, key: str) -> None:
        """To the next member. Raises OSError."""
        self.members.put(next(self._turns), key, key)

    def lost(self, keys: list[str]) -> list[str]:
        """Those that are not there."""
        there = self.members.keys(self.names[0], "n")
        return [key for key in keys if there.get(key) != key]

    def begin(self) -> None:
        """All of them follow one leader."""
        for name in self.names:
            self.begin_one(name, self.members.argv(name, self.names))
        self.members.settled(self.names)
        self.write()

    def address(self, name: str) -> str:
        return self.members.address(name)

    def service(self) -> dict[str, Any]:
        port = self.members.client_port
        return {
            "health": {"http": f"http://{{address}}:{port}/health", "timeout": "20s"},
            "cluster": {"etcd": {"url": f"http://{{address}}:{port}"}},
        }


class Writer:
    """Puts numbered keys all the time, each until it is acknowledged. ``put`` raises one of
    ``failures`` where it is not."""

    def __init__(
        self, put: Callable[[str], None], failures: type[Exception], rate: float = 50.0
    ) -> None:
        self._put, self._failures, self._rate = put, failures, rate
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[str] = []
        self.longest = 0.0
        """Seconds that one of them took."""

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        for number in itertools.count():
            began = time.monotonic()
            while not self._ended.is_set():
                with contextlib.suppress(self._failures):
                    self._put(f"n{number:06}")
                    self.acknowledged.append(f"n{number:06}")
                    self.longest = max(self.longest, time.monotonic() - began)
                    break
                time.sleep(0.01)
            if self._ended.wait(max(0.0, 1 / self._rate - (time.monotonic() - began))):
                return
