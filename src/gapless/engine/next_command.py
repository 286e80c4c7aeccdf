"""What a person does next about a rollout that did not get where it was to go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from gapless.engine.context import RolloutContext
from gapless.engine.replacing import InstanceOutcome, Replaced
from gapless.engine.servicing import ServiceOutcome, ServiceResult
from gapless.engine.steps.preflight import forced
from gapless.errors import LostContact
from gapless.plans import StepKind, Verb


def next_command(ctx: RolloutContext, results: Mapping[str, ServiceResult], *, whole: bool) -> str:
    """``whole``: everything is as it was before."""
    wrong = {
        name: result
        for name, result in results.items()
        if result.outcome is not ServiceOutcome.DONE or result.failed
    }
    if whole:
        cause = "to try again" if ctx.interrupts.undo.is_set() else "mend the cause, then"
        return f"{cause}: {_again(ctx, wrong)}"
    if not wrong:
        return f"look at the schema of {' '.join(ctx.unsettled)}: gapless history {ctx.record.id}"
    missed = _only_missed(wrong.values())
    if missed and not ctx.plan.verb.by_hand:
        return _reach(ctx, wrong, ",".join(missed))
    look = f"gapless status {' '.join(wrong)}"
    new = ctx.plan.verb is Verb.DEPLOY and _any_to_take_back(ctx, results.values())
    back = f"gapless rollback {ctx.record.id} or " if new else ""
    return f"{look}; then {back}{_again_by_force(ctx, wrong)}"


def _again(ctx: RolloutContext, wrong: Mapping[str, ServiceResult]) -> str:
    """The command that was given, for what is left of it."""
    if ctx.plan.verb.by_hand:
        left = (f"{n}@{host}" for n, result in wrong.items() for host in _not_done(ctx, result))
        return f"gapless {ctx.plan.verb.value} {' '.join(left)}"
    if ctx.plan.verb is Verb.ROLLBACK:
        return f"gapless rollback {ctx.plan.parent}"
    return f"gapless {_said(ctx, wrong)} {' '.join(wrong)}".rstrip()


def _again_by_force(ctx: RolloutContext, wrong: Mapping[str, ServiceResult]) -> str:
    """Unforced, what does not serve is refused."""
    down = _down(ctx, wrong.values())
    if not down or ctx.plan.verb is Verb.ROLLBACK:
        return _again(ctx, wrong)
    return forced(ctx.plan.verb, [name for name, _ in down], [host for _, host in down])


def _reach(ctx: RolloutContext, wrong: Mapping[str, ServiceResult], hosts: str) -> str:
    """First the hosts that were missed, then what they missed."""
    look = f"gapless doctor --hosts {hosts}; then"
    verified = not ctx.plan.force and all(ctx.plan.service(name).to for name in wrong)
    if verified:  # without them
        return f"{look} gapless catch-up {' '.join(wrong)}"
    return f"{look} {_again(ctx, wrong)} --hosts {hosts}"


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
