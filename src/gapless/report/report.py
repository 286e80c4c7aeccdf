"""The report of a rollout: frozen, complete, and plain JSON at the border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from gapless.model import Verdict, VerdictStatus
from gapless.plans import NOT_ASKED_FOR
from gapless.report.outcome import Outcome

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Undone:
    """One instance that went back (``ok``) or could not. ``restored``: the version it runs now."""

    service: str
    host: str
    ok: bool
    restored: str = ""
    went_on: bool = False
    """Whether its old copy ran all the while, beside the new one."""
    seconds: float = 0.0
    verdict: Verdict | None = None
    what: str = ""
    evidence: str = ""
    manual: tuple[str, ...] = ()
    """Commands a person types when the way back failed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One step that did not reach its goal, with everything a person wants to see of it."""

    what: str
    service: str = ""
    host: str = ""
    step: str = ""
    code: str = ""
    kind: str = ""
    evidence: str = ""
    verdict: Verdict | None = None
    log: tuple[str, ...] = ()
    """Last journal lines of the new copy, fetched before it was removed."""
    next: str = ""
    at: float = 0.0
    """When, in seconds since the epoch."""
    past: bool = False
    """The rollout went on after a pause since: it may be otherwise by now."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An instance kept out of traffic on purpose, and the command that ends it."""

    service: str
    host: str
    balancer: str
    why: str
    next: str


@dataclass(frozen=True, slots=True)
class Warned:
    """What went wrong on an instance, and stopped nothing."""

    service: str
    host: str
    why: str


@dataclass(frozen=True, slots=True)
class Margin:
    """How much more a cluster bore when a rollout of it did not end well, a line for each group."""

    service: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A rate that decided nothing on an instance which is new all the same: a person ``accepted``
    it so, else ``on_insufficient: pass`` let it through. ``why`` is the arithmetic."""

    service: str
    host: str
    source: str
    why: str
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Unsure:
    """An instance that is new, and of which nobody could tell whether it is well."""

    service: str
    host: str
    answer: str


@dataclass(frozen=True, slots=True)
class SchemaBack:
    """The data of a service that went back: the version it has again, or why it stays; with
    ``bumped`` the version ``was`` stays, and older releases were lifted to that."""

    service: str
    to: int | None = None
    was: int | None = None
    why: str = ""
    bumped: int | None = None


@dataclass(frozen=True, slots=True)
class ClusterGap:
    """What a client of one cluster saw; ``kind`` is its system. Times in seconds."""

    service: str
    kind: str
    operations: int = 0
    failed: int = 0
    retried: int = 0
    """Those whose first attempt came to nothing."""
    longest_gap: float = 0.0
    p50_before: float | None = None
    p99_before: float | None = None
    p50_during: float | None = None
    p99_during: float | None = None
    late: int = 0
    acknowledged: int = 0
    """Writes."""
    lost: int = 0
    """Of those, the ones that were not there at the end."""
    unread: int = 0
    """Of those, the ones that nobody could be asked for at the end."""
    first_failures: tuple[Mapping[str, Any], ...] = ()
    first_lost: tuple[int, ...] = ()
    left: str = ""
    """What could not be removed, and why."""
    unmeasured: str = ""
    """Why there was no client."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What clients missed: through the front door, and as clients of clusters (``workloads``).
    Times in seconds."""

    sent: int
    failed: int
    longest_silence: float
    p50_before: float | None = None
    p99_before: float | None = None
    p50_during: float | None = None
    p99_during: float | None = None
    late: int = 0
    """Probes the prover itself sent too late to count."""
    first_failures: tuple[Mapping[str, Any], ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    workloads: tuple[ClusterGap, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """One service: what serves now, and which hosts came to which end.

    ``serving`` maps host to version or state. The host lists are disjoint: ``done`` new and
    verified, ``failed`` touched and neither new nor restored, ``restored`` went back, ``kept``
    failed before anything was changed, ``waiting`` never begun, ``untouched`` not of this plan.
    """

    name: str
    serving: Mapping[str, str] = field(default_factory=dict)
    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    waiting_why: str = ""
    untouched: tuple[str, ...] = ()
    untouched_why: str = ""
    left: Mapping[str, str] = field(default_factory=dict)
    """Each host of ``waiting``, ``untouched`` and ``kept``, and why it was left as it is."""
    skipped: str = ""
    """Why the service was not begun."""
    target: str = ""
    """The version it was to get; empty for a restart."""
    configuration: Mapping[str, str] = field(default_factory=dict)
    """Mark of the configuration of each host that is ``done``; equal marks are equal files."""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Configuration files that changed on each host that is ``done``, as far as the plan saw."""

    @property
    def of_the_plan(self) -> bool:
        """Whether it was asked for; else it is only told because others depend on it."""
        told = (self.serving, self.done, self.failed, self.restored, self.kept, self.waiting)
        return any(told) or bool(self.skipped) or self.untouched_why != NOT_ASKED_FOR


