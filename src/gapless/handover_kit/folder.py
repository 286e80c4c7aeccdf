"""``HANDOVER_DIR`` as its orchestrator has it: writes ``state.json``, holds and breaks things."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """One copy as ``state.json`` names it."""

    id: str
    epoch: int


class Folder:
    """Private to one case."""

    def __init__(self, path: Path, claims: Path) -> None:
        self.path, self._claims = path, claims
        self._held: int | None = None
        path.mkdir()
        claims.mkdir()

    def write_state(
        self, phase: str, active: Place, following: Place | None, *, lock: bool, now: float
    ) -> str:
        """By rename; returns what to tell people about it."""
        latest = max(place.epoch for place in (active, following) if place)
        state = {
            "protocol": "handover/1",
            "service": self.path.name,
            "phase": phase,
            "active": _place(active),
            "next": _place(following),
            "latest": latest,
            "lock": lock,
            "skew_ms": 100,
            "horizon_ms": 900_000,
            "changed_at": int(now * 1000),
            "owner": "gapless handover verify",
            "unknown": "a key that nobody knows is ignored",
        }
        fresh = self.path / "state.json.new"
        fresh.write_text(json.dumps(state))
        fresh.rename(self.path / "state.json")
        beside = f", next {following.id}" if following else ""
        return f"state.json: {phase}, active {active.id}{beside}, lock {'on' if lock else 'off'}"

    def hold_active(self) -> None:
        """As an active copy does. Raises BlockingIOError when one is there."""
        self._held = os.open(
            self.path / "active.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666
        )
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def let_active_go(self) -> None:
        """As the death of an active copy does."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def breakable_lock(self, kind: str) -> str:
        """Claims in a folder that can be taken away; ``kind`` is ``sqlite`` or ``dir``."""
        return {
            "sqlite": f"sqlite://{self._claims}/claims.db",
            "dir": f"dir://{self._claims}",
        }[kind]

    def break_claims(self) -> None:
        """Nothing can be written there any more, by nobody."""
        self._claims.rename(self._claims.with_name("claims.away"))
        self._claims.write_text("a file where a folder was\n")

    def mend_claims(self) -> None:
        """As before."""
        self._claims.unlink()
        self._claims.with_name("claims.away").rename(self._claims)


def _place(place: Place | None) -> dict[str, object] | None:
    return {"id": place.id, "epoch": place.epoch} if place else None
