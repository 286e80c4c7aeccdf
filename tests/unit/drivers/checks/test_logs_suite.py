"""The suite of error counts on logs: real journals, read by journalctl, and files."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.hosts import HostConfig
from gapless.config.verify_rates import LogsConfig
from gapless.drivers.checks.logs import make_sources
from gapless.drivers.checks.rates import RateSource
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.drivers.transports.log_query import LogQuery, LogReading
from gapless.errors import DeadlineExceeded, Unreachable
from gapless.testing.rate_source_suite import RateRig, RateSourceSuite, reached

from .reaching import in_letters, reach
from .servers import need

_WRITER = "/lib/systemd/systemd-journal-remote"


class OneOfMany(LocalTransport):
    """This machine as one of several hosts: each has a folder of journals of its own."""

    def __init__(self, host: str, config: HostConfig, folder: Path) -> None:
        super().__init__(host, config)
        self._folder = folder
        self.gone = False

    async def connect(self) -> None:
        if self.gone:
            raise Unreachable("no connection", where=self.host)
        await super().connect()

    async def logs(self, query: LogQuery) -> LogReading:
        if self.gone:
            raise Unreachable("no connection", where=self.host)
        if query.files:
            return await super().logs(query)
        mine = self._folder / self.host
        mine.mkdir(exist_ok=True)
        return await super().logs(replace(query, journal=str(mine)))


class LogRig:
    """See RateRig."""

    can = frozenset({"start", "messages", "silence", "past"})
    host, other = "web1", "web2"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._hosts: dict[str, OneOfMany] = {}
        self._gone = False
        self._number = 0

    def transport(self, host: str) -> Transport:
        if host not in self._hosts:
            config = HostConfig(transport="local", state_dir=str(self.folder / "state"))
            self._hosts[host] = OneOfMany(host, config, self.folder)
        self._hosts[host].gone = self._gone
        return self._hosts[host]

    def config(self) -> LogsConfig:
        raise NotImplementedError

    def source(self) -> RateSource:
        return make_sources(self.config(), reach(self.transport))[0]

    def write(self, host: str, lines: list[tuple[str, int]], at: float = 0.0) -> None:
        raise NotImplementedError

    async def fail(self, host: str, number: int, word: str = "") -> None:
        lines = []
        for _ in range(number):
            self._number += 1
            lines.append((word or f"broken {in_letters(self._number)}", 3))
        self.write(host, lines)

    async def succeed(self, host: str, number: int) -> None:
        self.write(host, [("served", 6)] * number)

    async def start(self, host: str, number: int) -> None:
        self.write(host, [("hello", 6)])
        await self.fail(host, number)

    async def silence(self) -> None:
        self._gone = True
        for host in self._hosts.values():
            host.gone = True

    async def nonsense(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        await asyncio.gather(*(host.close() for host in self._hosts.values()))


class JournalRig(LogRig):
    """Journal files as journald writes them; the writer is systemd's own."""

    def config(self) -> LogsConfig:
        return LogsConfig(unit="shop.service")

    def write(self, host: str, lines: list[tuple[str, int]], at: float = 0.0) -> None:
        (self.folder / host).mkdir(exist_ok=True)
        now = int((at or time.time()) * 1e6)
        entries = "".join(
            entry(now + place, text, level) for place, (text, level) in enumerate(lines)
        )
        subprocess.run(
            [_WRITER, "-o", str(self.folder / host / "system.journal"), "-"],
            input=entries.encode(),
            check=True,
            capture_output=True,
        )


def entry(at: int, text: str, priority: int, unit: str = "shop.service") -> str:
    fields: dict[str, Any] = {
        "__REALTIME_TIMESTAMP": at,
        "__MONOTONIC_TIMESTAMP": at,
        "_BOOT_ID": "a" * 32,
        "_MACHINE_ID": "b" * 32,
        "_SYSTEMD_UNIT": unit,
        "PRIORITY": priority,
        "_PID": 7,
        "MESSAGE": text,
    }
    return "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"


