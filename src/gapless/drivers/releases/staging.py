"""Small steps on a host while a release is brought: none touches what is live."""

from __future__ import annotations

import contextlib

from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault, TransportError
from gapless.model import Command

LIMIT = 120.0
"""Limit in seconds of removing or handing over a large tree."""


async def run(transport: Transport, *argv: str) -> None:
    """A command that must succeed."""
    await execute(transport, Command(argv, timeout=LIMIT))


async def execute(transport: Transport, command: Command) -> None:
    """The same for a described one."""
    done = await transport.run(command)
    if not done.ok:
        what = f"{command.argv[0]} {'did not end in time' if done.timed_out else 'failed'}"
        raise HostFault(what, where=transport.host, evidence=done.evidence())


async def succeeds(transport: Transport, *argv: str) -> bool:
    """Whether a command answers yes."""
    return (await transport.run(Command(argv))).ok


async def holds(transport: Transport, test: str, path: str) -> bool:
    """``test -e PATH`` and its like; a link to nowhere counts as nothing."""
    return await succeeds(transport, "test", test, path)


async def enter(transport: Transport, incoming: str, path: str) -> None:
    """Give a complete folder its name; an older folder of that name (never the live one) goes."""
    await run(transport, "rm", "-rf", "--", path)
    await run(transport, "mv", "-fT", "--", incoming, path)


async def discard(transport: Transport, incoming: str) -> None:
    """Remove what came only in part, as far as the host lets us: the first error counts."""
    with contextlib.suppress(TransportError):
        await run(transport, "rm", "-rf", "--", incoming)
