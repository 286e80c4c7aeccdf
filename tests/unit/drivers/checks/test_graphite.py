"""The suite of error counts on a real carbon and graphite-web."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gapless.config.verify_rates import GraphiteConfig
from gapless.drivers.checks.graphite import GraphiteRate
from gapless.drivers.checks.rates import Count, RateSource
from gapless.testing.rate_source_suite import RateRig, RateSourceSuite
from tests.ports import free_port

from .reaching import in_letters, reach
from .servers import Answers, Door, Process, need

pytestmark = pytest.mark.xdist_group("graphite")
_PACKAGE = "/usr/lib/python3/dist-packages/graphite/wsgi.py"
_PYTHON = "/usr/bin/python3"
_CARBON = """
[cache]
STORAGE_DIR = {folder}
CONF_DIR = {folder}
LOG_DIR = {folder}/log
PID_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {cache}
MAX_UPDATES_PER_SECOND = 5000
MAX_CREATES_PER_MINUTE = inf
USER =
"""
_SCHEMAS = """
[all]
pattern = .*
retentions = 1s:1h
"""
_SETTINGS = """
SECRET_KEY = "none"
STORAGE_DIR = CONF_DIR = "{folder}"
LOG_DIR = "{folder}/log"
WHISPER_DIR = "{folder}/whisper"
INDEX_FILE = "{folder}/index"
CARBONLINK_HOSTS = ["127.0.0.1:{cache}:a"]
ALLOWED_HOSTS = ["*"]
TIME_ZONE = "UTC"
DATABASES = {{"default": {{"NAME": ":memory:", "ENGINE": "django.db.backends.sqlite3"}}}}
"""
_SERVE = """
import os, sys
sys.path.insert(0, os.getcwd())
os.environ["GRAPHITE_SETTINGS_MODULE"] = "graphite_here"
os.environ["DJANGO_SETTINGS_MODULE"] = "graphite.settings"
from wsgiref.simple_server import make_server
from graphite.wsgi import application
make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"""


class Shared:
    """One Graphite for all cases; each has hosts of its own."""

    def __init__(self, folder: Path) -> None:
        ports = {name: free_port() for name in ("line", "pickle", "cache")}
        self.port, self.line = free_port(), ports["line"]
        self._last = 0
        for name in ("log", "whisper"):
            (folder / name).mkdir()
        (folder / "carbon.conf").write_text(_CARBON.format(folder=folder, **ports))
        (folder / "storage-schemas.conf").write_text(_SCHEMAS)
        (folder / "graphite_here.py").write_text(_SETTINGS.format(folder=folder, **ports))
        (folder / "serve.py").write_text(_SERVE)
        argv = ("--config=carbon.conf", "--nodaemon", "start")
        self._processes = [
            Process(folder, "carbon-cache", *argv),
            Process(folder, _PYTHON, "serve.py", str(self.port)),
        ]
        self._processes[0].wait_for("127.0.0.1", self.line)
        self._processes[1].wait_for("127.0.0.1", self.port)

    def name(self) -> str:
        self._last += 1
        return f"web{in_letters(self._last)}"

    def stop(self) -> None:
        for process in self._processes:
            process.stop()


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    need("carbon-cache", package="graphite-carbon")
    if not Path(_PACKAGE).exists():
        need("graphite-web", package="graphite-web")
    server = Shared(tmp_path_factory.mktemp("graphite"))
    yield server
    server.stop()


class GraphiteRig:
    """See RateRig. A point a second."""

    can = frozenset({"start", "total", "silence", "nonsense", "past"})

    def __init__(self, shared: Shared) -> None:
        self.host, self.other = shared.name(), shared.name()
        self._line = shared.line
        self._door = Door(shared.port)
        self._points: dict[tuple[str, int], int] = {}

    async def begin(self) -> None:
        await self._door.open()
        # one connection: of two, the later may be read first
        _, self._writer = await asyncio.open_connection("127.0.0.1", self._line)

    async def close(self) -> None:
        self._writer.close()
        await self._door.close()

    def source(self) -> RateSource:
        config = GraphiteConfig(
            url=f"http://127.0.0.1:{self._door.port}",
            errors="shop.{name}.errors",
            total="shop.{name}.requests",
        )
        return GraphiteRate(config, reach())

    async def _add(self, **counts: int) -> None:
        """Counts of this second, as statsd would flush them."""
        now = int(time.time())
        for name, number in counts.items():
            path = f"shop.{name.replace('__', '.')}"
            self._points[path, now] = self._points.get((path, now), 0) + number
            self._writer.write(f"{path} {self._points[path, now]} {now}\n".encode())
        await self._writer.drain()

    async def fail(self, host: str, number: int, word: str = "") -> None:
        await self._add(**{f"{host}__errors": number, f"{host}__requests": number})

    async def succeed(self, host: str, number: int) -> None:
        await self._add(**{f"{host}__requests": number})

    async def start(self, host: str, number: int) -> None:
        await self.fail(host, number)

    async def silence(self) -> None:
        await self._door.close()

    async def nonsense(self) -> None:
        await self._door.lead_to('[{"datapoints": 7}]')


@asynccontextmanager
async def graphite_rig(shared: Shared) -> AsyncIterator[GraphiteRig]:
    rig = GraphiteRig(shared)
    await rig.begin()
    try:
        yield rig
    finally:
        await rig.close()


class TestGraphite(RateSourceSuite):
    @pytest.fixture(autouse=True)
    def _server(self, shared: Shared) -> None:
        self.shared = shared

    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        return graphite_rig(self.shared)


def _told(points: list[list[Any]], since: float, until: float) -> Count | None:
    async def scene() -> Count | None:
        server = Answers(lambda *_: (200, json.dumps([{"target": "t", "datapoints": points}])))
        await server.start()
        try:
            config = GraphiteConfig(url=f"http://127.0.0.1:{server.port}", errors="t")
            return await GraphiteRate(config, reach()).count("web1", since, until)
        finally:
            await server.stop()

    return asyncio.run(scene())


def test_null_is_no_data_and_not_zero() -> None:
    count = _told([[None, 60], [3, 120], [None, 180], [2, 240]], 60, 300)
    assert count == Count(errors=5, seconds=120.0)
    assert _told([[None, 60], [None, 120]], 60, 300) is None
    assert _told([], 60, 300) is None


def test_the_interval_of_the_switch_counts_and_one_that_is_not_over_does_not() -> None:
    count = _told([[9, 0], [4, 60], [1, 120], [7, 180]], 90, 200)
    assert count == Count(errors=5, seconds=120.0)
