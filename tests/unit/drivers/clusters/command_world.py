"""Members that never were, on hosts where a command tells of them, and can be made wrong in every
way."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.cluster_command import CommandClusterConfig
from gapless.drivers.clusters.command import CommandCluster
from gapless.drivers.transports.base import Transport
from gapless.errors import FenceRefused, Unreachable
from gapless.model import Command, Completed, CriticalAction, Fence, Settled, Settlement

NAMES = ("1", "2", "3")
ORDERS = {
    "transfer": {"run": ["hand-over", "{member}", "{group}", "{to}", "{host}"]},
    "seal": {"run": ["seal", "{member}"], "timeout": "3s"},
    "restore": {"run": ["restore", "{member}", "{address}"]},
}


def answer(name: str) -> dict[str, Any]:
    """As it should be."""
    return {
        "version": 1,
        "self": name,
        "members": [
            {"id": one, "address": f"10.0.0.{one}:1", "role": "node", "began": f"first-{one}"}
            for one in NAMES
        ],
        "groups": [
            {"id": "a", "members": list(NAMES), "leader": "1", "in_sync": list(NAMES),
             "position": dict.fromkeys(NAMES, 100)},
            {"id": "b", "members": list(NAMES), "leader": "2", "in_sync": list(NAMES)},
        ],
    }  # fmt: skip


@dataclass
class World:
    """``answers``: by host what its command prints (text as it is); ``status``: of it; ``obeys``:
    whether a transfer moves anything."""

    answers: dict[str, Any]
    status: dict[str, int] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    dropped: int = 0
    """Bytes of an answer that are more than the host keeps."""
    obeys: bool = True
    order_status: int = 0
    settlement: Settlement = Settlement.DONE
    newest: int = 0
    ran: list[tuple[str, tuple[str, ...], float]] = field(default_factory=list)
    """Hosts, orders and their limits."""

    @classmethod
    def of_three(cls) -> World:
        return cls({f"host-{name}": answer(name) for name in NAMES})

    def at(self, name: str) -> dict[str, Any]:
        return cast(dict[str, Any], self.answers[f"host-{name}"])

    def group(self, name: str, group: str) -> dict[str, Any]:
        found = next(one for one in self.at(name)["groups"] if one["id"] == group)
        return cast(dict[str, Any], found)

    def all_say(self, group: str, **told: Any) -> None:
        for name in NAMES:
            self.group(name, group).update(copy.deepcopy(told))

    def member(self, name: str, by: str = "") -> dict[str, Any]:
        """What another one, or it itself, says of it."""
        members = self.at(by or name)["members"]
        return cast(dict[str, Any], next(one for one in members if one["id"] == name))

    def restarted(self, name: str) -> None:
        self.member(name)["began"] = f"again-{name}"

    def driver(self, **changed: Any) -> CommandCluster:
        config = {"topology": ["tell", "{host}"], **ORDERS, **changed}
        settings = CommandClusterConfig.model_validate(config)
        hosts = tuple(self.answers)
        return CommandCluster("store", settings, hosts, self.transports, LoopClock())

    @property
    def transports(self) -> Callable[[str], Transport]:
        return lambda host: cast(Transport, Told(self, host))


@dataclass
class Told:
    """The transport of one host."""

    world: World
    host: str

    async def connect(self) -> None:
        pass

    async def run(self, command: Command) -> Completed:
        if self.host in self.world.down:
            raise Unreachable("no way")
        if command.argv[0] != "tell":
            return self._order(command)
        assert command.argv == ("tell", self.host)
        said = self.world.answers[self.host]
        text = said if isinstance(said, str) else json.dumps(said)
        status = self.world.status.get(self.host, 0)
        error = "" if status == 0 else "it is broken"
        late, over = status < 0, self.world.dropped
        return Completed(command.argv, status, text, error, 0.01, timed_out=late, dropped=over)

    async def act(self, action: CriticalAction) -> Settled:
        assert action.fence
        if action.fence.number < self.world.newest:
            raise FenceRefused("a newer rollout")
        if self.world.settlement is not Settlement.DONE:
            return Settled(self.world.settlement)
        return Settled(Settlement.DONE, tuple(self._order(one) for one in action.commands))

    def _order(self, command: Command) -> Completed:
        self.world.ran.append((self.host, command.argv, command.timeout))
        if command.argv[0] == "hand-over" and self.world.obeys:
            self.world.all_say(command.argv[2], leader=command.argv[3])
        return Completed(command.argv, self.world.order_status, "did it\nmore", "why not", 0.01)


def fence(number: int = 1) -> Fence:
    return Fence("store", "rollout", number)
