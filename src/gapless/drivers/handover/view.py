"""What a host's folder and its copies say, as plain facts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from gapless.drivers.balancers.base import MemberState
from gapless.supervisor.spec import SLOTS

PROTOCOL = "handover/1"


class State(StrEnum):
    """What a copy says it is; SILENT: it lives and says nothing."""

    BOOTING = "BOOTING"
    STANDBY = "STANDBY"
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that lives. ``slot`` "" is one that we did not start."""

    id: str
    slot: str
    epoch: int
    state: State
    told: Mapping[str, Any]
    """Its status, empty for one that is silent."""
    uid: int = -1
    peak: int = 0
    """KiB of memory, the most that it ever had; 0: nobody knows."""
    claims: tuple[str, ...] = ()
    """Its event lock and its namespace, as it was started with; empty: nobody knows."""
    silence: str = ""

    @property
    def ready(self) -> bool:
        """All of its units are."""
        return bool(self.told.get("ready"))

    @property
    def left(self) -> int:
        """Events in work, and follow-ups."""
        return self.figure("inflight") + self.figure("followups")

    def figure(self, name: str) -> int:
        """A count of its status."""
        return int(self.told.get(name) or 0)

    def __str__(self) -> str:
        if self.state is State.SILENT:
            return f"{self.id}: lives, no answer: {self.silence}"
        units = f"{self.figure('units_ready')} of {self.figure('units_total')} units ready"
        said = [f"{self.id}: {self.state}", units]
        said += [f"{self.left} in work"] if self.left else []
        said += [str(problem) for problem in self.told.get("problems") or ()]
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Written:
    """``state.json``; ``active`` and ``next`` are (id, epoch)."""

    phase: str = "done"
    active: tuple[str, int] | None = None
    next: tuple[str, int] | None = None
    latest: int = 0
    lock: bool = True
    owner: str = ""
    lock_on: Mapping[str, Any] | None = None
    """Of the copy that was active when the lock went on: its ``id``, and what it had counted."""

    def to_json(self, *, skew: float, horizon: float, now: float) -> str:
        """As the protocol has it; durations in seconds."""
        return json.dumps(
            {
                "protocol": PROTOCOL,
                "service": _service(self),
                "phase": self.phase,
                "active": _place(self.active),
                "next": _place(self.next),
                "latest": self.latest,
                "lock": self.lock,
                "skew_ms": round(skew * 1000),
                "horizon_ms": round(horizon * 1000),
                "changed_at": round(now * 1000),
                "owner": self.owner,
                "lock_on": self.lock_on,
            }
        )


@dataclass(frozen=True, slots=True)
class Sight:
    """All of a host at one moment. ``written`` None: no ``state.json``, or one that says nothing
    (``mark`` tells these apart)."""

    mark: str
    written: Written | None
    copies: tuple[Copy, ...]
    memory: int
    """KiB that are available."""

    def of(self, slot: str) -> Copy | None:
        """The copy that lives in a slot; of several the newest."""
        there = [copy for copy in self.copies if copy.slot == slot]
        return max(there, key=lambda copy: copy.epoch, default=None)

    @property
    def strangers(self) -> tuple[Copy, ...]:
        """Copies that we did not start."""
        return tuple(copy for copy in self.copies if not copy.slot)

    def placed(self, slot: str) -> Sight:
        """With the one that is a stranger in a slot."""
        copies = (copy if copy.slot else replace(copy, slot=slot) for copy in self.copies)
        return replace(self, copies=tuple(copies))

    @property
    def highest(self) -> int:
        """The highest epoch that anybody has seen."""
        known = [copy.epoch for copy in self.copies]
        return max([*known, self.written.latest if self.written else 0], default=0)

    @property
    def known(self) -> Written:
        """What is written, or what one would have to begin with."""
        return self.written or Written(latest=self.highest)

    def __str__(self) -> str:
        phase = f"phase {self.written.phase}" if self.written else "no state.json"
        return "\n".join([phase, *map(str, self.copies)])


def sight(told: Mapping[str, Any]) -> Sight:
    """From the answer of ``seat_script``."""
    copies = [_copy(name, answer) for name, answer in told["copies"].items()]
    return Sight(told["mark"], _written(told["state"]), tuple(copies), told["memory"])


def member_state(sight: Sight, slot: str) -> MemberState:
    """How a copy stands, in the words of balancers."""
    copy, written = sight.of(slot), sight.known
    ours = written.active is not None and slot_of(written.active[0]) == slot
    if copy is None and ours:
        return MemberState.DOWN
    if copy is None:  # until the handover is over there is something to be done about it
        return MemberState.MISSING if written.phase == "done" else MemberState.DRAINED
    if copy.state is State.ACTIVE:
        return MemberState.UP
    if copy.state is State.DRAINING and written.phase in ("joint", "draining"):
        return MemberState.DRAINING
    waits = copy.state in (State.BOOTING, State.STANDBY) and not ours
    return MemberState.DRAINED if waits else MemberState.DOWN


def name_of(service: str, slot: str, epoch: int) -> str:
    """Id of a copy that we start."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", service)[:40]
    return f"{plain}-{slot}-{epoch}"


def slot_of(name: str) -> str:
    """Slot in an id of ours, or of one that a person gave as SERVICE-SLOT; else ""."""
    match = re.search(r"-([a-z])(-\d+)?$", name)
    return match.group(1) if match and match.group(1) in SLOTS else ""


def _service(written: Written) -> str:
    named = written.active or written.next
    return re.sub(r"-[a-z](-\d+)?$", "", named[0]) if named else ""


def _place(place: tuple[str, int] | None) -> dict[str, Any] | None:
    return {"id": place[0], "epoch": place[1]} if place else None


def _copy(name: str, answer: Mapping[str, Any]) -> Copy:
    body = answer.get("body")
    known = {
        "uid": answer.get("uid", -1),
        "peak": answer.get("peak", 0),
        "claims": tuple(answer.get("claims") or ()),
    }
    told: Mapping[str, Any] = body if isinstance(body, dict) else {}
    if answer["status"] != 200 or told.get("protocol") != PROTOCOL:
        silence = answer.get("error") or f"status {answer['status']}, no {PROTOCOL}"
        number = re.search(r"-(\d+)$", name)
        epoch = int(number.group(1)) if number else 0
        return Copy(name, slot_of(name), epoch, State.SILENT, {}, silence=silence, **known)
    try:
        state = State(told.get("state", ""))
    except ValueError:
        state = State.SILENT
    return Copy(name, slot_of(name), int(told.get("epoch") or 0), state, told, **known)


def _written(told: Any) -> Written | None:
    if not isinstance(told, dict) or told.get("protocol") != PROTOCOL:
        return None
    try:
        return Written(
            told["phase"],
            _named(told.get("active")),
            _named(told.get("next")),
            int(told.get("latest") or 0),
            bool(told.get("lock", True)),
            str(told.get("owner", "")),
            told["lock_on"] if isinstance(told.get("lock_on"), dict) else None,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _named(told: Any) -> tuple[str, int] | None:
    return (str(told["id"]), int(told["epoch"])) if told else None
