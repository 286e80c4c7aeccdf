"""Running a command through the shell guard."""

from __future__ import annotations

import asyncio

import asyncssh

from gapless.clock import Clock, within
from gapless.drivers.transports.channels import Capture
from gapless.drivers.transports.guard import guarded
from gapless.errors import DeadlineExceeded, HostFault, LostContact
from gapless.model import Command, Completed

_OPENING = 15.0
_ENDING = 6.0


async def run_guarded(
    host: str,
    connection: asyncssh.SSHClientConnection,
    command: Command,
    clock: Clock,
    *,
    sudo: bool,
) -> Completed:
    """Run it; cancelled or too late, its stdin ends and with it all it started."""
    started = clock.monotonic()
    line = guarded(command.argv, command.timeout, sudo=sudo)
    channel, capture = await _open(host, connection, line, command)
    timed_out = False
    try:
        async with within(command.timeout):
            await asyncio.shield(capture.ended)
    except TimeoutError:
        timed_out = True
        await _end(channel, capture)
    except asyncio.CancelledError:
        await _end(channel, capture)
        raise
    finally:
        channel.close()
    if capture.status is None and not timed_out:
        raise _lost(host, capture)
    return Completed(
        argv=command.argv,
        status=capture.status if capture.status is not None else -15,
        stdout=capture.stdout.text(),
        stderr=capture.stderr.text(),
        elapsed=clock.monotonic() - started,
        timed_out=timed_out,
        dropped=capture.stdout.dropped + capture.stderr.dropped,
    )


async def _open(
    host: str, connection: asyncssh.SSHClientConnection, line: str, command: Command
) -> tuple[asyncssh.SSHClientChannel[bytes], Capture]:
    try:
        async with within(_OPENING):
            capture = Capture(command.output_limit)
            channel, _ = await connection.create_session(lambda: capture, line, encoding=None)
            return channel, capture
    except TimeoutError as error:
        what = f"no session within {_OPENING:g} s"
        raise DeadlineExceeded(what, where=host) from error
    except asyncssh.ChannelOpenError as error:
        what = "the host allows no further session on this connection"
        raise HostFault(what, where=host, evidence=str(error)) from error
    except (asyncssh.Error, OSError) as error:
        raise LostContact("lost contact", where=host, evidence=str(error)) from error


async def _end(channel: asyncssh.SSHClientChannel[bytes], capture: Capture) -> None:
    if not capture.ended.done():
        channel.write_eof()
        await asyncio.wait({capture.ended}, timeout=_ENDING)


def _lost(host: str, capture: Capture) -> LostContact:
    cause = capture.ended.result() if capture.ended.done() else None
    what = "lost contact; what the command did is unknown until the host is asked"
    return LostContact(what, where=host, evidence=str(cause or capture.stderr.text()))
