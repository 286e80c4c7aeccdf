"""What tables want to know of their rows; whoever makes rows need not know tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gapless.model import Verdict


class StatusRow(Protocol):
    """One instance as asked now."""

    @property
    def service(self) -> str:
        """Its service."""
        ...

    @property
    def host(self) -> str:
        """Its host."""
        ...

    @property
    def state(self) -> str:
        """What the runtime reports."""
        ...

    @property
    def release(self) -> str:
        """What version it runs; empty when it has none."""
        ...

    @property
    def serving(self) -> Any:
        """Whether its balancers send it traffic; None where nobody can tell."""
        ...

    @property
    def since(self) -> float | None:
        """Start time."""
        ...

    @property
    def restarts(self) -> int | None:
        """Restarts nobody asked for."""
        ...

    @property
    def verdict(self) -> Verdict | None:
        """The worst answer of its checks."""
        ...

    @property
    def behind(self) -> str:
        """The verified release that it missed and does not run."""
        ...

    @property
    def last_good(self) -> str:
        """The release that was verified last, where another one is linked."""
        ...

    @property
    def config_good(self) -> str:
        """Mark of the configuration that was verified last, where another one is there."""
        ...

    @property
    def by_hand(self) -> Mapping[str, Any]:
        """Who drained it by hand (actor), when (since) and why (reason); empty when nobody did."""
        ...

    @property
    def has_it_in(self) -> tuple[str, ...]:
        """Balancers that report it up though it was drained by hand."""
        ...

    @property
    def slot(self) -> str:
        """Which of two copies it is, where both run."""
        ...


class RolloutRow(Protocol):
    """One rollout of the journal."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def environment(self) -> str:
        """Of which environment; "" for that of a project without."""
        ...

    @property
    def verb(self) -> str:
        """restart, deploy, rollback."""
        ...

    @property
    def services(self) -> tuple[str, ...]:
        """What it touches."""
        ...

    @property
    def actor(self) -> str:
        """Who started it."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...

    @property
    def started(self) -> float:
        """When."""
        ...

    @property
    def ended(self) -> float:
        """When it was over; 0 while it is not."""
        ...

    @property
    def state(self) -> str:
        """running, paused, interrupted, ended."""
        ...

    @property
    def outcome(self) -> str:
        """How it ended."""
        ...


class OwnedRow(Protocol):
    """One service that a rollout owns."""

    @property
    def service(self) -> str:
        """The service."""
        ...

    @property
    def owner(self) -> str:
        """Who owns it."""
        ...

    @property
    def controller(self) -> str:
        """On which machine."""
        ...

    @property
    def pid(self) -> int:
        """In which process."""
        ...

    @property
    def since(self) -> float:
        """Since when."""
        ...

    @property
    def rollout(self) -> str:
        """For which rollout."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...


class LockRow(OwnedRow, Protocol):
    """One that this controller knows."""

    @property
    def live(self) -> bool:
        """Whether that process still works on it."""
        ...

    @property
    def host(self) -> str:
        """The host on which an ended rollout left it behind, else ""."""
        ...


class HostLockRow(OwnedRow, Protocol):
    """One that only hosts know."""

    @property
    def live(self) -> bool:
        """Whether its controller is connected to one of them."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that say so."""
        ...


class FindingRow(Protocol):
    """One answer of ``doctor``."""

    @property
    def host(self) -> str:
        """Where."""
        ...

    @property
    def check(self) -> str:
        """What was looked at."""
        ...

    @property
    def verdict(self) -> Verdict:
        """The answer."""
        ...

    @property
    def remedy(self) -> str:
        """What mends it."""
        ...
