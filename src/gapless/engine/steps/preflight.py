"""preflight: the instance is fit to be touched — or nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.drivers.handover.base import HANDED_OVER, SeatsCopies
from gapless.drivers.runtimes import systemd_follows
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.own_check import asked_of
from gapless.drivers.runtimes.with_release import makeable
from gapless.drivers.transports.base import Transport
from gapless.engine.asked_release import live_name
from gapless.engine.context import InstanceContext
from gapless.engine.copies import live_facts, on_live, replaces_beside
from gapless.engine.first_install import installs, removes
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.health import ask, tell, timing, worst
from gapless.errors import PreflightFailed
from gapless.model import InstanceState, Verdict, VerdictStatus
from gapless.plans import StepKind, Verb


class Preflight(Step):
    """Unit exists and is loaded, its dependencies are up, sudo works, health checks pass."""

    kind = StepKind.PREFLIGHT

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Ask everything once more, right before the instance is touched."""
        ctx = await on_live(ctx)
        verdicts = await examine(ctx)
        finding = worst(verdicts)
        if finding is not None:
            tell(ctx, self.kind, [finding])
            if await hinders(ctx, finding):
                raise unfit(ctx, finding)
            ctx.rollout.floors[ctx.service.name].broken.add(ctx.host)
        return {"checks": len(verdicts), **live_facts(ctx)}


async def examine(ctx: InstanceContext) -> Sequence[Verdict]:
    """Every preflight verdict of one instance; --force leaves out the health gates, not the
    runtime's own findings (a unit that does not exist cannot be forced). What the deploy is to
    install need not be there, nor healthy. Of two copies the one that serves is meant."""
    ctx = ctx if ctx.slot else await on_live(ctx)
    verb = ctx.rollout.plan.verb
    found = await fit(ctx.runtime, ctx.transport, verb)
    if ctx.host in ctx.service.installs and installs(ctx, await ctx.runtime.observe(ctx.transport)):
        return [v for v in found if v.check not in INSTALLED]
    if ctx.rollout.plan.force:
        # down or crash-looping is what --force is for; a unit that is not there is not
        observation = await ctx.runtime.observe(ctx.transport)
        kept = observation.state.value == "missing"
        found += await seated(ctx)
        stays = {systemd_follows.CHECK, *HANDED_OVER}
        return [v for v in found if v.passed or kept or v.check in stays]
    found += await seated(ctx)
    assembly = ctx.rollout.assembly
    health = assembly.health(ctx.instance, await live_name(assembly, ctx.instance))
    probes = await asked_of(ctx.runtime, ctx.transport, health) if worst(found) is None else ()
    if probes:
        patience = timing(ctx.config.health)
        found += await ask(
            ctx,
            probes,
            passes=1,
            every=max(patience.retry_delay, 0.05),
            within=patience.retries * patience.retry_delay,
        )
    return found


async def seated(ctx: InstanceContext) -> list[Verdict]:
    """What the copies of an instance need to change places; of one that is only moved or goes for
    good nothing is asked."""
    found: list[Verdict] = []
    for balancer in ctx.rollout.assembly.balancers(ctx.service.name):
        if isinstance(balancer, SeatsCopies) and replaces_beside(ctx):
            found += await balancer.fit(ctx.instance, forced=bool(ctx.rollout.plan.force))
    return found


async def fit(runtime: Runtime, transport: Transport, verb: Verb) -> list[Verdict]:
    """What the runtime finds that matters to the verb. Only a deploy brings a release, which tells
    when it is on the host (see ``stage``) how the next copy is made; a restart goes by what the
    live one says."""
    found = [*await runtime.preflight(transport)]
    if verb is Verb.DEPLOY:
        return found
    found += await makeable(runtime, transport) if verb is Verb.RESTART else ()
    return [v for v in found if v.check != systemd_follows.CHECK]


async def hinders(ctx: InstanceContext, finding: Verdict) -> bool:
    """Whether a finding is in the way of this plan. The way back is for what is sick; only what
    is not there has none, unless it is to go away. Out of traffic goes anything."""
    if ctx.rollout.plan.verb is Verb.DRAIN:
        return False
    if ctx.rollout.plan.verb is not Verb.ROLLBACK:
        return True
    if removes(ctx):
        return False
    return (await ctx.runtime.observe(ctx.transport)).state is InstanceState.MISSING


def unfit(ctx: InstanceContext, finding: Verdict) -> PreflightFailed:
    """The refusal: the answer, once; then what was asked and what would have been right."""
    wanted = f"\nwanted {finding.wanted}" if finding.wanted else ""
    look = f"{finding.look} on {ctx.host}" if finding.look else f"gapless doctor --hosts {ctx.host}"
    verb = ctx.rollout.plan.verb
    going_on = forced(verb, [ctx.service.name], [ctx.host]) if forcible(finding) else ""
    error = PreflightFailed(
        answered(finding),
        where=str(ctx.instance),
        evidence=f"asked {finding.asked}{wanted}",
        next=f"{look}   or   {going_on}" if going_on else look,
    )
    error.forcible = bool(going_on)
    return error


def answered(finding: Verdict) -> str:
    """Of a finding its answer, as one says it behind "is not fit to be touched:"."""
    subject = "it is" if finding.check == "active" else f"{finding.check}:"
    return f"{subject} {finding.answer}"


def forcible(finding: Verdict) -> bool:
    """Whether ``--force`` is for this finding: the service is down, or its checks say no. Of a
    state that nobody knows it makes no better one."""
    if finding.check in _QUESTIONS:
        return True
    return finding.check in _STATES and finding.status is VerdictStatus.FAIL


def forced(verb: Verb, services: Sequence[str], hosts: Sequence[str]) -> str:
    """The command that goes on all the same."""
    names, places = " ".join(dict.fromkeys(services)), ",".join(dict.fromkeys(hosts))
    return f'gapless {verb.value} {names} --hosts {places} --force --reason "..."'


INSTALLED = frozenset(("unit", "run file", "container"))
"""What a deploy brings where it is not there yet."""
_STATES = frozenset(("active", "status"))
_QUESTIONS = frozenset(("http", "tcp", "unix", "command", "healthcheck"))
