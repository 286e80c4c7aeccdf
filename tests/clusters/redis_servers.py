"""Real Redis servers and sentinels on this machine, one pair of each on what stands for a host, and
a client that writes numbered keys meanwhile."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from gapless.config.hosts import HostConfig
from gapless.drivers.clusters.base import Cluster, Rejoined
from gapless.drivers.transports.base import Tls, Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import Unreachable
from gapless.model import Fence
from tests.ports import free_port

PROGRAM = shutil.which("redis-server")
HOSTS = ("redis1", "redis2", "redis3")
PASSWORD = "correct-horse"
MASTER = "shop"
_DEATHSIG = 1


def need_redis() -> None:
    """Skip without the program, unless everything has to run."""
    if PROGRAM is None:
        missing = "Redis is not installed (apt-get install redis-server redis-tools)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class RedisServer:
    """One process with a folder and a port of its own; it ends with the tests, however these end.
    Start it in the main thread: the kernel ends it with the thread that started it."""

    def __init__(self, folder: Path, config: str, *flags: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port(beside=10_000)  # where Redis Cluster's bus is
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        whole = f"bind 127.0.0.1\nport {self.port}\ndir {folder}\nprotected-mode no\n{config}"
        (folder / "redis.conf").write_text(whole)

    def start(self) -> None:
        """Return when it answers."""
        assert PROGRAM
        argv = [PROGRAM, str(self.folder / "redis.conf"), *self._flags]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, preexec_fn=_ends_with_us)
        wait_for(self._answers, f"Redis answers: {self.folder}")

    def stop(self) -> None:
        """As systemd does, in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def client(self, timeout: float = 5.0) -> redis.Redis:
        """Without a retry of its own."""
        password = None if self._flags else PASSWORD
        return redis.Redis(
            port=self.port, password=password, socket_timeout=timeout,
            decode_responses=True, retry=None, protocol=2, legacy_responses=True,
        )  # fmt: skip

    def say(self, *words: str) -> Any:
        with self.client() as client:
            return client.execute_command(*words)

    def _answers(self) -> bool:
        assert self._process and self._process.poll() is None, self._log()
        with suppress(redis.RedisError):
            return bool(self.say("PING"))
        return False

    def _end(self, signum: int) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signum)
            self._process.wait(20)

    def _log(self) -> str:
        return (self.folder / "log").read_text()[-2000:]


def _ends_with_us() -> None:
    ctypes.CDLL(None).prctl(_DEATHSIG, signal.SIGKILL)


class Turned:
    """The transport of one host: the addresses that it has to itself, so to say. ``before`` is
    called with what is about to be said there."""

    def __init__(self, local: LocalTransport, turns: dict[str, int]) -> None:
        self._local = local
        self._turns = turns
        self.before: Callable[[bytes], Awaitable[None]] | None = None
        self.cut_off = False

    async def connect(self) -> None:
        pass

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        if self.before is not None:
            await self.before(data)
        if self.cut_off:
            raise Unreachable("no route to the host")
        real = f"127.0.0.1:{self._turns[address]}"
        return await self._local.exchange(real, data, timeout, fence, tls)


@asynccontextmanager
async def local_transport(folder: Path) -> AsyncIterator[LocalTransport]:
    """A real helper with a state folder of its own."""
    config = HostConfig(transport="local", sudo=False, state_dir=str(folder))
    local = LocalTransport("redis", config)
    try:
        await local.connect()
        yield local
    finally:
        await local.close()


def transport_of(turned: dict[str, Turned]) -> Callable[[str], Transport]:
    """As the drivers are given them."""
    return lambda host: cast(Transport, turned[host])


class Writer(threading.Thread):
    """Sets a key each ten milliseconds, and again until that is acknowledged. ``connected`` makes a
    new connection to whoever is the master now."""

    def __init__(self, connected: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.failed = 0
        """Keys given up."""
        self.retries = 0
        self.stall = 0.0
        """Seconds, at most, between two acknowledgements."""
        self._name = uuid.uuid4().hex  # what another one wrote must not be taken for its keys
        self._connected = connected
        self._ends = threading.Event()

    def run(self) -> None:
        client, last = None, time.monotonic()
        due = last
        for number in range(1_000_000):
            key, until = f"{self._name}:{number}", time.monotonic() + 20
            while not self._ends.is_set() and time.monotonic() < until:
                try:
                    client = client or self._connected()
                    assert client.set(key, key)
                    self.acknowledged.append(key)
                    self.stall = max(self.stall, time.monotonic() - last)
                    last = time.monotonic()
                    break
                except (redis.RedisError, OSError):
                    self.retries += 1
                    with suppress(Exception):
                        client.close()
                    client = None
                    self._ends.wait(0.02)
            else:
                self.failed += not self._ends.is_set()
            due = max(due + 0.01, time.monotonic() - 0.1)
            if self._ends.wait(max(0.0, due - time.monotonic())):
                return

    def end(self) -> None:
        self._ends.set()
        self.join(30)

    def __str__(self) -> str:
        told = f"{len(self.acknowledged)} acknowledged, {self.retries} retries"
        return f"{told}, longest stall {self.stall:.2f} s"


@contextmanager
def writing(connected: Callable[[], Any]) -> Iterator[Writer]:
    """As long as the body; it has begun when that begins."""
    writer = Writer(connected)
    writer.start()
    try:
        wait_for(lambda: len(writer.acknowledged) > 20, "the writer writes")
        yield writer
    finally:
        writer.end()


def wait_for(holds: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


async def until(
    holds: Callable[[], Awaitable[bool]], what: Callable[[], object], seconds: float = 30.0
) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what()}"
        await asyncio.sleep(0.05)


async def healthy(cluster: Cluster) -> None:
    """Nothing is wrong, and everybody is in sync."""
    told: Any = None

    async def well() -> bool:
        nonlocal told
        told = await cluster.topology()
        full = all(group.full for group in told.groups.values())
        return bool(told.groups) and full and not told.findings

    await until(well, lambda: told)


async def back(cluster: Cluster, member: str, before: Any) -> None:
    """It has rejoined."""
    told = Rejoined(False)

    async def rejoined() -> bool:
        nonlocal told
        told = await cluster.rejoined(member, before)
        return told.done

    await until(rejoined, lambda: told)
