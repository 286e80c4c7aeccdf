"""A client of PostgreSQL, while its server is stopped at once, is frozen, and comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gapless.clock import LoopClock
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.postgresql import PostgresqlWorkload
from gapless.prove.load import Load
from tests.clusters.patroni_cluster import postgresql, wait_for
from tests.ports import free_port

pytestmark = [pytest.mark.xdist_group("proved_postgresql"), pytest.mark.timeout(170)]
_USER = WorkloadConfig(user="postgres")


class Server:
    """One server, alone. It does not run as root: its folder is one that its own user reaches."""

    def __init__(self, folder: Path) -> None:
        programs = postgresql()
        if programs is None:
            missing = "not installed: postgresql (apt-get install postgresql)"
            if os.environ.get("GAPLESS_LAB") == "required":
                pytest.fail(missing)
            pytest.skip(missing)
        self._programs, self._folder = programs, folder
        self._data, self.port = folder / "data", free_port()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        words = ("-A", "trust", "-U", "postgres", "--no-sync", "-D", str(self._data))
        argv = self._argv("initdb", *words)
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    def start(self) -> None:
        """Returns when it takes clients; it ends with whoever started it."""
        words = ("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._folder), "-F")
        argv = self._argv("postgres", "-D", str(self._data), *words)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, cwd=self._folder, stdout=log, stderr=log)
        wait_for(self._takes_clients, "a server")

    def stop(self) -> None:
        """At once."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(40)

    def signal(self, number: signal.Signals) -> None:
        """To it and to all that serve its clients."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            os.kill(one, number)

    def tables(self) -> list[str]:
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres") as connection:
            found = connection.execute("SELECT tablename FROM pg_tables").fetchall()
        return [name for (name,) in found if name.startswith("gapless")]

    def client(self) -> PostgresqlWorkload:
        nobody = f"127.0.0.1:{free_port()}"
        return PostgresqlWorkload(
            [nobody, f"127.0.0.1:{self.port}"], Login("db", _USER), "postgres", "gapless_prove_ab"
        )

    def _takes_clients(self) -> bool:
        try:
            self.tables()
        except psycopg.OperationalError:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            return False
        return True

    def _argv(self, program: str, *words: str) -> list[str]:
        other = ("--reuid", "postgres", "--regid", "postgres", "--init-groups")
        whom = other if os.getuid() == 0 else ()
        return [
            "setpriv",
            "--pdeathsig",
            "QUIT",
            *whom,
            "--",
            str(self._programs / program),
            *words,
        ]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="gapless-pg-"))
    try:
        made = Server(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


def test_a_server_that_comes_back_has_all_that_it_acknowledged(server: Server) -> None:
    async def scenario() -> Load:
        load = Load("db", server.client(), 20.0, 20.0, LoopClock(), "ab")
        await load.open()
        assert server.tables() == ["gapless_prove_ab"]
        load.begin()
        await _more(load)
        await asyncio.to_thread(server.stop)
        server.start()  # by the main thread: it ends with the thread that started it
        await _more(load)
        await load.finish()
        await load.close()
        return load

    view = asyncio.run(scenario()).view()
    assert view.retried and not view.gap.failed, view
    assert view.acknowledged > 10 and not view.lost and not view.unread and not view.left
    assert server.tables() == []


def test_a_server_that_is_silent_is_given_up_in_time(server: Server) -> None:
    async def scenario() -> Load:
        load = Load("db", server.client(), 20.0, 0.6, LoopClock(), "ab")
        await load.open()
        load.begin()
        await _more(load)
        server.signal(signal.SIGSTOP)
        try:
            while not load.view().gap.failed:
                await asyncio.sleep(0.02)
        finally:
            server.signal(signal.SIGCONT)
        await _more(load)
        await load.finish()
        await load.close()
        return load

    view = asyncio.run(scenario()).view()
    assert view.gap.failures[0].what.endswith("no answer within 300ms"), view
    assert not view.lost and not view.unread and not view.left
    assert server.tables() == []


async def _more(load: Load) -> None:
    """Until more has been acknowledged."""
    before = load.view().acknowledged
    async with asyncio.timeout(60):
        while load.view().acknowledged < before + 5:
            await asyncio.sleep(0.02)
