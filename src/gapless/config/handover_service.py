"""``services.X.handover`` — a program that speaks handover/1 (docs/reference/handover.md)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv, Duration, Limit

_SCHEMES = ("sqlite", "dir", "redis", "redis+unix", "postgresql", "postgres")
_NAMED = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def _url(lock: str) -> str:
    if lock == "none":
        return lock
    scheme, colon, _ = lock.partition(":")
    if not colon or scheme not in _SCHEMES:
        known = ", ".join(f"{one}:" for one in _SCHEMES)
        raise ValueError(f"is none of {known} none")
    if urlsplit(lock).password:  # plans, journals and units are read by many
        raise ValueError("holds a password: let the program have that from a file of its own")
    return lock


def _name(namespace: str) -> str:
    if not _NAMED.fullmatch(namespace):
        raise ValueError("may have letters, digits, '.', '_' and '-', at most 64")
    return namespace


class BudgetConfig(Section):
    """Whether there is budget for one more connection, as a gateway's limit of identifies."""

    run: Argv
    """Asked on the host before anything is changed; it ends with 0 where there is. Its first line
    is what a person is told."""
    timeout: Limit = 30.0
    """How long it may take."""


class HandoverConfig(Section):
    """Two copies of a program that nothing sits in front of change places by themselves: no event
    is lost or doubled."""

    directory: Annotated[str, Field(pattern=r"^/.*[^/]$")] | None = None
    """Folder on the host that both copies share; default: one for this service beside the state
    folder of gapless."""
    user: str | None = None
    """Account that owns the folder, as NAME or UID; default: the one that the program runs as,
    where that can be known."""
    lock: Annotated[str, AfterValidator(_url)] = "sqlite:"
    """Where claims of events are kept: sqlite:, sqlite:///PATH, dir:///PATH, redis://HOST,
    postgresql://USER@HOST/DB, none."""
    when: Literal["window", "always"] = "window"
    """window: events are claimed while there may be two copies; always: also when there is one."""
    fail: Literal["closed", "open"] = "closed"
    """What becomes of an event for which the lock has no answer. closed: it is dropped, and may be
    lost; open: it is handled, and may be doubled."""
    namespace: Annotated[str, AfterValidator(_name)] | None = None
    """Separates the claims of services that share a lock; default: the folder's
    name."""
    skew: Duration = 2.0
    """How much later one copy may get the same event than the other."""
    horizon: Duration = 900.0
    """How long the source may deliver an event again; claims are kept for as long."""
    ready: Duration = 120.0
    """How long the new copy may take until all of its units are ready."""
    stable: Duration = 1.0
    """How long it has to stay so before it handles events."""
    joint: Duration | None = None
    """How long both handle events, each of them once, before it is judged; at least, and by
    default, two times the skew."""
    deadline: Duration = 30.0
    """How long the old copy may take to finish what it began."""
    buffer: Duration = 10.0
    """How much of what came last a copy that waits keeps; longer than handlers take."""
    max_age: Duration = 300.0
    """How long a copy that is started again later believes that it was to wait."""
    memory: Annotated[float, Field(ge=0, le=10)] = 1.2
    """The memory that has to be available before a second copy is started, in peaks of the first;
    0: nobody asks."""
    budget: BudgetConfig | None = None
    """A command that tells whether one more connection may be made, or a mapping."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        budget = data.get("budget") if isinstance(data, dict) else None
        if isinstance(budget, (str, list)):
            return {**data, "budget": {"run": budget}}
        return data

    @property
    def together(self) -> float:
        """Seconds of the joint phase."""
        return max(self.joint or 0.0, 2 * self.skew)
