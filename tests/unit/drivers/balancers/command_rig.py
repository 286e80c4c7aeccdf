"""A balancer that is a folder, with a script as its command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.command import CommandBalancer
from gapless.errors import Unreachable
from gapless.model import Command, Completed, CriticalAction, Instance, Settled
from gapless.testing.balancer_suite import Loosen

from .local import Local, transport

SCRIPT = """\
#!/bin/sh
# balancer NODE drain|admit|state HOST
cd "$1" || exit 9
echo "$2" >> log
[ -e liar ] && { echo xyzzy; exit 0; }
[ -e refuses ] && [ "$2" != state ] && { echo "not now" >&2; exit 7; }
[ -e "$3.member" ] || { [ "$2" = state ] && echo missing && exit; exit 4; }
case $2 in
  drain) : > "$3.out" ;;
  admit) rm -f "$3.out" ;;
  state)
    open=$(cat "$3.open" 2>/dev/null || echo 0)
    if [ ! -e "$3.out" ]; then [ -e "$3.sick" ] && echo down || echo up
    elif [ "$open" = 0 ]; then echo drained 0
    else echo draining "$open"; fi ;;
esac
"""


class Host(Local):
    """The host of a node; may be cut off."""

    gone = False

    async def run(self, command: Command) -> Completed:
        self._reach()
        return await super().run(command)

    async def act(self, action: CriticalAction) -> Settled:
        self._reach()
        return await super().act(action)

    def _reach(self) -> None:
        if self.gone:
            raise Unreachable("no route to host", where=self.host)


class CommandRig:
    """See BalancerRig. It has no process of its own, so nothing to restart."""

    can = frozenset({"hold", "checks", "silence", "nonsense", "missing", "words"}) | {
        "maintenance",
        "refusal",
    }
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path) -> None:
        self._script = folder / "balancer"
        self._script.write_text(SCRIPT)
        self._script.chmod(0o755)
        self.folders = [folder / "lb1", folder / "lb2"]
        self.locals = {"lb1": Host("lb1"), "lb2": Host("lb2")}
        self._turn = 0
        for node in self.folders:
            node.mkdir()
            for instance in (self.instance, self.other):
                (node / f"{instance.host}.member").touch()

    def balancer(self, **limits: Any) -> CommandBalancer:
        # $NODE is the node's folder, see At.
        def verb(name: str) -> list[str]:
            return ["sh", "-c", f'exec {self._script} "$NODE" {name} {{host}}']

        command = {name: verb(name) for name in ("drain", "admit", "state")}
        command |= {"on": ["lb1", "lb2"]} | limits.pop("command", {})
        command = {key: value for key, value in command.items() if value is not None}
        config = BalancerConfig.model_validate({"command": command, **limits})
        return CommandBalancer(
            "edge",
            config,
            lambda host: transport(At(self.locals[host], self.folders[int(host[-1]) - 1])),
            LoopClock(),
        )

    async def hold(self, node: int) -> Loosen:
        file = self.folders[node] / f"{self.instance.host}.open"
        file.write_text("1")

        async def loosen() -> None:
            file.write_text("0")

        return loosen

    async def ask(self, node: int) -> str:
        folder = self.folders[node]
        up = [
            instance.host
            for instance in (self.instance, self.other)
            if not (folder / f"{instance.host}.out").exists()
            and not (folder / f"{instance.host}.sick").exists()
        ]
        self._turn += 1
        return up[self._turn % len(up)] if up else ""

    async def healthy(self, healthy: bool) -> None:
        for node in self.folders:
            sick = node / f"{self.instance.host}.sick"
            sick.unlink(missing_ok=True) if healthy else sick.touch()

    async def maintenance(self, node: int) -> None:
        (self.folders[node] / f"{self.instance.host}.out").touch()

    async def refuse(self, node: int, refuses: bool) -> None:
        file = self.folders[node] / "refuses"
        file.touch() if refuses else file.unlink()

    async def restart(self, node: int) -> None:
        raise NotImplementedError

    async def stop(self, node: int) -> None:
        self.locals[f"lb{node + 1}"].gone = True

    async def nonsense(self, node: int) -> None:
        (self.folders[node] / "liar").touch()


class At:
    """A host on which $NODE is its folder."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._folder = folder

    async def connect(self) -> None:
        await self._host.connect()

    async def run(self, command: Command) -> Completed:
        return await self._host.run(self._here(command))

    async def act(self, action: CriticalAction) -> Settled:
        commands = tuple(self._here(command) for command in action.commands)
        return await self._host.act(
            CriticalAction(action.key, commands, action.fence, action.timeout)
        )

    def _here(self, command: Command) -> Command:
        return Command(("env", f"NODE={self._folder}", *command.argv), timeout=command.timeout)


@asynccontextmanager
async def command_rig(folder: Path) -> AsyncIterator[CommandRig]:
    yield CommandRig(folder)
