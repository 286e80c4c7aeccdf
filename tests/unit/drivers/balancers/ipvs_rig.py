"""Two nodes with a program that prints and obeys as ipvsadm 1.31 does; its kernel is a file."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.ipvs import IpvsBalancer
from gapless.drivers.transports.base import Transport
from gapless.errors import Unreachable
from gapless.model import Command, Completed, CriticalAction, Instance, Settled
from gapless.testing.balancer_suite import Loosen

from .local import Local, transport

PROGRAM = """\
#!{python} -SE
import json, os, sys
folder = os.path.dirname(os.path.abspath(__file__))
kernel = json.load(open(folder + "/kernel"))
words = sys.argv[1:]
if os.path.exists(folder + "/liar"):
    print("xyzzy")
    sys.exit(0)
service = ["-t", kernel["service"]]
if words[:2] == ["-L", "-n"]:
    if words[2:] != service:
        sys.exit("No such service")
    print("IP Virtual Server version 1.2.1 (size=4096)")
    print("Prot LocalAddress:Port Scheduler Flags")
    print("  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn")
    print("TCP  %s wlc%s" % (kernel["service"], kernel["flags"]))
    for name, s in kernel["servers"].items():
        forward = {{"-m": "Masq", "-g": "Route"}}[s["forward"]]
        line = "  -> %-28s %-7s %-6d %-10d %-10d"
        print(line % (name, forward, s["weight"], s["active"], s["inactive"]))
elif words == ["-S", "-n"]:
    print("-A -t %s -s wlc" % kernel["service"])
    for name, s in kernel["servers"].items():
        rest = "" if not s["most"] else " -x %d -y %d" % (s["most"], s["least"])
        known = (kernel["service"], name, s["forward"], s["weight"], rest)
        print("-a -t %s -r %s %s -w %d%s" % known)
elif words[:1] == ["-e"]:
    if os.path.exists(folder + "/refuses"):
        sys.exit("Operation not permitted")
    options = dict(forward="-g", weight=1, most=0, least=0)  # what is not said has its default
    rest = iter(words[1:])
    for word in rest:
        if word in ("-m", "-g"):
            options["forward"] = word
        elif word == "-w":
            options["weight"] = int(next(rest))
        elif word == "-x":
            options["most"] = int(next(rest))
        elif word == "-y":
            options["least"] = int(next(rest))
        elif word == "-r":
            name = next(rest)
        elif word == "-t":
            assert next(rest) == kernel["service"]
        else:
            sys.exit("illegal option: " + word)
    if name not in kernel["servers"]:
        sys.exit("No such destination")
    kernel["servers"][name].update(options)
    with open(folder + "/kernel.new", "w") as file:
        json.dump(kernel, file)
    os.replace(folder + "/kernel.new", folder + "/kernel")
else:
    sys.exit("not a word of ours: %r" % words)
"""


class Node(Local):
    """A host whose ipvsadm is the program of a folder; may be cut off."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        folder.mkdir()
        self.folder = folder
        self.gone = False
        (folder / "ipvsadm").write_text(PROGRAM.format(python=sys.executable))
        (folder / "ipvsadm").chmod(0o755)

    async def run(self, command: Command) -> Completed:
        if self.gone:
            raise Unreachable("no route to host", where=self.host)
        word = command.argv[0]
        if word == "ipvsadm":
            command = replace(command, argv=(str(self.folder / word), *command.argv[1:]))
        elif word == "cat":
            command = replace(command, argv=("cat", str(self.folder / "expire")))
        return await super().run(command)

    async def act(self, action: CriticalAction) -> Settled:
        if self.gone:
            raise Unreachable("no route to host", where=self.host)
        return await super().act(action)

    @property
    def kernel(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "kernel").read_text())
        return found

    @kernel.setter
    def kernel(self, value: dict[str, Any]) -> None:
        fresh = self.folder / "kernel.fresh"
        fresh.write_text(json.dumps(value))
        fresh.replace(self.folder / "kernel")

    def change(self, server: str, **facts: int) -> None:
        kernel = self.kernel
        kernel["servers"][server].update(facts)
        self.kernel = kernel


SERVICE = "10.0.0.1:80"
WEB1, WEB2 = "10.0.0.11:8080", "10.0.0.12:8080"


class IpvsRig:
    """See BalancerRig. IPVS checks nobody's health, and has no process to restart."""

    can = frozenset({"hold", "silence", "nonsense", "missing", "floor", "words"}) | {
        "maintenance",
        "refusal",
        "weights",
    }
    nodes = 2
    instance = Instance("shop.api", "web1.shop.example")
    other = Instance("shop.api", "web2.shop.example")

    def __init__(self, folder: Path) -> None:
        self.addresses = {self.instance.host: "10.0.0.11", self.other.host: "10.0.0.12"}
        self.hosts = {name: Node(name, folder / name) for name in ("lb1", "lb2")}
        masked = {"forward": "-m", "weight": 1, "active": 0, "inactive": 0, "most": 90, "least": 50}
        for node in self.hosts.values():
            servers = {WEB1: dict(masked), WEB2: dict(masked)}
            node.kernel = {"service": SERVICE, "flags": "", "servers": servers}
        self._turn = 0

    def balancer(self, **limits: Any) -> IpvsBalancer:
        ipvs = {"service": SERVICE, "server": "{address}:8080", "on": ["lb1", "lb2"]}
        ipvs |= limits.pop("ipvs", {})
        config = BalancerConfig.model_validate({"ipvs": ipvs, **limits})
        return IpvsBalancer("edge", config, self._transport, LoopClock(), address=self._address)

    def _transport(self, host: str) -> Transport:
        return transport(self.hosts[host])

    def _address(self, host: str) -> str:
        return self.addresses.get(host, host)

    def _node(self, node: int) -> Node:
        return self.hosts[f"lb{node + 1}"]

    async def hold(self, node: int) -> Loosen:
        self._node(node).change(WEB1, active=1)

        async def loosen() -> None:
            self._node(node).change(WEB1, active=0, inactive=1)

        return loosen

    async def ask(self, node: int) -> str:
        """By weight, as the scheduler would."""
        servers = self._node(node).kernel["servers"]
        weights = {host: servers[f"{at}:8080"]["weight"] for host, at in self.addresses.items()}
        order = [host for host, weight in weights.items() for _ in range(weight)]
        self._turn += 1
        return order[self._turn % len(order)] if order else ""

    async def healthy(self, healthy: bool) -> None:
        raise NotImplementedError

    async def maintenance(self, node: int) -> None:
        self._node(node).change(WEB1, weight=0)

    async def refuse(self, node: int, refuses: bool) -> None:
        file = self._node(node).folder / "refuses"
        file.touch() if refuses else file.unlink()

    async def restart(self, node: int) -> None:
        raise NotImplementedError

    async def stop(self, node: int) -> None:
        self._node(node).gone = True

    async def nonsense(self, node: int) -> None:
        (self._node(node).folder / "liar").touch()


@asynccontextmanager
async def ipvs_rig(folder: Path) -> AsyncIterator[IpvsRig]:
    yield IpvsRig(folder)
