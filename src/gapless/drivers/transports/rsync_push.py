"""Pushing a folder: the local rsync speaks to the remote one over the SSH connection we have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from gapless.drivers.transports import rsync, rsync_relay
from gapless.errors import DeadlineExceeded, HostFault

LIMIT = 3600.0
_STDERR = 65536
_LAST_WORDS = 2.0
"""Seconds in which the remote rsync may say why, after ours has ended and taken its relay along."""


async def push(
    host: str,
    connection: asyncssh.SSHClientConnection,
    sudo: Sequence[str],
    source: Path,
    target: str,
    exclude: Sequence[str],
    link_from: str,
) -> int:
    """Bytes sent."""
    carrier = Carrier(connection, sudo)
    with tempfile.TemporaryDirectory(prefix="gapless-") as folder:  # 0700
        path = f"{folder}/relay"
        server = await asyncio.start_unix_server(carrier.carry, path, limit=1 << 20)
        try:
            argv = rsync.arguments(str(source), f"host:{target}", exclude, link_from)
            status, out, err = await _run_local(host, _with_relay(argv, path))
            if status != 0:
                err = await carrier.with_last_words(err)
        finally:
            server.close()
            await carrier.close()
    if status != 0:
        raise rsync.failure(host, status, err)
    return rsync.bytes_sent(out)


class Carrier:
    """Joins one relay with one channel."""

    def __init__(self, connection: asyncssh.SSHClientConnection, sudo: Sequence[str]) -> None:
        self._connection = connection
        self._sudo = tuple(sudo)
        self._tasks: set[asyncio.Task[object]] = set()
        self._said = b""

    async def with_last_words(self, heard: str) -> str:
        """What our rsync wrote, and what of the remote one's errors did not reach it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_WORDS)
        said = self._said[-_STDERR:].decode(errors="replace").strip()
        return heard if said in heard else f"{heard.rstrip()}\n{said}"

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one relay until the remote rsync has ended."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            argv = json.loads(await reader.readline())
            status = await self._join(argv, reader, writer)
            writer.write(rsync_relay.frame(b"x", str(status).encode()))
            await writer.drain()
        except asyncio.CancelledError:
            return  # by close: the server that began this task would call it an error
        except (OSError, asyncssh.Error, ValueError) as error:
            with contextlib.suppress(OSError):
                writer.write(rsync_relay.frame(b"e", f"{error}\n".encode()))
                writer.write(rsync_relay.frame(b"x", b"255"))
        finally:
            writer.close()
            if task is not None:
                self._tasks.discard(task)

    async def close(self) -> None:
        """Nobody is left who would listen."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(
        self, argv: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int:
        # rsync's own options only: paths travel inside its protocol (secluded arguments).
        line = "exec " + shlex.join((*self._sudo, *argv))
        process = await self._connection.create_process(line, encoding=None)
        feeding = asyncio.create_task(_feed(reader, process.stdin))
        try:
            await asyncio.gather(
                _return(b"o", process.stdout, writer), self._errors(process.stderr, writer)
            )
            await process.wait_closed()
        finally:
            feeding.cancel()
            process.close()
        return process.exit_status if process.exit_status is not None else 255

    async def _errors(
        self, stream: asyncssh.SSHReader[bytes], writer: asyncio.StreamWriter
    ) -> None:
        """Kept as well: ours may be gone when they come."""
        while data := await stream.read(rsync_relay.CHUNK):
            self._said = (self._said + data)[-_STDERR:]
            with contextlib.suppress(OSError):
                writer.write(rsync_relay.frame(b"e", data))
                await writer.drain()


async def _feed(reader: asyncio.StreamReader, stdin: asyncssh.SSHWriter[bytes]) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await reader.read(rsync_relay.CHUNK):
            stdin.write(data)
            await stdin.drain()
        stdin.write_eof()


async def _return(
    kind: bytes, stream: asyncssh.SSHReader[bytes], writer: asyncio.StreamWriter
) -> None:
    while data := await stream.read(rsync_relay.CHUNK):
        with contextlib.suppress(OSError):  # of a relay that is gone the rest is read all the same
            writer.write(rsync_relay.frame(kind, data))
            await writer.drain()


def _with_relay(argv: tuple[str, ...], path: str) -> list[str]:
    relay = (sys.executable, "-I", "-S", str(Path(rsync_relay.__file__)), path)
    return [argv[0], f"--rsh={' '.join(_quoted(part) for part in relay)}", *argv[1:]]


def _quoted(part: str) -> str:
    # rsync splits --rsh itself; it knows quotes, and a quote doubled inside them.
    return '"' + part.replace('"', '""') + '"'


async def _run_local(host: str, argv: list[str]) -> tuple[int, str, str]:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, process_group=0
        )
    except FileNotFoundError as error:
        what = "rsync is needed on this machine"
        raise HostFault(what, where=host, next="apt-get install rsync") from error
    try:
        async with asyncio.timeout(LIMIT):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise DeadlineExceeded(f"rsync did not end in {LIMIT:g} s", where=host) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace"), err[-_STDERR:].decode(errors="replace")
