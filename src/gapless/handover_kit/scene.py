"""Where a case is played: a folder of its own, a gateway, the copies, and what happened so far."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gapless.clock import Clock
from gapless.handover_kit import copies
from gapless.handover_kit.copies import Copy
from gapless.handover_kit.folder import Folder, Place
from gapless.handover_kit.gateway import Gateway
from gapless.handover_kit.verdicts import CannotTell, Failed

_LOOK = 0.02
_QUIET = 0.4
"""Seconds in which an effect would have come."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is tormented, and how."""

    argv: tuple[str, ...]
    gateway_variable: str
    """Empty: the program takes no events of ours."""
    lock: str
    """``sqlite``, ``dir`` or a url."""
    patience: float


class Scene:
    """The orchestrator of one case. The old copy is ``bot-1`` of epoch 1, the new one ``bot-2``."""

    def __init__(self, setting: Setting, root: Path, clock: Clock) -> None:
        self.setting, self.clock = setting, clock
        self.evidence: list[str] = []
        self._root = root
        root.mkdir()
        self.folder = Folder(root / f"bot-{os.urandom(3).hex()}", root / "claims")
        self._gateway = Gateway(clock, self.tell)
        self._address = ""
        self._copies: list[Copy] = []

    async def open(self) -> None:
        """From here on there is a gateway."""
        if self.setting.gateway_variable:
            self._address = await self._gateway.start()

    async def close(self) -> None:
        """Nothing runs any more."""
        for copy in self._copies:
            await copy.close()
        await self._gateway.close()

    def tell(self, what: str) -> None:
        """One more line of evidence."""
        self.evidence.append(what)

    # --- copies

    async def start(
        self, name: str, epoch: int, role: str = "auto", variables: Mapping[str, str] | None = None
    ) -> Copy:
        """One copy; ``variables`` are put over the usual ones."""
        changed = dict(variables or {})
        given = {**self._usual(name, epoch, role), **changed}
        words = " ".join(
            f"{key}={value}" for key, value in {"HANDOVER_ROLE": role, **changed}.items()
        )
        self.tell(f"{name}: started, epoch {epoch}, {words}")
        log = self._root / f"{len(self._copies)}.log"
        try:
            process = await copies.start(self.setting.argv, given, log)
        except OSError as error:
            raise Failed(f"{self.setting.argv[0]} cannot be executed: {error.strerror}") from None
        socket = self.folder.path / f"ctl-{name}.sock"
        copy = Copy(name, epoch, process, socket, log, self.setting.patience, self.clock, self.tell)
        self._copies.append(copy)
        return copy

    def _usual(self, name: str, epoch: int, role: str) -> dict[str, str]:
        ours = ("HANDOVER_", "NOTIFY_SOCKET")
        given = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        given |= {
            "HANDOVER_DIR": str(self.folder.path),
            "HANDOVER_ID": name,
            "HANDOVER_EPOCH": str(epoch),
            "HANDOVER_ROLE": role,
            "HANDOVER_STARTED_AT": str(self.now_ms),
            "HANDOVER_LOCK": self.lock_url,
            "HANDOVER_PROTOCOL": "handover/1",
            "HANDOVER_LISTEN": "",
        }
        if self._address:
            given[self.setting.gateway_variable] = self._address
        return given

    @property
    def lock_url(self) -> str:
        """Of a lock that works."""
        lock = self.setting.lock
        if lock == "sqlite":
            return "sqlite:"
        return self.folder.breakable_lock("dir") if lock == "dir" else lock

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self.clock.now() * 1000)

    # --- the sequence of the page

    def write(self, phase: str, active: Place, following: Place | None, *, lock: bool) -> None:
        """``state.json``."""
        now = self.clock.now()
        self.tell(self.folder.write_state(phase, active, following, lock=lock, now=now))

    async def one(self, variables: Mapping[str, str] | None = None) -> Copy:
        """One copy, ACTIVE and ready, and the lock is on."""
        self.write("done", OLD, None, lock=True)
        old = await self.start(OLD.id, OLD.epoch, "auto", variables)
        await old.is_ready_as("ACTIVE")
        return old

    async def start_new(self, variables: Mapping[str, str] | None = None) -> Copy:
        """Phase ``standby``, and the new copy is on its way."""
        self.write("standby", OLD, NEW, lock=True)
        return await self.start(NEW.id, NEW.epoch, "standby", variables)

    async def two(self) -> tuple[Copy, Copy]:
        """The old one ACTIVE, the new one a STANDBY that is ready."""
        old = await self.one()
        await old.post("/lock?on=true&epoch=1")
        new = await self.start_new()
        await new.is_ready_as("STANDBY")
        return old, new

    async def join(self, new: Copy) -> None:
        """Both are ACTIVE."""
        self.write("joint", OLD, NEW, lock=True)
        await new.post("/activate?epoch=2")
        await new.becomes("ACTIVE")

    # --- events

    @property
    def gateway(self) -> Gateway:
        """Raises CannotTell where the program was not told of it."""
        if not self._address:
            raise CannotTell("this takes events, and --gateway-env was not given")
        return self._gateway

    def deliver(self, event: str, *to: Copy) -> None:
        """An event that has its effect at once."""
        self.deliver_long(event, 0, *to)

    def deliver_long(self, event: str, take_ms: int, *to: Copy) -> None:
        """An event whose effect comes after ``take_ms``."""
        names = ", ".join(copy.name for copy in to)
        self.tell(f"gateway: {event} to {names}{f', takes {take_ms} ms' if take_ms else ''}")
        for copy in to:
            if not self.gateway.deliver(copy.name, event, take_ms):
                raise Failed(f"{copy.name} says it is ready and has not identified at the gateway")

    async def kept(self, copy: Copy, count: int) -> None:
        """Waits until a copy says that it keeps so many."""
        await copy.until(f"keeps {count}", lambda status: status["buffered"] >= count)

    async def effect(self, event: str, limit: float | None = None) -> str:
        """Waits for the effect; returns who had it. Raises Failed when there are two, or none."""
        seconds = self.setting.patience if limit is None else limit
        ends = self.clock.monotonic() + seconds
        while not (had := self._had(event)):
            if self.clock.monotonic() > ends:
                raise Failed(f"{event} is lost: no effect within {seconds:g} s")
            await self.clock.sleep(_LOOK)
        if len(had) > 1:
            raise Failed(f"{event} had {len(had)} effects, by {' and '.join(had)}")
        return had[0]

    async def no_effect(self, event: str) -> None:
        """Raises Failed when one comes soon."""
        await self.clock.sleep(_QUIET)
        if had := self._had(event):
            raise Failed(f"{event} must have no effect, and had one by {had[0]}")

    async def once_each(self, *events: str) -> None:
        """Each has one effect, and no second one comes soon."""
        for event in events:
            await self.effect(event)
        await self.clock.sleep(_QUIET)
        for event in events:
            await self.effect(event)

    def _had(self, event: str) -> list[str]:
        return [copy for copy, effect in self.gateway.effects if effect == event]


OLD = Place("bot-1", 1)
NEW = Place("bot-2", 2)
