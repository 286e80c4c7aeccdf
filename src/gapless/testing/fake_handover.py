"""Programs on a fake host that speak handover/1: they read their variables where systemd would have
them, hold the active lock or wait for it, and answer what the host's script asks.

    copies = FakeCopies(host, "s0", "/var/lib/gapless-handover/sim.s0")
    copies.adopt(unit)          # it runs already, ACTIVE, as a person started it

Every instant is checked: while two copies may be connected, none handles events without the lock.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gapless.model import Command

if TYPE_CHECKING:
    from gapless.testing.fake_host import FakeHost
    from gapless.testing.fake_unit import FakeUnit
    from gapless.testing.world import World

Answer = tuple[int, str, str]
_LINE = re.compile(r'^Environment="(HANDOVER_[A-Z_]+)=(.*)"$', re.MULTILINE)
_DRAINS = 0.3
"""Seconds that what a copy began takes to its end."""
_OBSOLETE = 75


@dataclass(eq=False)
class FakeCopy:
    """One process of a unit."""

    unit: FakeUnit
    id: str
    epoch: int
    born: str
    """The unit's invocation."""
    lock: bool
    restarted: bool
    state: str = "BOOTING"
    told: bool = False
    """To be active without the active lock."""
    took_over: bool = False
    hangs: bool = False
    draining: asyncio.TimerHandle | None = None
    seen: int = 0
    """The highest epoch of a request."""


