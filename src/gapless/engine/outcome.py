"""How a rollout ended, in one word, one exit code, and who serves what now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gapless.engine.context import RolloutContext
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.journal import RolloutState
from gapless.engine.mixed import mixed
from gapless.engine.next_command import next_command
from gapless.engine.replacing import InstanceOutcome
from gapless.engine.servicing import ServiceOutcome, ServiceResult
from gapless.engine.serving import left_alone, marks_of, serving_now
from gapless.engine.standing import ways_on
from gapless.errors import GaplessError


@dataclass(frozen=True, slots=True)
class Ending:
    """``outcome``: done, refused, lock_held, restored, mixed, paused, interrupted."""

    outcome: str
    exit_code: int
    error: GaplessError | None = None
    event: str = "rollout.failed"
    state: RolloutState = RolloutState.ENDED
    serving: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    untouched: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    configuration: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Mark of what was verified as the configuration of each host, by service."""
    approvals: tuple[str, ...] = ()
    """Services that wait for a person's approval."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Instances whose evidence a person is asked to judge, and the evidence."""
    next: str = ""

    def data(self) -> dict[str, Any]:
        """What the last event of the rollout says."""
        data: dict[str, Any] = {"outcome": self.outcome, "exit_code": self.exit_code}
        if self.serving:
            data["serving"] = {name: dict(hosts) for name, hosts in self.serving.items()}
        if self.configuration:
            data["configuration"] = {name: dict(by) for name, by in self.configuration.items()}
        if self.failed:
            data["failed"] = list(self.failed)
        if self.untouched:
            data["untouched"] = {name: dict(rest) for name, rest in self.untouched.items()}
        if self.approvals:
            data["approvals"] = list(self.approvals)
        if self.held:
            data["held"] = dict(self.held)
            data["evidence"] = "\n".join(f"{one}: {told}" for one, told in self.held.items())
        if self.next:
            data["next"] = self.next
        return data


def ending_of(
    ctx: RolloutContext, gate: Gatekeeper, results: Mapping[str, ServiceResult]
) -> Ending:
    """Judge the results: what is not certain is never called a success."""
    serving = {name: serving_now(ctx, result) for name, result in results.items()}
    failed = tuple(
        f"{name}@{replaced.host}" for name, result in results.items() for replaced in result.failed
    )
    untouched = {
        name: left for name, result in results.items() if (left := left_alone(ctx, result))
    }
    marks = {name: marks for name, result in results.items() if (marks := marks_of(ctx, result))}
    shared: dict[str, Any] = {
        "serving": serving,
        "failed": failed,
        "untouched": untouched,
        "configuration": marks,
    }
    outcomes = {result.outcome for result in results.values()}
    if not failed and not ctx.unsettled and outcomes <= {ServiceOutcome.DONE}:
        return Ending("done", 0, event="rollout.succeeded", **shared)
    if gate.aborted or (ctx.interrupts.undo.is_set() and ServiceOutcome.FAILED in outcomes):
        return _not_done(ctx, results, "rollout.aborted", shared)
    if ctx.interrupts.stop and ServiceOutcome.FAILED not in outcomes:
        return Ending(
            "interrupted", 130, event="rollout.interrupted", state=RolloutState.INTERRUPTED,
            next=ways_on(replace(ctx.record, state=RolloutState.INTERRUPTED)), **shared,
        )  # fmt: skip
    if _waits(ctx, results):
        asked = "" if any(result.held for result in results.values()) else "paused"
        return Ending(
            "paused", 7, event="rollout.paused", state=RolloutState.PAUSED,
            next=ways_on(replace(ctx.record, state=RolloutState.PAUSED, outcome=asked)),
            approvals=_to_approve(results), held=_held(results), **shared,
        )  # fmt: skip
    return _not_done(ctx, results, "rollout.failed", shared)


def _not_done(
    ctx: RolloutContext,
    results: Mapping[str, ServiceResult],
    event: str,
    shared: Mapping[str, Any],
) -> Ending:
    whole = not mixed(ctx, results)
    outcome, code = ("restored", 4) if whole else ("mixed", 5)
    what_now = next_command(ctx, results, whole=whole)
    return Ending(outcome, code, event=event, next=what_now, **shared)


def _to_approve(results: Mapping[str, ServiceResult]) -> tuple[str, ...]:
    waiting = ServiceOutcome.WAITING
    return tuple(name for name, result in results.items() if result.outcome is waiting)


def _held(results: Mapping[str, ServiceResult]) -> dict[str, str]:
    return {
        f"{name}@{held.host}": str(held.error["evidence"])
        for name, result in results.items()
        for held in result.held
    }


def _waits(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    return bool(_to_approve(results) or _held(results)) or any(
        result.outcome is ServiceOutcome.FAILED
        and ctx.plan.service(name).on_failure == "pause"
        and all(r.outcome is not InstanceOutcome.BROKEN for r in result.failed)
        for name, result in results.items()
    )