class FileRig(LogRig):
    """A file of JSON lines as bunyan writes them."""

    def config(self) -> LogsConfig:
        return LogsConfig(files=(str(self.folder / "{name}.log"),))

    def write(self, host: str, lines: list[tuple[str, int]], at: float = 0.0) -> None:
        levels = {3: 50, 6: 30}
        now = at or time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f"{now % 1:.6f}Z"[1:]
        with (self.folder / f"{host}.log").open("a") as file:
            for text, level in lines:
                record = {
                    "name": "shop",
                    "level": levels[level],
                    "msg": text,
                    "time": stamp,
                    "v": 0,
                }
                file.write(json.dumps(record) + "\n")


@asynccontextmanager
async def rig_of(kind: type[LogRig]) -> AsyncIterator[LogRig]:
    folder = Path(tempfile.mkdtemp(prefix="gapless-logs-"))
    rig = kind(folder)
    try:
        await rig.succeed(rig.host, 1)
        await rig.succeed(rig.other, 1)
        yield rig
    finally:
        await rig.close()
        shutil.rmtree(folder)


class TestJournal(RateSourceSuite):
    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        need("journalctl", _WRITER, package="systemd-journal-remote")
        return rig_of(JournalRig)


class TestFile(RateSourceSuite):
    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        return rig_of(FileRig)


def test_secrets_of_the_service_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "plainvalue")

    async def scene() -> None:
        async with rig_of(FileRig) as rig:
            around = reach(rig.transport, references=("env:SHOP_KEY", "env:NOT_SET"))
            (source,) = make_sources(rig.config(), around)
            await source.begin(["web1"])
            since = time.time()
            await rig.fail("web1", 1, "refused for plainvalue")
            count = await reached(source, "web1", since, lambda count: count.errors == 1)
            assert count.top == count.unseen == (("refused for ***", 1),)

    asyncio.run(scene())


def test_a_part_of_what_was_read_is_not_read_again() -> None:
    async def scene() -> None:
        async with rig_of(FileRig) as rig:
            source = rig.source()
            since = time.time()
            await rig.fail("web1", 3)
            now = time.time() + 1
            whole = await source.count("web1", since - 60, now)
            assert whole is not None
            assert whole.errors == 3
            await rig.fail("web1", 5)  # a new reading would find them
            parts = [await source.count("web1", since - 60, since - 1)]
            parts.append(await source.count("web1", since - 1, now - 0.5))
            assert [part.errors for part in parts if part] == [0, 3]

    asyncio.run(scene())


def test_a_clock_that_is_off_is_taken_into_account() -> None:
    async def scene() -> None:
        async with rig_of(FileRig) as rig:
            around = reach(rig.transport)
            late = replace(around, clock=Late())
            (source,) = make_sources(rig.config(), late)
            await source.begin(["web1"])
            since = time.time() - 1000
            await rig.fail("web1", 2)
            count = await source.count("web1", since, since + 60)
            assert count is not None
            assert count.errors == 2

    asyncio.run(scene())


class Late(LoopClock):
    """A controller whose clock is a thousand seconds late."""

    def now(self) -> float:
        return time.time() - 1000


def test_the_journal_is_cut_to_the_instant() -> None:
    """journalctl knows seconds; an error of the old process in the same second is not the new
    one's."""
    need("journalctl", _WRITER, package="systemd-journal-remote")

    async def scene() -> None:
        async with rig_of(JournalRig) as rig:
            second = int(time.time()) + 1
            for part, word in ((0.2, "old"), (0.4, "new"), (0.6, "newer"), (0.8, "late")):
                rig.write("web1", [(f"{word} one", 3)], second + part)
            count = await rig.source().count("web1", second + 0.3, second + 0.7)
            assert count is not None
            assert sorted(text for text, _ in count.top) == ["new one", "newer one"]

    asyncio.run(scene())


def test_a_reading_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async def scene() -> None:
        config = HostConfig(transport="local", state_dir=str(tmp_path / "state"))
        there = LocalTransport("web1", config)
        await there.connect()
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"could not be read within 0\.01 s"):
            await there.logs(LogQuery(0, 1, files=("/etc/hosts",), timeout=0.01))
        assert time.monotonic() - started < 5
        await there.close()

    asyncio.run(scene())
