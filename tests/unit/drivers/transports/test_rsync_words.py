"""Why a push failed is told, though our rsync may end before the remote one has said it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

from gapless.drivers.transports.rsync_push import Carrier

WHY = b"rsync: write failed: No space left on device (28)\n"


class Stream:
    """What the remote rsync writes, once it may."""

    def __init__(self, *pieces: bytes, after: asyncio.Event) -> None:
        self._pieces, self._after = list(pieces), after

    async def read(self, most: int) -> bytes:
        await self._after.wait()
        return self._pieces.pop(0) if self._pieces else b""


class Stdin:
    """Tells when nothing more comes."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def write_eof(self) -> None:
        self._ended.set()


class Remote:
    """A connection whose rsync says why when its input ends."""

    async def create_process(self, line: str, encoding: None) -> Remote:
        ended = asyncio.Event()
        self.stdin, self.exit_status = Stdin(ended), 11
        self.stdout = Stream(b"some output", after=ended)
        self.stderr = Stream(WHY, after=ended)
        return self

    async def wait_closed(self) -> None: ...

    def close(self) -> None: ...


async def told(folder: Path, heard: str) -> tuple[str, list[dict[str, Any]]]:
    """The error of a push whose relay went away at once, and what the loop complained of."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    carrier = Carrier(cast(Any, Remote()), ())
    server = await asyncio.start_unix_server(carrier.carry, folder / "relay")
    _, writer = await asyncio.open_unix_connection(folder / "relay")
    writer.write(json.dumps(["rsync", "--server"]).encode() + b"\n")
    await writer.drain()
    while not carrier._tasks:
        await asyncio.sleep(0.001)
    writer.transport.abort()
    said = await carrier.with_last_words(heard)
    server.close()
    await carrier.close()
    return said, complaints


def test_what_the_remote_one_said_is_told_though_nobody_carried_it(tmp_path: Path) -> None:
    said, complaints = asyncio.run(told(tmp_path, "rsync error: error in file IO (code 11)"))
    assert "No space left on device" in said and "error in file IO" in said
    assert complaints == []


def test_what_was_heard_is_not_told_twice(tmp_path: Path) -> None:
    said, _ = asyncio.run(told(tmp_path, WHY.decode()))
    assert said.count("No space left") == 1


def test_a_push_that_is_given_up_leaves_no_complaint(tmp_path: Path) -> None:
    async def case() -> list[dict[str, Any]]:
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        carrier = Carrier(cast(Any, Remote()), ())
        server = await asyncio.start_unix_server(carrier.carry, tmp_path / "relay")
        _, writer = await asyncio.open_unix_connection(tmp_path / "relay")
        while not carrier._tasks:
            await asyncio.sleep(0.001)
        server.close()
        await carrier.close()
        await asyncio.sleep(0)
        writer.close()
        return complaints

    assert asyncio.run(case()) == []
