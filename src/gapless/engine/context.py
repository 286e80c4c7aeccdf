"""What the steps of a rollout share, and what one instance's steps hand to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gapless.clock import Clock
from gapless.config.services import ServiceConfig
from gapless.drivers.checks.secret_headers import KeptSecrets
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.paired import CopyRuntime, Paired
from gapless.drivers.transports.base import Transport
from gapless.engine.assembly import Assembly
from gapless.engine.floor import Floor
from gapless.engine.interrupts import Interrupts
from gapless.engine.journal import Journal, RolloutRecord, StepRecord, StepState
from gapless.errors import GaplessError
from gapless.events.event import TRANSIENT, Event
from gapless.model import Fence, Instance
from gapless.places import named_at
from gapless.plans import Plan, ServicePlan, StepKind

if TYPE_CHECKING:
    from gapless.engine.bench import Bench
    from gapless.engine.together import Together

Observer = Callable[[Event], None]


@dataclass
class RolloutContext:
    """One rollout under way. ``claimant`` is the id under which hosts know its locks (a rollback
    acts under its parent's)."""

    record: RolloutRecord
    plan: Plan
    journal: Journal
    clock: Clock
    assembly: Assembly
    observer: Observer
    interrupts: Interrupts
    claimant: str
    fences: dict[tuple[str, str], Fence] = field(default_factory=dict)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    """Where each service is claimed: the same for two names of one machine."""
    floors: dict[str, Floor] = field(default_factory=dict)
    steps: dict[str, StepRecord] = field(default_factory=dict)
    again: bool = False
    """Whether an earlier controller worked on it, and may have claimed its services."""
    accepted: set[tuple[str, str]] = field(default_factory=set)
    """Failed instances with which a person let a paused rollout go on."""
    judged: dict[str, bool] = field(default_factory=dict)
    """Services an earlier controller was through with, and whether they succeeded."""
    bumped: set[tuple[str, str]] = field(default_factory=set)
    """Instances whose older release was lifted over a schema on its way back."""
    unsettled: list[str] = field(default_factory=list)
    """What did not go back although the instances did (schemas): the outcome is mixed."""
    lost: dict[tuple[str, str], GaplessError] = field(default_factory=dict)
    """Instances given up before anything was done to them, and why."""
    left: dict[tuple[str, str], str] = field(default_factory=dict)
    """Services and hosts that still obeyed an ended rollout when this one began, and which."""
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    """Services and hosts that may have granted a claim without our hearing of it."""
    untold: set[tuple[str, str]] = field(default_factory=set)
    """Instances left out of traffic whose hosts could not be told."""
    failed: set[tuple[str, str]] = field(default_factory=set)
    """Instances of all services that failed and that nobody accepted: what max_failed counts."""
    requested: set[tuple[str, str]] = field(default_factory=set)
    """Approvals (service and batch) that were asked for."""
    granted: set[tuple[str, str]] = field(default_factory=set)
    """Approvals that a person gave."""
    grants_read: int = 0
    """The last event that was looked at for approvals."""
    secrets: KeptSecrets = field(default_factory=KeptSecrets)
    """What health questions send and nobody may see, as it was read last."""
    benches: dict[str, Sequence[Bench]] = field(default_factory=dict)
    """What counts and judges the errors of each service, one for each rate."""
    meetings: dict[str, dict[StepKind, Together]] = field(default_factory=dict)
    """Where the instances of a service wait for each other, by service and step."""
    held: set[tuple[str, str]] = field(default_factory=set)
    """Instances whose evidence a person is asked to judge."""
    refused: set[str] = field(default_factory=set)
    """Steps that a host which obeys somebody else did not let begin."""
    began: dict[str, float] = field(default_factory=dict)
    """When this process began each step, by its monotonic clock."""
    listen: Callable[[], None] = lambda: None
    """Hear what was asked of the rollout since the last time, in the middle of a long wait, too."""

    def event(self, type: str, **fields: Any) -> Event:  # noqa: A002 - the event's own word
        """An event of this rollout, stamped."""
        return Event(
            type, rollout=self.record.id, actor=self.record.actor, ts=self.clock.now(), **fields
        )

    def emit(self, type: str, **fields: Any) -> None:  # noqa: A002
        """Journal an event (unless it is transient) and show it."""
        event = self.event(type, **fields)
        if type not in TRANSIENT:
            event = self.journal.append(event)
        self.observer(event)

    def begin(
        self, key: str, attempt: int, before: Mapping[str, Any], event: Event, *, durable: bool
    ) -> None:
        """Commit an intent; ``durable`` as in the journal."""
        self.began[key] = self.clock.monotonic()
        self.observer(
            self.journal.begin(self.record.id, key, attempt, before, event, durable=durable)
        )
        self.steps[key] = StepRecord(key, attempt, StepState.BEGUN, before, begun=event.ts)

    def finish(
        self, key: str, attempt: int, state: StepState, result: Mapping[str, Any], event: Event
    ) -> None:
        """Commit an outcome."""
        self.observer(
            self.journal.finish(self.record.id, key, attempt, state, result, event)
        )  # fmt: skip
        old = self.steps.get(key)
        before = old.before if old else {}
        begun = old.begun if old else event.ts
        self.steps[key] = StepRecord(key, attempt, state, before, result, begun, event.ts)


@dataclass
class InstanceContext:
    """One instance being replaced (or taken back)."""

    rollout: RolloutContext
    service: ServicePlan
    host: str
    facts: dict[StepKind, Mapping[str, Any]] = field(default_factory=dict)
    """What the steps so far found out, from the journal after a crash."""
    undoing: bool = False
    """Whether these are the steps of its way back."""
    slot: str = ""
    """Which of two copies is meant (see ``copies``), "" where there is but one."""
    address: str = ""
    """Where that copy is reached, "" where it has no address of its own."""

    def of(self, slot: str, address: str = "") -> InstanceContext:
        """The same instance by one of its copies; what is found out is shared."""
        return replace(self, slot=slot, address=address)

    @property
    def instance(self) -> Instance:
        """Its name."""
        return Instance(self.service.name, self.host, self.slot, self.address)

    @property
    def transport(self) -> Transport:
        """The connection to its host."""
        return self.rollout.assembly.transport(self.host)

    @property
    def runtime(self) -> Runtime:
        """What starts and stops it."""
        if self.slot:
            return self.copy
        return self.rollout.assembly.runtime(self.service.name, self.host)

    @property
    def copy(self) -> CopyRuntime:
        """The copy that is meant."""
        runtime = self.rollout.assembly.runtime(self.service.name, self.host)
        assert isinstance(runtime, Paired), "only copies have slots"
        return runtime.copy(self.slot)

    @property
    def config(self) -> ServiceConfig:
        """Its service as configured."""
        return self.rollout.assembly.service(self.service.name)

    @property
    def begun(self) -> bool:
        """Whether the journal holds a step of it."""
        kinds = (kind for kind in self.service.steps if kind is not StepKind.MIGRATE)
        return any(self.key(kind) in self.rollout.steps for kind in kinds)

    @property
    def fence(self) -> Fence | None:
        """The right to act on it."""
        return self.rollout.fences.get((self.service.name, self.host))

    @property
    def folder(self) -> str:
        """Where its host keeps what is needed to go back."""
        rollout = self.rollout
        root = rollout.assembly.state_dir(self.host)
        name = named_at(self.service.name, self.host)
        return f"{root}/{rollout.plan.project}/{name}/{rollout.record.id}"

    def key(self, step: StepKind | str) -> str:
        """Journal key of one of its steps."""
        if isinstance(step, StepKind):
            return self.service.step_key(self.host, step)
        return f"{self.service.key_prefix}/{self.host}/{self.service.name}/{step}"

    def action_key(self, key: str, attempt: int) -> str:
        """The idempotency key that hosts know an action by."""
        return f"{self.rollout.record.id}/{key}#{attempt}"

    def event(self, type: str, step: str = "", **data: Any) -> Event:  # noqa: A002
        """An event about it."""
        return self.rollout.event(
            type, service=self.service.name, host=self.host, step=step, data=data
        )

    def emit(self, type: str, step: str = "", **data: Any) -> None:  # noqa: A002
        """Journal and show an event about it."""
        self.rollout.emit(type, service=self.service.name, host=self.host, step=step, data=data)