@dataclass
class FakeCopies:
    """All copies of one service on one host, and their folder."""

    host: FakeHost
    service: str
    folder: str
    alive: dict[str, FakeCopy] = field(default_factory=dict)
    """By unit."""
    holder: FakeCopy | None = None
    """Of the active lock."""
    memory: int = 1 << 20
    ever: set[str] = field(default_factory=set)
    """Ids that have been up."""
    log: list[tuple[float, str]] = field(default_factory=list)
    """What was asked and became, for who reads a breach."""

    def __post_init__(self) -> None:
        self._others = self.host.programs.get("python3")
        self.host.programs["python3"] = self._program
        self.host.world.on_change(self._changed)

    def adopt(self, unit: FakeUnit, name: str = "") -> None:
        """The unit runs already, with variables that a person gave it."""
        self._born(unit, name or f"{unit.service}-{unit.slot}", 0)
        self._settle()

    # -- what happens on the host ------------------------------------------------------------------

    def _changed(self, world: World) -> str | None:
        self._look_at_units()
        self._settle()
        return self._breach()

    def _look_at_units(self) -> None:
        for unit in self.host.units.values():
            if unit.service != self.service:
                continue
            copy = self.alive.get(unit.name)
            lives = bool(unit.main_pid) and unit.active != "inactive"
            if copy is not None and (not lives or copy.born != unit.invocation):
                self._died(copy)
                copy = None
            if copy is None and lives and unit.running:
                self._start(unit)

    def _start(self, unit: FakeUnit) -> None:
        given = self.variables(unit.name)
        if not given:
            return  # it runs alone
        name, epoch = given["HANDOVER_ID"], int(given["HANDOVER_EPOCH"])
        written = self.written
        known: list[dict[str, Any]] = [
            one for one in (written.get("active"), written.get("next")) if one
        ]
        named = any(one["epoch"] == epoch for one in known)
        if written and not named and epoch <= int(written["latest"]):
            self._say(f"{name} is obsolete")
            asyncio.get_running_loop().call_soon(self._exit, unit, unit.invocation, False)
            return
        self._born(unit, name, epoch)

    def _born(self, unit: FakeUnit, name: str, epoch: int) -> None:
        written = self.written
        lock = bool(written.get("lock", self.holder is not None))
        copy = FakeCopy(unit, name, epoch, unit.invocation, lock, name in self.ever)
        copy.told = self._is_told(copy)
        copy.lock = copy.lock or copy.told
        self.ever.add(name)
        self.alive[unit.name] = copy
        self._say(f"{name} is born")

    def _is_told(self, copy: FakeCopy) -> bool:
        """Row 3 of the protocol's table."""
        written = self.written
        phase, active, following = written.get("phase"), written.get("active"), written.get("next")
        if phase in ("joint", "draining") and following and following["epoch"] == copy.epoch:
            return True
        return phase == "draining" and bool(active and active["epoch"] == copy.epoch)

    def _died(self, copy: FakeCopy) -> None:
        self._say(f"{copy.id} died as {copy.state}")
        self.alive.pop(copy.unit.name, None)
        if copy.draining is not None:
            copy.draining.cancel()
        if self.holder is copy:
            self.holder = None

    def _settle(self) -> None:
        """Who waits for the active lock gets it; who is ready becomes what it is to be."""
        for copy in self.alive.values():
            if self.holder is None and copy.state != "DRAINING" and not copy.hangs:
                if self._is_obsolete(copy):
                    unit = copy.unit
                    asyncio.get_running_loop().call_soon(self._exit, unit, copy.born, False)
                    continue
                self.holder = copy
                copy.took_over = copy.state == "STANDBY"
            if copy.state == "BOOTING" and copy.unit.healthy:
                copy.state = "STANDBY"
            if copy.state == "STANDBY" and (copy.told or self.holder is copy):
                copy.state = "ACTIVE"
                self._say(f"{copy.id} is ACTIVE")

    def _is_obsolete(self, copy: FakeCopy) -> bool:
        written = self.written
        known = [one["epoch"] for one in (written.get("active"), written.get("next")) if one]
        return bool(written) and copy.epoch not in known and copy.epoch <= int(written["latest"])

    def _breach(self) -> str | None:
        if len(self.alive) < 2:
            return None
        bare = [copy.id for copy in self.alive.values() if copy.state == "ACTIVE" and not copy.lock]
        return f"{', '.join(bare)} without the lock, and another copy lives" if bare else None

    def _exit(self, unit: FakeUnit, born: str, again: bool) -> None:
        if unit.invocation == born and unit.main_pid:
            unit.end(again=again and not self._is_disarmed(unit.name))

    # -- what systemd knows ------------------------------------------------------------------------

    def variables(self, unit: str) -> dict[str, str]:
        """What the next start of a unit finds."""
        path = f"/etc/systemd/system/{unit}.d/zz-gapless-handover.conf"
        files = self.host.files
        text = files.read(path).decode() if files.exists(path) else ""
        return {name: value.replace("%%", "%") for name, value in _LINE.findall(text)}

    def _is_disarmed(self, unit: str) -> bool:
        path = f"/run/systemd/system/{unit}.d/zz-gapless-handover-disarmed.conf"
        return self.host.files.exists(path)

    @property
    def written(self) -> dict[str, Any]:
        """``state.json``; empty where there is none."""
        path, files = f"{self.folder}/state.json", self.host.files
        if not files.exists(path):
            return {}
        found: dict[str, Any] = json.loads(files.read(path))
        return found

    # -- what the script is asked ------------------------------------------------------------------

    async def _program(self, host: FakeHost, command: Command) -> Answer:
        await asyncio.sleep(0.01)
        verb, *words = command.argv[4:]
        if verb != "place" and words[0] != self.folder and self._others is not None:
            return await self._others(host, command)
        if verb == "look":
            return 0, json.dumps(self._seen()), ""
        if verb == "turn":
            return self._turn(*words)
        if verb == "say":
            return 0, json.dumps(self._told(words[1], words[2])), ""
        if verb == "place":
            host.files.mkdir(words[0].rpartition("/")[0])
            host.files.write(words[0], words[1])
        if verb == "make":
            host.files.mkdir(self.folder)
        if verb == "try":
            return 0, json.dumps(dict.fromkeys(words[3:], "")), ""
        return 0, "", ""

    def _seen(self) -> dict[str, Any]:
        copies = {copy.id: self._status(copy) for copy in self.alive.values()}
        return {
            "mark": self._mark(),
            "state": self.written or None,
            "copies": copies,
            "memory": self.memory,
        }

    def _mark(self) -> str:
        written = json.dumps(self.written)
        return hashlib.sha256(written.encode()).hexdigest() if self.written else ""

    def _turn(self, folder: str, mark: str, text: str, *request: str) -> Answer:
        if mark != self._mark() and json.loads(text) != self.written:
            return 3, "", "somebody else has written state.json\n"
        self.host.files.write(f"{self.folder}/state.json", text)
        self._say(f"state.json: {text}")
        reply = self._told(*request) if request else {}
        return 0, json.dumps({"mark": self._mark(), "reply": reply}), ""

    def _told(self, name: str, request: str) -> dict[str, Any]:
        copy = next((one for one in self.alive.values() if one.id == name), None)
        if copy is None or copy.hangs:
            return {"status": 0, "error": "timed out" if copy else "Connection refused"}
        verb, _, query = request.partition("?")
        given = dict(pair.split("=") for pair in query.split("&"))
        if int(given["epoch"]) < max(copy.seen, copy.epoch):
            return {"status": 409, "body": {"error": "obsolete", "epoch": copy.seen}}
        copy.seen = int(given["epoch"])
        fits = getattr(self, "_" + verb[1:])(copy, given)
        self._say(f"{name} {request}: {copy.state}")
        self._settle()
        self.host.changed(f"{name} {verb}")
        if fits:
            return self._status(copy)
        return {"status": 409, "body": {"error": "state", "state": copy.state}}

    def _lock(self, copy: FakeCopy, given: dict[str, str]) -> bool:
        copy.lock = given["on"] == "true"
        return True

    def _activate(self, copy: FakeCopy, given: dict[str, str]) -> bool:
        copy.told = copy.told or copy.state == "STANDBY"
        return copy.state in ("STANDBY", "ACTIVE")

    def _deactivate(self, copy: FakeCopy, given: dict[str, str]) -> bool:
        if copy.state == "ACTIVE":
            copy.state, copy.told = "DRAINING", False
            loop = asyncio.get_running_loop()
            copy.draining = loop.call_later(_DRAINS, self._exit, copy.unit, copy.born, True)
        return copy.state == "DRAINING"

    def _abort(self, copy: FakeCopy, given: dict[str, str]) -> bool:
        if copy.state == "DRAINING" and copy.draining is not None:
            copy.draining.cancel()
            copy.state, copy.told = "ACTIVE", True
        return copy.state == "ACTIVE"

    def _status(self, copy: FakeCopy) -> dict[str, Any]:
        if copy.hangs:
            return {"status": 0, "error": "timed out", "uid": 0, "peak": 10240}
        ready = copy.unit.healthy
        body = {
            "protocol": "handover/1", "id": copy.id, "epoch": copy.epoch, "state": copy.state,
            "lock": copy.lock, "ready": ready, "restarted": copy.restarted,
            "took_over": copy.took_over, "units_ready": int(ready), "units_total": 1,
            "inflight": int(copy.state == "DRAINING"), "followups": 0, "problems": [],
        }  # fmt: skip
        return {"status": 200, "body": body, "uid": 0, "peak": 10240}

    def _say(self, what: str) -> None:
        self.log.append((self.host.world.clock.monotonic(), what))
