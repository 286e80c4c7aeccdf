"""How a rollout ended, in one word, one exit code, and who serves what now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gapless.engine.context import RolloutContext
from gapless.engine.first_install import was_absent
from gapless.engine.gatekeeper import Gatekeeper
from gapless.engine.journal import RolloutState
from gapless.engine.replacing import InstanceOutcome, Replaced
from gapless.engine.schema_back import is_unknown
from gapless.engine.servicing import ServiceOutcome, ServiceResult
from gapless.engine.standing import ways_on
from gapless.engine.steps.preflight import forced
from gapless.errors import FloorBroken, GaplessError, LostContact
from gapless.model import AS_IT_WAS, NO_RELEASE, NOT_INSTALLED
from gapless.plans import ServicePlan, StepKind, Verb


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
    marks = {name: marks for name, result in results.items() if (marks := _marks(ctx, result))}
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
        whole = not _mixed(ctx, results)
        return Ending(
            "restored" if whole else "mixed", 4 if whole else 5, event="rollout.aborted",
            next=_next(ctx, results, whole), **shared,
        )  # fmt: skip
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
    whole = not _mixed(ctx, results)
    outcome, code = ("restored", 4) if whole else ("mixed", 5)
    return Ending(outcome, code, next=_next(ctx, results, whole), **shared)


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


_NOT_RIGHT = frozenset(
    (InstanceOutcome.BROKEN, InstanceOutcome.LOST, InstanceOutcome.STAYED, InstanceOutcome.DOWN)
)
"""Neither as before nor as wanted, or nobody knows."""


def _mixed(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    """Whether a service ended with some instances new and some old, or one broken, or is new on
    top of one that is old (its failures were tolerated or accepted). A host that was lost before
    the first change is as before where nothing else was changed."""
    if ctx.unsettled or _new_on_old(ctx, results):
        return True
    nothing = _nothing_done(ctx, results)
    for result in results.values():
        migration = ctx.steps.get(ctx.plan.service(result.service).step_key("", StepKind.MIGRATE))
        if migration is not None and is_unknown(migration):
            return True
        states = {replaced.outcome for replaced in result.instances.values()}
        if states & _NOT_RIGHT and not nothing:
            return True
        if result.outcome is ServiceOutcome.DONE and not result.failed:
            continue
        if ctx.plan.verb is not Verb.RESTART and InstanceOutcome.DONE in states:
            return True
    return False


def _nothing_done(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    """Of a rollout that goes on nobody knows when its lost hosts were lost."""
    return not ctx.again and all(
        replaced.outcome is InstanceOutcome.UNTOUCHED
        or (replaced.outcome is InstanceOutcome.LOST and (name, replaced.host) in ctx.lost)
        for name, result in results.items()
        for replaced in result.instances.values()
    )


def _new_on_old(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    if ctx.plan.verb is Verb.RESTART:
        return False
    services = [ctx.plan.service(name) for name in results]
    new = {service.name for service in services if _any_new(service, results[service.name])}
    return any(
        service.name in new and any(name in results and name not in new for name in service.after)
        for service in services
    )


def _any_new(service: ServicePlan, result: ServiceResult) -> bool:
    goal = service.to.get("name")
    done = (replaced.host for replaced in result.instances.values() if replaced.good)
    return any(
        goal is None or service.from_.get(host) != goal or _new_files(service, host)
        for host in done
    )


def _new_files(service: ServicePlan, host: str) -> bool:
    return service.config.get(host) != service.config_from.get(host)


def _next(ctx: RolloutContext, results: Mapping[str, ServiceResult], whole: bool) -> str:
    wrong = {
        name: result
        for name, result in results.items()
        if result.outcome is not ServiceOutcome.DONE or result.failed
    }
    names = " ".join(wrong)
    if ctx.plan.verb.by_hand:
        left = (f"{n}@{host}" for n, result in wrong.items() for host in _not_done(ctx, result))
        again = f"gapless {ctx.plan.verb.value} {' '.join(left)}"
    elif ctx.plan.verb is Verb.ROLLBACK:
        again = f"gapless rollback {ctx.plan.parent}"
    else:
        again = f"gapless {_said(ctx, wrong)} {names}".rstrip()
    if whole:
        cause = "to try again" if ctx.interrupts.undo.is_set() else "mend the cause, then"
        return f"{cause}: {again}"
    if not wrong:
        return f"look at the schema of {' '.join(ctx.unsettled)}: gapless history {ctx.record.id}"
    missed = _only_missed(wrong.values())
    if missed and not ctx.plan.verb.by_hand:
        hosts = ",".join(missed)
        look = f"gapless doctor --hosts {hosts}; then"
        if all(ctx.plan.service(name).to for name in wrong):  # verified without them
            return f"{look} gapless catch-up {names}"
        return f"{look} {again} --hosts {hosts}"
    down = _down(ctx, wrong.values())
    if down and ctx.plan.verb is not Verb.ROLLBACK:  # unforced, what does not serve is refused
        again = forced(ctx.plan.verb, [name for name, _ in down], [host for _, host in down])
    look = f"gapless status {names}".rstrip()
    new = ctx.plan.verb is Verb.DEPLOY and _any_to_take_back(ctx, results.values())
    back = f"gapless rollback {ctx.record.id} or " if new else ""
    return f"{look}; then {back}{again}"


def _said(ctx: RolloutContext, wrong: Collection[str]) -> str:
    """The verb that a person said."""
    caught_up = all(ctx.plan.service(name).missed for name in wrong)
    return "catch-up" if caught_up and wrong else ctx.plan.verb.value


def _not_done(ctx: RolloutContext, result: ServiceResult) -> Iterable[str]:
    """Its hosts that did not get where they were to go."""
    done = {replaced.host for replaced in result.instances.values() if replaced.good}
    return (host for host in ctx.plan.service(result.service).hosts if host not in done)


def _any_to_take_back(ctx: RolloutContext, results: Iterable[ServiceResult]) -> bool:
    """Whether a rollback by hand would find anything."""
    new = (InstanceOutcome.DONE, InstanceOutcome.BROKEN, InstanceOutcome.STAYED)
    return any(
        r.outcome in new and not _only_drained(ctx, result.service, r)
        for result in results
        for r in result.instances.values()
    )


def _only_drained(ctx: RolloutContext, name: str, replaced: Replaced) -> bool:
    """Whether all that went wrong is its way back into traffic: it was never switched."""
    broken = replaced.outcome is InstanceOutcome.BROKEN
    return broken and ctx.plan.service(name).step_key(replaced.host, StepKind.SWITCH) not in (
        ctx.steps
    )


def _down(ctx: RolloutContext, wrong: Iterable[ServiceResult]) -> tuple[tuple[str, str], ...]:
    """Services and hosts of the instances that were left serving nobody."""
    states = (InstanceOutcome.BROKEN, InstanceOutcome.DOWN)
    return tuple(
        (result.service, replaced.host)
        for result in wrong
        for replaced in result.failed
        if replaced.outcome in states
        and not replaced.error.get("unknown")
        and not _only_drained(ctx, result.service, replaced)
    )


def _only_missed(wrong: Iterable[ServiceResult]) -> tuple[str, ...]:
    """The hosts that were never reached, or lost before anything of them was changed, when nothing
    else is wrong."""
    results = list(wrong)
    failed = [replaced for result in results for replaced in result.failed]
    done = all(result.outcome is ServiceOutcome.DONE for result in results)
    if not done or not all(_away(replaced) for replaced in failed):
        return ()
    return tuple(dict.fromkeys(replaced.host for replaced in failed))


def _away(replaced: Replaced) -> bool:
    if replaced.outcome is InstanceOutcome.UNTOUCHED:
        return replaced.error.get("code") == LostContact.code
    return replaced.outcome is InstanceOutcome.LOST


def serving_now(ctx: RolloutContext, result: ServiceResult) -> dict[str, str]:
    """Per host what runs now, as far as this rollout knows."""
    service = ctx.plan.service(result.service)
    out: dict[str, str] = {}
    for host in dict.fromkeys((*service.hosts, *result.instances)):
        replaced = result.instances.get(host)
        old = service.from_.get(host, "") or "not touched"
        if replaced is None or replaced.outcome is InstanceOutcome.UNTOUCHED:
            out[host] = old
        elif replaced.outcome in (InstanceOutcome.DONE, InstanceOutcome.HELD):
            out[host] = _MOVED.get(ctx.plan.verb) or _release(service, host)
        elif replaced.outcome is InstanceOutcome.RESTORED and host in service.installs:
            out[host] = NOT_INSTALLED
        elif replaced.outcome is InstanceOutcome.RESTORED:
            old = service.from_.get(host) or (NO_RELEASE if service.to else "")
            out[host] = f"{old} (restored)".strip()
        elif replaced.outcome is InstanceOutcome.STAYED:
            new = service.to.get("name") or service.from_.get(host) or "as switched"
            floor = replaced.error.get("code") == FloorBroken.code
            why = "way back refused by the floor" if floor else "way back not begun"
            out[host] = f"{new} (new release, {why})"
        elif replaced.error.get("now"):
            out[host] = str(replaced.error["now"])
        elif replaced.error.get("unknown"):
            out[host] = _WRONG[InstanceOutcome.LOST]
        else:
            out[host] = _WRONG[replaced.outcome]
    return out


_MOVED: Mapping[Verb, str] = {Verb.DRAIN: "out of traffic", Verb.ADMIT: "in traffic"}
_WRONG: Mapping[InstanceOutcome, str] = {
    InstanceOutcome.LOST: "unknown",
    InstanceOutcome.DOWN: "does not serve",
    InstanceOutcome.BROKEN: "broken",
}


def _release(service: ServicePlan, host: str) -> str:
    """What a replaced instance runs: the new release, or on the way back the kept one."""
    if was_absent(service.snapshots.get(host) or {}):
        return NOT_INSTALLED
    kept = (service.snapshots.get(host) or {}).get("release")
    if kept:
        return str(kept["name"])
    if host in service.snapshots and service.from_.get(host):
        return NO_RELEASE
    if host in service.config:
        return str(service.to.get("name") or "new configuration")
    done = "started" if host in service.installs else "restarted"
    if (service.snapshots.get(host) or {}).get("config"):
        done = AS_IT_WAS
    return str(service.to.get("name") or service.from_.get(host) or done)


def _marks(ctx: RolloutContext, result: ServiceResult) -> dict[str, str]:
    """Of the configuration of each host that is as this rollout wanted it."""
    service = ctx.plan.service(result.service)
    done = (replaced.host for replaced in result.instances.values() if replaced.good)
    records = ((host, ctx.steps.get(service.step_key(host, StepKind.COMMIT))) for host in done)
    return {
        host: record.result["config"]
        for host, record in records
        if record is not None and record.result.get("config")
    }


def left_alone(ctx: RolloutContext, result: ServiceResult) -> dict[str, Any]:
    """Hosts of the plan that were not reached, and why."""
    hosts = [h for h in ctx.plan.service(result.service).hosts if h not in result.instances]
    if not hosts:
        return {}
    return {"hosts": hosts, "why": result.why or "the rollout stopped before them"}
