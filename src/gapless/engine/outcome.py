"""How a rollout ended, in one word, one exit code, and who serves what now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gapless.engine.context import RolloutContext
from gapless.engine.first_install import was_absent
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.journal import RolloutState
from gapless.engine.replacing import InstanceOutcome
from gapless.engine.servicing import ServiceOutcome, ServiceResult
from gapless.errors import GaplessError
from gapless.model import NOT_INSTALLED
from gapless.plans import ServicePlan


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
    next: str = ""

    def data(self) -> dict[str, Any]:
        """What the last event of the rollout says."""
        data: dict[str, Any] = {"outcome": self.outcome, "exit_code": self.exit_code}
        if self.serving:
            data["serving"] = {name: dict(hosts) for name, hosts in self.serving.items()}
        if self.failed:
            data["failed"] = list(self.failed)
        if self.untouched:
            data["untouched"] = {name: dict(rest) for name, rest in self.untouched.items()}
        if self.next:
            data["next"] = self.next
        return data


def ending_of(
    ctx: RolloutContext, gate: Gatekeeper, results: Mapping[str, ServiceResult]
) -> Ending:
    """Judge the results: what is not certain is never called a success."""
    serving = {name: _serving(ctx, result) for name, result in results.items()}
    failed = tuple(
        f"{name}@{replaced.host}" for name, result in results.items() for replaced in result.failed
    )
    untouched = {name: left for name, result in results.items() if (left := _left(ctx, result))}
    shared: dict[str, Any] = {"serving": serving, "failed": failed, "untouched": untouched}
    rollout = ctx.record.id
    outcomes = {result.outcome for result in results.values()}
    if not failed and outcomes <= {ServiceOutcome.DONE}:
        return Ending("done", 0, event="rollout.succeeded", **shared)
    if gate.aborted:
        whole = not _mixed(ctx, results)
        return Ending(
            "restored" if whole else "mixed", 4 if whole else 5, event="rollout.aborted",
            next=_next(ctx, results, whole), **shared,
        )  # fmt: skip
    if ctx.interrupts.stop and ServiceOutcome.FAILED not in outcomes:
        return Ending(
            "interrupted", 130, event="rollout.interrupted", state=RolloutState.INTERRUPTED,
            next=f"gapless resume {rollout}   or   gapless abort {rollout}", **shared,
        )  # fmt: skip
    if _waits(ctx, results):
        return Ending(
            "paused", 7, event="rollout.paused", state=RolloutState.PAUSED,
            next=f"gapless promote {rollout}   or   gapless abort {rollout}", **shared,
        )  # fmt: skip
    whole = not _mixed(ctx, results)
    outcome, code = ("restored", 4) if whole else ("mixed", 5)
    return Ending(outcome, code, next=_next(ctx, results, whole), **shared)


def _waits(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    return any(
        result.outcome is ServiceOutcome.FAILED
        and ctx.plan.service(name).on_failure == "pause"
        and all(r.outcome is not InstanceOutcome.BROKEN for r in result.failed)
        for name, result in results.items()
    )


def _mixed(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    """Whether a service ended with some instances new and some old, or one broken."""
    if ctx.unsettled:
        return True
    for name, result in results.items():
        states = {replaced.outcome for replaced in result.instances.values()}
        if states & {InstanceOutcome.BROKEN, InstanceOutcome.LOST}:
            return True
        if result.outcome is ServiceOutcome.DONE and not result.failed:
            continue
        changes = bool(ctx.plan.service(name).to)
        if changes and InstanceOutcome.DONE in states:
            return True
    return False


def _next(ctx: RolloutContext, results: Mapping[str, ServiceResult], whole: bool) -> str:
    names = [name for name, result in results.items() if result.outcome is not ServiceOutcome.DONE]
    service = names[0] if names else ""
    verb = ctx.plan.verb.value
    if whole:
        return f"mend the cause, then: gapless {verb} {service}".rstrip()
    return f"gapless status {service}; then gapless rollback {service} or gapless {verb} {service}"


def _serving(ctx: RolloutContext, result: ServiceResult) -> dict[str, str]:
    """Per host what runs now, as far as this rollout knows."""
    service = ctx.plan.service(result.service)
    out: dict[str, str] = {}
    for host in service.hosts:
        replaced = result.instances.get(host)
        old = service.from_.get(host, "") or "not touched"
        if replaced is None or replaced.outcome is InstanceOutcome.UNTOUCHED:
            out[host] = old
        elif replaced.outcome is InstanceOutcome.DONE:
            out[host] = _release(service, host)
        elif replaced.outcome is InstanceOutcome.RESTORED and host in service.installs:
            out[host] = NOT_INSTALLED
        elif replaced.outcome is InstanceOutcome.RESTORED:
            out[host] = f"{service.from_.get(host, '')} (restored)".strip()
        else:
            out[host] = "unknown" if replaced.outcome is InstanceOutcome.LOST else "broken"
    return out


def _release(service: ServicePlan, host: str) -> str:
    """What a replaced instance runs: the new release, or on the way back the kept one."""
    if was_absent(service.snapshots.get(host) or {}):
        return NOT_INSTALLED
    kept = (service.snapshots.get(host) or {}).get("release")
    name = kept["name"] if kept else service.to.get("name") or service.from_.get(host)
    return str(name or "restarted")


def _left(ctx: RolloutContext, result: ServiceResult) -> dict[str, Any]:
    """Hosts of the plan that were not reached, and why."""
    hosts = [h for h in ctx.plan.service(result.service).hosts if h not in result.instances]
    if not hosts:
        return {}
    return {"hosts": hosts, "why": result.why or "the rollout stopped before them"}
