"""PostgreSQL of three members under Patroni on this machine, each at an address of its own, with
one etcd as their store."""

from __future__ import annotations

import base64
import getpass
import json
import os
import random
import shutil
import signal
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.clusters.etcd_cluster import EtcdMembers
from tests.clusters.site import Site
from tests.ports import free_port

PROGRAM = shutil.which("patroni")
USER, PASSWORD = "shopkeeper", "correct-horse"
"""Who may order something of Patroni."""
_PATIENCE = 60.0


def postgresql() -> Path | None:
    """The folder of its programs; the newest there is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_major)
    return found[-1].parent if found else None


def _major(path: Path) -> int:
    return int(path.parts[-3].partition(".")[0])


def need_patroni() -> None:
    """Skip without the programs, unless everything has to run."""
    wanted = {"patroni": PROGRAM, "postgresql": postgresql(), "etcd-server": shutil.which("etcd")}
    if missing := [name for name, found in wanted.items() if not found]:
        told = f"not installed: {', '.join(missing)} (apt-get install {' '.join(missing)})"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(told)
        pytest.skip(told)


class PatroniSite(Site):
    """``pg1`` … are names of members and of the hosts they are on; the first begins as leader.
    PostgreSQL does not run as root: its folder is one that its own user reaches."""

    def __init__(self) -> None:
        need_patroni()
        folder = Path(tempfile.mkdtemp(prefix="gapless-pg-"))
        super().__init__(folder, ["pg1", "pg2", "pg3"])
        self._user = "postgres" if os.getuid() == 0 else getpass.getuser()
        folder.chmod(0o711)
        (folder / "etcd").mkdir()
        self.store = EtcdMembers(folder / "etcd")
        # Connections begin at 127.0.0.1, so none of them takes a port that a member comes back to.
        self._net = f"127.{random.randint(1, 254)}.{random.randint(2, 254)}"
        self.api_port, self._port = (free_port(f"{self._net}.1") for _ in range(2))
        self._connection: psycopg.Connection[Any] | None = None

    def address(self, name: str) -> str:
        return f"{self._net}.{name.removeprefix('pg')}"

    def begin(self) -> None:
        """Two stream from the first, and everybody knows it."""
        self.begin_store()
        for name in self.names:
            self.configure(name)
        self.start_member("pg1")
        wait_for(lambda: self.leader() == "pg1" and self.writes("pg1"), "a leader")
        for name in self.names[1:]:
            self.start_member(name)
        wait_for(self.well, "two replicas that stream")
        with self.connected() as connection:
            connection.execute("CREATE TABLE written (key text PRIMARY KEY)")
        self.write()

    def begin_store(self) -> None:
        """One etcd for all."""
        self.store.begin(1)

    def store_of(self, name: str) -> str:
        """The one that a member asks."""
        return self.store.url("etcd1")

    def service(self) -> dict[str, Any]:
        return {
            "health": {"http": f"http://{{address}}:{self.api_port}/health", "timeout": "20s"},
            "cluster": {"patroni": self.driven()},
        }

    def driven(self) -> dict[str, Any]:
        """The keys of the driver."""
        return {
            "url": f"http://{{address}}:{self.api_port}",
            "login": {"user": USER, "password": "env:GAPLESS_TEST_PATRONI"},
        }

    def end(self) -> None:
        """Neither Patroni nor PostgreSQL runs any more, nor its store."""
        if self._connection is not None:
            self._connection.close()
        self.kill()
        self.store.end()
        shutil.rmtree(self.folder)

    def kill(self) -> None:
        """Neither Patroni nor PostgreSQL."""
        for name in self.names:  # all of them first, so that nobody takes over
            self._kill(self.folder / "keep" / f"{name}.pid", signal.SIGKILL)
        for name in self.names:
            self._kill(self.data(name) / "postmaster.pid", signal.SIGQUIT)

    def start_member(self, name: str) -> None:
        """As a service manager would."""
        self.begin_one(name, self.begins(name))

    def begins(self, name: str) -> list[str]:
        """The words that Patroni is started with."""
        assert PROGRAM
        argv = [PROGRAM, str(self.folder / f"{name}.yml")]
        if os.getuid() != 0:
            return argv
        words = ("--reuid", self._user, "--regid", self._user, "--init-groups", "--")
        return ["setpriv", *words, *argv]

    def ask(self, name: str, path: str) -> Any:
        """What it answers. Raises OSError."""
        with urllib.request.urlopen(self._url(name, path), timeout=5) as answer:
            return json.load(answer)

    def tell(self, name: str, method: str, path: str, data: Any = None) -> str:
        """Something that needs a login; what it says. Raises OSError, also for what it refuses."""
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        asked = urllib.request.Request(
            self._url(name, path),
            json.dumps(data).encode() if data is not None else None,
            {"Authorization": f"Basic {known}"},
            method=method,
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return str(answer.read().decode())

    def leader(self) -> str:
        """Whom the store names, "" where nobody is, or nobody can be asked."""
        for name in self.names:
            with suppress(OSError, ValueError):
                told = self.ask(name, "/cluster")["members"]
                return next((one["name"] for one in told if one["role"] == "leader"), "")
        return ""

    def synchronous(self) -> list[str]:
        """Who has whatever was acknowledged, as the store has it."""
        told = self.ask(self.leader(), "/cluster")["members"]
        return [one["name"] for one in told if one["role"] == "sync_standby"]

    def began(self) -> dict[str, str]:
        """When each PostgreSQL did."""
        return {name: self.ask(name, "/patroni")["postmaster_start_time"] for name in self.names}

    def timeline(self) -> int:
        """The leader's; one more after each promotion."""
        return int(self.ask(self.leader(), "/patroni")["timeline"])

    def writes(self, name: str) -> bool:
        """Whether its PostgreSQL takes writes."""
        with suppress(OSError, ValueError):
            told = self.ask(name, "/patroni")
            return told["state"] == "running" and told["role"] in ("master", "primary")
        return False

    def well(self) -> bool:
        """Whether all but one stream from that one, and the store knows it."""
        with suppress(OSError, ValueError, KeyError):
            status = {name: self.ask(name, "/patroni") for name in self.names}
            told = self.ask(self.names[0], "/cluster")["members"]
            leads = [one for one in status.values() if one["role"] in ("master", "primary")]
            fed = [one for one in leads[0].get("replication", ()) if one["state"] == "streaming"]
            lines = {one["timeline"] for one in (*status.values(), *told)}
            known = all(one.get("lag") != "unknown" for one in told)
            return len(leads) == 1 and len(fed) == 2 and len(lines) == 1 and known
        return False

    def connected(self, name: str = "") -> psycopg.Connection[Any]:
        """To the one that takes writes, or to one by name. Raises psycopg.Error."""
        hosts = [self.address(one) for one in ([name] if name else self.names)]
        return psycopg.connect(
            host=",".join(hosts),
            port=self._port,
            user="postgres",
            dbname="postgres",
            target_session_attrs="any" if name else "read-write",
            connect_timeout=2,
            options="-c statement_timeout=2000",
            autocommit=True,
        )

    def put(self, key: str) -> None:
        """A row. Raises psycopg.Error where it was not acknowledged."""
        try:
            self._connection = self._connection or self.connected()
            words = "INSERT INTO written VALUES (%s) ON CONFLICT DO NOTHING"
            self._connection.execute(words, [key])
        except psycopg.Error:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise

    def lost(self, keys: list[str]) -> list[str]:
        """Those that the leader does not have."""
        with self.connected() as connection:
            there = {row[0] for row in connection.execute("SELECT key FROM written")}
        return [key for key in keys if key not in there]

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "GAPLESS_TEST_PATRONI": PASSWORD}

    def _url(self, name: str, path: str) -> str:
        return f"http://{self.address(name)}:{self.api_port}{path}"

    def data(self, name: str) -> Path:
        """Where its PostgreSQL has all that it has."""
        return self.folder / "data" / name

    def configure(self, name: str, *, replicator: str = "replicator") -> None:
        """Its file, and a folder for its data. ``replicator``: as whom it copies."""
        programs = postgresql()
        assert programs
        folder = self.folder / "data"
        if not folder.exists():
            folder.mkdir()
            shutil.chown(folder, self._user)
        address, api = self.address(name), f"{self.address(name)}:{self.api_port}"
        anybody = [
            "local all all trust",
            "host all all 127.0.0.0/8 trust",
            "host replication all 127.0.0.0/8 trust",
        ]
        config = {
            "scope": "shop",
            "name": name,
            "restapi": {
                "listen": api,
                "connect_address": api,
                "authentication": {"username": USER, "password": PASSWORD},
            },
            "etcd3": {"host": self.store_of(name).removeprefix("http://")},
            "watchdog": {"mode": "off"},
            "bootstrap": {
                "dcs": {
                    "ttl": 20,
                    "loop_wait": 1,
                    "retry_timeout": 3,
                    "postgresql": {"use_pg_rewind": True, "parameters": {"max_connections": 50}},
                },
                "initdb": [{"encoding": "UTF8"}, "data-checksums", "no-sync"],
            },
            "postgresql": {
                "listen": f"{address}:{self._port}",
                "connect_address": f"{address}:{self._port}",
                "data_dir": str(self.data(name)),
                "bin_dir": str(programs),
                "pgpass": str(folder / f"{name}.pgpass"),
                "authentication": {
                    "replication": {"username": replicator, "password": "r"},
                    "superuser": {"username": "postgres", "password": "p"},
                    "rewind": {"username": "rewinder", "password": "w"},
                },
                "basebackup": [{"checkpoint": "fast"}, "no-sync"],
                "pg_hba": anybody,
                "parameters": {
                    "unix_socket_directories": "",
                    "shared_buffers": "16MB",
                    "wal_retrieve_retry_interval": "500ms",
                    "fsync": "off",  # no machine fails here
                },
            },
        }
        (self.folder / f"{name}.yml").write_text(json.dumps(config))
        (self.folder / f"{name}.yml").chmod(0o644)

    def _kill(self, file: Path, number: signal.Signals) -> None:
        """What this file has the number of, if it is still one of ours; returns when it is gone."""
        try:
            pid = int(file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        told = Path(f"/proc/{pid}/cmdline")
        until = time.monotonic() + _PATIENCE
        with suppress(OSError):
            while str(self.folder).encode() in told.read_bytes():
                os.kill(pid, number)
                assert time.monotonic() < until, f"{file} is of a process that runs on"
                time.sleep(0.05)


_SITES: list[PatroniSite] = []


@pytest.fixture(scope="session")
def patroni_site() -> Iterator[PatroniSite]:
    """The one for all modules that ask for it."""
    if not _SITES:
        _SITES.append(PatroniSite())
        try:
            _SITES[0].begin()
        except BaseException:
            _SITES[0].end()
            raise
    yield _SITES[0]
    if _SITES:
        _SITES.pop().end()


def wait_for(holds: Callable[[], bool], what: str, seconds: float = _PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def logs(site: PatroniSite) -> str:
    """The last of what its members said."""
    return "\n".join(
        f"{name}: {(site.folder / 'keep' / f'{name}.log').read_text()[-1500:]}"
        for name in site.names
        if (site.folder / "keep" / f"{name}.log").exists()
    )
