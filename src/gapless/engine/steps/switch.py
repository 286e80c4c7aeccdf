"""switch: reload or restart; release link, unit and configuration files move in the same critical
action."""

from __future__ import annotations

from typing import Any

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.runtimes.base import Replacement, RuntimeSnapshot
from gapless.drivers.runtimes.stop_time import stop_time
from gapless.engine.config_change import (
    config_reached,
    config_untouched,
    confirm_config,
    needed_config_commands,
)
from gapless.engine.context import InstanceContext
from gapless.engine.first_install import removes
from gapless.engine.journal import StepRecord
from gapless.engine.remarks import tell_remarks
from gapless.engine.schema_bump import bump_before
from gapless.engine.standstill import slow_stop, tell_slow_stop
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.keeping_out import keep_out
from gapless.errors import ActionFailed
from gapless.model import (
    Command,
    Completed,
    CriticalAction,
    InstanceState,
    Observation,
    Settled,
    Settlement,
)
from gapless.plans import StepKind, Verb

_UP = (InstanceState.RUNNING, InstanceState.STARTING)


class Switch(Step):
    """Critical: runs on the host apart from the session and is never repeated blindly."""

    kind = StepKind.SWITCH
    critical = True
    shown = ("manner", "identity", "stopped")

    async def observe(self, ctx: InstanceContext) -> Facts:
        """Identity before: what tells after a crash whether it was replaced."""
        observation = await ctx.runtime.observe(ctx.transport)
        return {"observation": observation.to_json()}

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Run the replacement, then its fallback (reload → restart) where there is one."""
        await keep_out(ctx)
        replacement = await self._replacement(ctx)
        bump = await bump_before(ctx, target_release(ctx))
        release = (*bump, *release_commands(ctx), *await needed_config_commands(ctx))
        # what is removed is stopped while its files are there: its stop command may need them
        order = (replacement.commands, release) if removes(ctx) else (release, replacement.commands)
        commands = order[0] + order[1]
        timeout = max(replacement.timeout, sum(command.timeout for command in commands))
        settled = await self._run(ctx, key, commands, timeout)
        manner = replacement.manner
        if not settled.ok and replacement.fallback:
            settled = await self._run(
                ctx, f"{key}-fallback", replacement.fallback, replacement.timeout
            )
            manner = "restart"
        if not settled.ok:
            raise refused_by_host(ctx, settled)
        facts = await self._confirm(ctx, before, manner)
        if manner != "restart" or not before:
            return facts
        then, now = (Observation.from_json(one["observation"]) for one in (before, facts))
        stopped = stop_time(then, now, replacement, settled)
        tell_slow_stop(ctx, stopped)
        return facts if stopped is None else {**facts, "stopped": stopped}

    async def recover(self, ctx: InstanceContext, record: StepRecord, key: str) -> Facts | None:
        """Ask the host what became of the action; when it lost it, the identity tells."""
        failed: Settled | None = None
        for attempt in (key, f"{key}-fallback"):
            settled = await ctx.transport.settle(attempt)
            if settled.ok:
                manner = "restart" if attempt != key else await self._manner(ctx)
                return await self._confirm(ctx, record.before, manner)
            if settled.status is Settlement.DONE:
                failed = settled
        # not run, lost, or failed: a host that rebooted in the middle has started it anew itself
        if record.before:
            before = Observation.from_json(record.before["observation"])
            now = await ctx.runtime.observe(ctx.transport)
            replaced = ctx.runtime.replaced(before, now, "restart") and now.state in _UP
            if replaced and await self._is_live(ctx):
                return _facts(now, "restart")
        half_way = settled.status is Settlement.NEVER and await self._has_fallback(ctx)
        if failed is not None and not half_way:
            raise refused_by_host(ctx, failed)
        return None

    async def came_to_nothing(self, ctx: InstanceContext, record: StepRecord) -> bool:
        """Whether a failed switch changed nothing: the copy from before runs, its release is the
        live one, and no file was put in the place of another (a reload shows nowhere, so it
        counts as a change)."""
        kept = ctx.facts.get(StepKind.SNAPSHOT, {})
        if ctx.rollout.plan.verb is Verb.ROLLBACK or not record.before or not kept:
            return False
        if ctx.facts.get(StepKind.STAGE, {}).get("install") or not await config_untouched(ctx):
            return False
        if (await self._replacement(ctx)).manner != "restart":
            return False
        before = Observation.from_json(record.before["observation"])
        now = await ctx.runtime.observe(ctx.transport)
        same = (
            now.state is before.state is InstanceState.RUNNING and now.identity == before.identity
        )
        return same and await self._release(ctx) == kept.get("release_name", "")

    async def _release(self, ctx: InstanceContext) -> str:
        release = ctx.rollout.assembly.release(ctx.service.name)
        current = await release.current(ctx.transport) if release else None
        return current.name if current else ""

    async def _replacement(self, ctx: InstanceContext) -> Replacement:
        if ctx.rollout.plan.verb is Verb.ROLLBACK:
            kept = ctx.service.snapshots[ctx.host]
            return await ctx.runtime.restoration(
                ctx.transport, RuntimeSnapshot.from_json(kept["runtime"])
            )
        install = ctx.facts.get(StepKind.STAGE, {}).get("install", {})
        # a reload keeps the running code: with a new release it is taken only where asked for
        systemd = ctx.config.systemd
        always = systemd is not None and systemd.reload == "only"
        allowed = not install and (always or not self._brings_code(ctx))
        return await ctx.runtime.replacement(ctx.transport, install, allowed)

    def _brings_code(self, ctx: InstanceContext) -> bool:
        """Whether the release is another one: new files alone may be taken in by a reload."""
        live = ctx.facts.get(StepKind.SNAPSHOT, {}).get("release") or {}
        names = ("name", "digest")
        to = ctx.service.to
        return bool(to) and any(to.get(name) != live.get(name) for name in names)

    async def _has_fallback(self, ctx: InstanceContext) -> bool:
        """A reload that failed just before a crash: its fallback has not been tried."""
        return bool((await self._replacement(ctx)).fallback)

    async def _manner(self, ctx: InstanceContext) -> str:
        return (await self._replacement(ctx)).manner

    async def _run(
        self, ctx: InstanceContext, key: str, commands: tuple[Command, ...], timeout: float
    ) -> Settled:
        settled = await ctx.transport.act(CriticalAction(key, commands, ctx.fence, timeout))
        tell_remarks(ctx, self.kind, settled)
        return settled

    async def _confirm(self, ctx: InstanceContext, before: Facts, manner: str) -> Facts:
        """State set is not state reported: the identity must show the replacement."""
        now = await ctx.runtime.observe(ctx.transport)
        if removes(ctx):
            if now.state is not InstanceState.MISSING:
                raise ActionFailed(
                    f"{ctx.runtime.unit} was removed and is still {now.state.value}",
                    where=str(ctx.instance),
                    next=ctx.runtime.look(ctx.host),
                )
        elif before:
            old = Observation.from_json(before["observation"])
            if not ctx.runtime.replaced(old, now, manner):
                raise _not_replaced(ctx, now, manner)
        await confirm_config(ctx)
        return _facts(now, manner)

    async def _is_live(self, ctx: InstanceContext) -> bool:
        """Whether the release to switch to is the live one (a reboot restarts the old one, too)."""
        target = target_release(ctx)
        release = ctx.rollout.assembly.release(ctx.service.name)
        if ctx.facts.get(StepKind.STAGE, {}).get("install") or not await config_reached(ctx):
            return False
        if release is None or (target is None and not leaves_none(ctx)):
            return True
        current = await release.current(ctx.transport)
        name = current.name if current else ""
        return name == target.name if target else name != ctx.service.from_[ctx.host]


def target_release(ctx: InstanceContext) -> ReleaseRef | None:
    """The release an instance goes to: the plan's, or on the way back the snapshot's."""
    if ctx.rollout.plan.verb is Verb.ROLLBACK:
        kept = ctx.service.snapshots[ctx.host].get("release")
        return ReleaseRef.from_json(kept) if kept else None
    return ReleaseRef.from_json(ctx.service.to) if ctx.service.to else None


def leaves_none(ctx: InstanceContext) -> bool:
    """Whether going back means that no release is live any more, as before the first deploy."""
    back = ctx.rollout.plan.verb is Verb.ROLLBACK and ctx.service.from_.get(ctx.host)
    return bool(back) and not ctx.service.snapshots[ctx.host].get("release")


def release_commands(ctx: InstanceContext) -> tuple[Command, ...]:
    """What makes the release live that the instance goes to, or none as before the first."""
    release = ctx.rollout.assembly.release(ctx.service.name)
    target = target_release(ctx)
    if release is None:
        return ()
    if target is not None:
        return release.activation(target)
    return release.deactivation() if leaves_none(ctx) else ()


def _not_replaced(ctx: InstanceContext, now: Observation, manner: str) -> ActionFailed:
    """What is there instead: nothing that runs, nobody knows what, or the copy from before."""
    look, did = ctx.runtime.look(ctx.host), _DONE.get(manner, "started")
    if now.state in _UP:
        what = f"the {manner} was accepted but the instance is still the old one"
    else:
        what = f"it was {did}, but `{look}` says {now.state.value}"
    known = now.detail.get("status", "")
    return ActionFailed(
        what,
        where=str(ctx.instance),
        evidence=known or f"identity {now.identity or 'none'}, state {now.state.value}",
        next=look,
    )


_DONE = {"reload": "reloaded", "install": "installed and started"}


def _facts(now: Observation, manner: str) -> dict[str, Any]:
    return {"manner": manner, "identity": now.identity, "observation": now.to_json()}


def refused_by_host(ctx: InstanceContext, settled: Settled) -> ActionFailed:
    """The command that failed, its status and its last words."""
    last = settled.completed[-1] if settled.completed else None
    if last is None:
        return ActionFailed("the host did not run the action", where=str(ctx.instance))
    told = ctx.runtime.refusal(last)
    if told is not None:
        look = ctx.runtime.look(ctx.host)
        error = ActionFailed(told.what, where=str(ctx.instance), evidence=told.evidence, next=look)
        error.log = told.log
        return error
    how = _late(last) if last.timed_out else f"ended with status {last.status}"
    return ActionFailed(
        f"{' '.join(last.argv)} {how}",
        where=str(ctx.instance),
        evidence=slow_stop(ctx, last.evidence(10)) if last.timed_out else last.evidence(10),
        next=f"journalctl -u {ctx.runtime.unit} -n 50" if ctx.runtime.unit else "",
    )


def _late(last: Completed) -> str:
    if not last.elapsed:  # those before it took all of the action's time
        return "was not begun in time"
    return f"did not end in {round(last.elapsed, 0 if last.elapsed >= 1 else 1):g} s"


def running(observation: Observation) -> bool:
    """Whether the instance runs."""
    return observation.state is InstanceState.RUNNING
