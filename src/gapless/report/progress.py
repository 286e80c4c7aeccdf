"""Where a rollout stands, as far as its events have told (``fold`` takes them in).

The live view, a ``watch`` in another terminal and a report made a year later all show the same,
because all of them read this, folded from the same stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from gapless.events.event import Event
from gapless.model import Verdict
from gapless.plans import Plan
from gapless.report.report import Failure, Gap, LeftOut, Margin, SchemaBack, Undone, Warned

TOUCHING = frozenset(
    ("drain", "evacuate", "switch", "ready", "rejoin", "warm", "admit", "soak", "verify", "commit")
)
"""Steps after which an instance counts as touched; all before change nothing that runs."""


class Stage(StrEnum):
    """Where one instance stands."""

    WAITING = "waiting"
    RUNNING = "under way"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "going back"
    RESTORED = "restored"
    KEPT = "not changed"
    """Failed before anything of it that runs was changed."""
    LOST = "not restored"


@dataclass(slots=True)
class InstanceProgress:
    """One instance: its stage, its step since when, the last answer of what it waits for."""

    service: str
    host: str
    stage: Stage = Stage.WAITING
    step: str = ""
    since: float = 0.0
    touched: bool = False
    answer: str = ""
    away: float = 0.0
    """Since when its host does not answer; 0 while it does."""
    verdict: Verdict | None = None
    """Last answer while it was to become ready."""
    undecided: tuple[Verdict, ...] = ()
    """Rates that could not tell when it was verified last."""
    let_through: bool = False
    """Whether it went on with these."""
    accepted: bool = False
    """Whether a person was asked, and said so."""


@dataclass(slots=True)
class ServiceProgress:
    """One service: its batches so far and why it was skipped, if it was."""

    name: str
    state: str = "waiting"
    batch: str = ""
    batch_hosts: tuple[str, ...] = ()
    batches: int = 0
    begun: int = 0
    why: str = ""
    target: str = ""


@dataclass
class Progress:
    """All there is to know of a rollout up to an event. Give the plan where it is at hand."""

    plan: Plan | None = None
    rollout: str = ""
    verb: str = ""
    actor: str = ""
    reason: str = ""
    force: str = ""
    started: float = 0.0
    now: float = 0.0
    expected: float = 0.0
    services: dict[str, ServiceProgress] = field(default_factory=dict)
    instances: dict[tuple[str, str], InstanceProgress] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    undone: dict[tuple[str, str], Undone] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    warned: list[Warned] = field(default_factory=list)
    margins: dict[str, Margin] = field(default_factory=dict)
    schemas: list[SchemaBack] = field(default_factory=list)
    gap: Gap | None = None
    paused: str = ""
    """Why it waits; empty while it goes on."""
    ending: Event | None = None
    """The event that ended, refused, paused or interrupted it."""

    def __post_init__(self) -> None:
        """Fill in what the plan says."""
        if self.plan is None:
            return
        self.verb, self.force = self.plan.verb.value, self.plan.force
        self.expected = self.plan.expected
        for service in self.plan.services:
            entry = self.service(service.name)
            entry.batches, entry.target = len(service.batches), str(service.to.get("name", ""))
            for host in service.hosts:
                self.instance(service.name, host)

    def service(self, name: str) -> ServiceProgress:
        """The service's entry, made when new."""
        return self.services.setdefault(name, ServiceProgress(name))

    def instance(self, service: str, host: str) -> InstanceProgress:
        """The instance's entry, made when new."""
        return self.instances.setdefault((service, host), InstanceProgress(service, host))

    def of(self, service: str) -> Iterable[InstanceProgress]:
        """The instances of a service in plan order."""
        return (item for item in self.instances.values() if item.service == service)

    def count(self, *stages: Stage) -> int:
        """How many instances are in one of the stages."""
        return sum(item.stage in stages for item in self.instances.values())

    def known(self, failure: Failure) -> bool:
        """Whether the instance's failure was told already."""
        place = (failure.service, failure.host)
        return any((item.service, item.host) == place for item in self.failures)
