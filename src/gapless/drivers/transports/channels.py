"""Channels of an SSH connection: one that carries a helper, one that captures a command."""

from __future__ import annotations

import asyncio
import contextlib

import asyncssh

from gapless.hostside.output import Output

_STDERR_KEPT = 8192
_EXIT_PATIENCE = 8.0
_AFTER_EXIT = 0.5


class ChannelStream:
    """The stdin, stdout and stderr of a remote process."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._process = process
        self._complaints = bytearray()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, connection: asyncssh.SSHClientConnection, command: str) -> ChannelStream:
        """Run a command line and take its streams."""
        return cls(await connection.create_process(command, encoding=None))

    async def read(self, count: int) -> bytes:
        """Some bytes, b"" at the end."""
        try:
            return await self._process.stdout.read(count)
        except asyncssh.Error:
            return b""

    async def read_exactly(self, count: int) -> bytes:
        """That many bytes; raises EOFError at the end."""
        try:
            return await self._process.stdout.readexactly(count)
        except asyncssh.Error as error:
            raise EOFError(str(error)) from error

    def write(self, data: bytes) -> None:
        """Queue bytes to be sent."""
        self._process.stdin.write(data)

    async def drain(self) -> None:
        """Wait until the queue is short again."""
        with contextlib.suppress(asyncssh.Error, ConnectionError):  # the reader notices the end
            await self._process.stdin.drain()

    async def close(self) -> None:
        """End its stdin, on which the helper ends itself and all it started."""
        with contextlib.suppress(OSError, asyncssh.Error):
            self._process.stdin.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_PATIENCE):
                await self._listening
                await self._process.stdout.read(-1)
        self._process.close()
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def epitaph(self) -> tuple[int | None, str]:
        """Exit status and stderr."""
        with contextlib.suppress(TimeoutError, asyncssh.Error):
            async with asyncio.timeout(1.0):
                await asyncio.shield(self._listening)
                await self._process.wait_closed()
        status = self._process.exit_status
        return status, self._complaints.decode(errors="replace")

    async def _listen(self) -> None:
        with contextlib.suppress(asyncssh.Error, OSError):
            while data := await self._process.stderr.read(4096):
                self._complaints += data
                del self._complaints[:-_STDERR_KEPT]


class Capture(asyncssh.SSHClientSession[bytes]):
    """A command's output up to a limit, and how it ended."""

    def __init__(self, limit: int) -> None:
        self.stdout = Output(limit)
        self.stderr = Output(limit)
        self.status: int | None = None
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is open."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Some output."""
        (self.stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self.stdout).feed(data)

    def exit_status_received(self, status: int) -> None:
        """It ended by itself; what it left in the background may hold the channel open."""
        self.status = status
        self._close_soon()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """It was killed."""
        self.status = -_number(signal)
        self._close_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed, in order or not."""
        if not self.ended.done():
            self.ended.set_result(exc)

    def _close_soon(self) -> None:
        if self._channel is not None:
            asyncio.get_running_loop().call_later(_AFTER_EXIT, self._channel.close)


def _number(name: str) -> int:
    import signal

    return int(getattr(signal, f"SIG{name}", 1))
