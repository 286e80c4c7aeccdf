"""A controller to be killed: runs commands that would never end, and says when they have begun.

python controller.py '{"transport": "ssh" | "local", "host": {…}, "commands": [[…], …]}'
"""

from __future__ import annotations

import asyncio
import json
import sys

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.local import LocalTransport
from gapless.drivers.transports.session import Patience
from gapless.drivers.transports.ssh import SshTransport
from gapless.model import Command, CriticalAction

PATIENCE = Patience(heartbeat=0.3, silence=1.5)


async def main() -> None:
    spec = json.loads(sys.argv[1])
    config = HostConfig.model_validate(spec["host"])
    host = (
        LocalTransport("host", config, patience=PATIENCE)
        if spec["transport"] == "local"
        else SshTransport("host", config, connections=Held(1), patience=PATIENCE)
    )
    await host.connect()
    if spec["helper"]:
        await host.facts()
    commands = [Command(tuple(argv), timeout=spec["timeout"]) for argv in spec["commands"]]
    async with asyncio.TaskGroup() as group:
        if spec.get("key"):
            group.create_task(host.act(CriticalAction(spec["key"], tuple(commands))))
        else:
            for command in commands:
                group.create_task(host.run(command))
        print("begun", flush=True)


asyncio.run(main())
