"""The rival: what somebody writes in an hour with asyncssh alone. ``bare.py FLEET true|rolling N
BATCH``; prints nothing when all went well."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import asyncssh

FLEET = json.loads(Path(sys.argv[1]).read_text())
HOSTS = FLEET["addresses"][: int(sys.argv[3])]
CONNECTING = asyncio.Semaphore(30)


async def run(address: str, *commands: str) -> None:
    async with CONNECTING:
        connection = await asyncssh.connect(
            address, port=FLEET["port"], username=FLEET["user"], client_keys=[FLEET["key"]],
            known_hosts=FLEET["known_hosts"], config=(), agent_path=None,
        )  # fmt: skip
    async with connection:
        for command in commands:
            await connection.run(command, check=True)


async def restart(address: str) -> None:
    control = FLEET["control"]
    await run(address, *(f"{control} {verb}" for verb in ("stop", "start", "wait")))


async def main() -> None:
    if sys.argv[2] == "true":
        await asyncio.gather(*(run(address, "true") for address in HOSTS))
        return
    size = int(sys.argv[4])
    for first in range(0, len(HOSTS), size):
        await asyncio.gather(*(restart(address) for address in HOSTS[first : first + size]))


asyncio.run(main())
