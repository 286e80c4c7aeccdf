"""The variables that a copy is started with. They survive restarts, so they are hints alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from gapless.handover.endings import BadVariable
from gapless.handover.listening import loopback

PROTOCOL: Final = "handover/1"

Role = Literal["active", "standby", "auto"]
When = Literal["window", "always"]
Fail = Literal["open", "closed"]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True)
class Environment:
    """All variables, read and checked."""

    folder: Path | None
    """None: the program runs alone, ACTIVE and without a lock."""
    id: str
    epoch: int
    role: Role
    started_at: int | None
    """Milliseconds since 1970, by the orchestrator's clock."""
    max_age: float
    lock: str
    """URL; empty for the default one."""
    lock_when: When
    lock_fail: Fail
    namespace: str
    listen: tuple[str, int] | None
    buffer: float
    """Seconds."""

    def age(self, now_ms: float) -> float:
        """Seconds since the start; beyond every limit where nobody said when that was."""
        if self.started_at is None:
            return float("inf")
        return max(0.0, (now_ms - self.started_at) / 1000)


def read(variables: Mapping[str, str]) -> Environment:
    """Raises BadVariable."""
    given = _Given(variables)
    given.choice("PROTOCOL", PROTOCOL)
    folder = given.folder("DIR")
    name = given.text("ID", _NAME, "letters, digits, '.', '_' and '-', at most 64")
    if folder is not None and not name:
        raise BadVariable("HANDOVER_ID", "", "is needed where HANDOVER_DIR is set")
    return Environment(
        folder=folder,
        id=name or "alone",
        epoch=given.integer("EPOCH") or 0,
        role=cast(Role, given.choice("ROLE", "auto", "active", "standby")),
        started_at=given.integer("STARTED_AT"),
        max_age=given.seconds("MAX_AGE", 300.0),
        lock=given.text("LOCK"),
        lock_when=cast(When, given.choice("LOCK_WHEN", "window", "always")),
        lock_fail=cast(Fail, given.choice("LOCK_FAIL", "closed", "open")),
        namespace=given.text("NAMESPACE") or (folder.resolve().name if folder else "") or "default",
        listen=given.address("LISTEN"),
        buffer=given.seconds("BUFFER", 10.0),
    )


class _Given:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, key: str, pattern: re.Pattern[str] | None = None, must: str = "") -> str:
        value = self._variables.get(f"HANDOVER_{key}", "")
        if value and pattern is not None and not pattern.fullmatch(value):
            raise BadVariable(f"HANDOVER_{key}", value, f"must be {must}")
        return value

    def choice(self, key: str, default: str, *others: str) -> str:
        value = self.text(key) or default
        if value not in (default, *others):
            known = " or ".join((default, *others))
            raise BadVariable(f"HANDOVER_{key}", value, f"must be {known}")
        return value

    def integer(self, key: str) -> int | None:
        value = self.text(key, _INTEGER, "an integer that is not negative")
        return int(value) if value else None

    def seconds(self, key: str, default: float) -> float:
        value = self.text(key, _SECONDS, "seconds, such as 10 or 0.5")
        return float(value) if value else default

    def folder(self, key: str) -> Path | None:
        value = self.text(key)
        if not value:
            return None
        path = Path(value)
        if not path.is_dir():
            raise BadVariable(f"HANDOVER_{key}", value, "is no folder that can be seen from here")
        return path

    def address(self, key: str) -> tuple[str, int] | None:
        value = self.text(key)
        if not value:
            return None
        address = loopback(value)
        if address is None:
            raise BadVariable(
                f"HANDOVER_{key}", value, "must be a loopback address and a port: 127.0.0.1:PORT"
            )
        return address