@dataclass(frozen=True, slots=True)
class Report:
    """What a rollout came to. ``exit_code`` is what the command ends with."""

    outcome: Outcome
    rollout: str = ""
    verb: str = ""
    project: str = ""
    environment: str = ""
    actor: str = ""
    reason: str = ""
    force: str = ""
    """Reason given with --force; empty when health gates held."""
    started: float = 0.0
    ended: float = 0.0
    services: tuple[ServiceReport, ...] = ()
    failures: tuple[Failure, ...] = ()
    undone: tuple[Undone, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warned: tuple[Warned, ...] = ()
    margins: tuple[Margin, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    unsure: tuple[Unsure, ...] = ()
    schemas: tuple[SchemaBack, ...] = ()
    gap: Gap | None = None
    what: str = ""
    """Why it was refused, paused or aborted."""
    evidence: str = ""
    code: str = ""
    next: str = ""
    """The command that helps."""
    sinks: tuple[str, ...] = ()
    """What receivers of events did not get."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command that ends so."""
        return self.outcome.exit_code

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, self.ended - self.started)

    @property
    def manual(self) -> tuple[str, ...]:
        """Commands a person has to type, in order."""
        return tuple(command for undone in self.undone for command in undone.manual)

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the exit code."""
        data = asdict(self)
        verdicts: Mapping[str, tuple[Failure | Undone, ...]] = {
            "failures": self.failures,
            "undone": self.undone,
        }
        for key, items in verdicts.items():
            data[key] = [
                {**plain, "verdict": item.verdict.to_json() if item.verdict else None}
                for plain, item in zip(data[key], items, strict=True)
            ]
        return {"schema": SCHEMA, **data, "exit_code": self.exit_code, "seconds": self.seconds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The report ``to_json`` wrote; unknown fields are ignored."""
        plain = {k: data[k] for k in cls.__slots__ if k in data}
        plain["outcome"] = Outcome(data["outcome"])
        plain["services"] = tuple(_load(ServiceReport, s) for s in data.get("services", ()))
        plain["failures"] = tuple(_load(Failure, f) for f in data.get("failures", ()))
        plain["undone"] = tuple(_load(Undone, u) for u in data.get("undone", ()))
        plain["left_out"] = tuple(_load(LeftOut, item) for item in data.get("left_out", ()))
        plain["warned"] = tuple(_load(Warned, item) for item in data.get("warned", ()))
        plain["margins"] = tuple(_load(Margin, item) for item in data.get("margins", ()))
        plain["unjudged"] = tuple(_load(Unjudged, item) for item in data.get("unjudged", ()))
        plain["unsure"] = tuple(_load(Unsure, item) for item in data.get("unsure", ()))
        plain["schemas"] = tuple(_load(SchemaBack, item) for item in data.get("schemas", ()))
        plain["gap"] = _gap(data["gap"]) if data.get("gap") else None
        plain["sinks"] = tuple(data.get("sinks", ()))
        return cls(**plain)


def _gap(data: Mapping[str, Any]) -> Gap:
    workloads = tuple(_load(ClusterGap, one) for one in data.get("workloads", ()))
    return cast(Gap, _load(Gap, {**data, "workloads": workloads}))


def _load(kind: Any, data: Mapping[str, Any]) -> Any:
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    if "verdict" in fields:
        fields["verdict"] = parse_verdict(fields["verdict"])
    return kind(**{k: v for k, v in fields.items() if k in kind.__slots__})


def parse_verdict(data: Any) -> Verdict | None:
    """The verdict an event holds; None when it holds none that can be read."""
    if not isinstance(data, Mapping):
        return None
    status = next((item for item in VerdictStatus if item.value == data.get("status")), None)
    if status is None:
        return None
    return Verdict(
        status,
        str(data.get("check", "")),
        str(data.get("asked", "")),
        str(data.get("answer", "")),
        str(data.get("wanted", "")),
        float(data.get("elapsed") or 0.0),
        str(data.get("look", "")),
    )
