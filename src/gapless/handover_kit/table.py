"""The cases of the page, in its order and with its words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gapless.handover_kit.cases import (
    asking,
    draining,
    dying,
    locking,
    standing_by,
    variables,
)
from gapless.handover_kit.scene import Scene


@dataclass(frozen=True, slots=True)
class Case:
    """``play`` raises Failed or CannotTell."""

    name: str
    must: str
    play: Callable[[Scene], Awaitable[None]]
    events: bool = True
    """Whether something of it cannot be told without events."""
    long: bool = False
    """Waits for most of its time, so it is begun first."""


CASES: tuple[Case, ...] = (
    Case(
        "standby-handles-nothing",
        "events that reach a standby have no effect while the other copy lives",
        standing_by.standby_handles_nothing,
    ),
    Case(
        "activate-replays-buffer",
        "what was kept is offered on activation; nothing is lost or doubled",
        standing_by.activate_replays_buffer,
    ),
    Case(
        "standby-told-to-end",
        "what came to it alone is not lost, and what came to both not doubled",
        standing_by.standby_told_to_end,
    ),
    Case(
        "restart-in-standby",
        "started again in phase standby: STANDBY",
        standing_by.restart_in_standby,
        events=False,
    ),
    Case(
        "restart-in-joint",
        "started again in phase joint: ACTIVE, lock on",
        standing_by.restart_in_joint,
        events=False,
    ),
    Case(
        "restart-days-later",
        "phase done, and standby still in the environment: ACTIVE",
        standing_by.restart_days_later,
        events=False,
    ),
    Case(
        "no-state-fresh",
        "no state.json, within the age: STANDBY",
        standing_by.no_state_fresh,
        events=False,
    ),
    Case(
        "no-state-old",
        "no state.json, beyond the age: ACTIVE",
        standing_by.no_state_old,
        events=False,
    ),
    Case(
        "clock-behind",
        "no state.json, a negative age: STANDBY",
        standing_by.clock_behind,
        events=False,
    ),
    Case(
        "orchestrator-dies",
        "nobody comes: it stays STANDBY, and says stale after the age",
        standing_by.orchestrator_dies,
        events=False,
    ),
    Case(
        "takeover",
        "the active copy is killed: ACTIVE within a second, nothing kept is lost",
        dying.takeover,
    ),
    Case(
        "takeover-before-ready",
        "the same before it is ready: it connects to the end, then activates",
        dying.takeover_before_ready,
    ),
    Case("old-revived", "of an old epoch: status 75, nothing connected", dying.old_revived),
    Case("old-hangs", "the old copy hangs and is killed: takeover", dying.old_hangs),
    Case(
        "twice-the-same",
        "an event that is delivered twice has one effect",
        locking.twice_the_same,
    ),
    Case(
        "abort-while-draining",
        "/abort brings it back, and it handles events",
        draining.abort_while_draining,
    ),
    Case(
        "obsolete-orchestrator",
        "a lower epoch: 409, nothing changes",
        asking.obsolete_orchestrator,
        events=False,
    ),
    Case("wrong-state", "409, nothing changes", asking.wrong_state),
    Case("nonsense", "400, nothing changes", asking.nonsense, events=False),
    Case(
        "deactivate-finishes",
        "what was begun is finished, nothing new is taken, then status 0",
        draining.deactivate_finishes,
    ),
    Case("deadline", "at the deadline it ends, and says what it left", draining.deadline),
    Case(
        "lock-broken",
        "errors are counted, the policy holds, nothing is taken for lost",
        locking.lock_broken,
    ),
    Case(
        "both-killed",
        "both are started again: exactly one is ACTIVE",
        dying.both_killed,
        events=False,
    ),
    Case(
        "bad-variables",
        "status 78, and the variable is named",
        variables.bad_variables,
        long=True,
    ),
    Case(
        "signals",
        "the four signals do what the requests do",
        asking.signals,
        events=False,
    ),
)
NAMES: tuple[str, ...] = tuple(case.name for case in CASES)
