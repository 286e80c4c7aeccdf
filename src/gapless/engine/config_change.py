"""Configuration files as part of what an instance is: kept, staged, made live, taken back.

They go with the release through the same steps, and back with it: an instance runs the code and the
files of one deploy, or those from before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.drivers.config_files import host as on_host
from gapless.drivers.config_files.base import ABSENT, Written, staged
from gapless.drivers.config_files.files import ConfigFiles, LiveConfig
from gapless.drivers.config_files.seen import in_the_way
from gapless.engine.context import InstanceContext
from gapless.errors import ActionFailed, GaplessError, PreflightFailed, StalePlan
from gapless.model import Command
from gapless.plans import StepKind, Verb

VALIDATE_WITHIN = 60.0
"""Seconds a validator may take."""


def files_of(ctx: InstanceContext) -> ConfigFiles | None:
    """What the rollout may change of it; only a deploy and the way back change any."""
    if ctx.rollout.plan.verb not in (Verb.DEPLOY, Verb.ROLLBACK):
        return None
    return ctx.rollout.assembly.config_files(ctx.service.name)


async def refuse_hindered(ctx: InstanceContext) -> None:
    """Before anything is changed: a deploy cannot put a file where a folder is. Raises
    PreflightFailed."""
    files = files_of(ctx) if ctx.rollout.plan.verb is Verb.DEPLOY else None
    if files is not None:
        _refuse_hindered(ctx, await files.live(ctx.transport))


def _refuse_hindered(ctx: InstanceContext, live: LiveConfig) -> None:
    what = in_the_way(live)
    if what:
        path = what.partition(" ")[0]
        raise PreflightFailed(
            what,
            where=str(ctx.instance),
            next=f"look at {path} on {ctx.host}: remove it, or name another file at to:",
        )


async def keep_config(ctx: InstanceContext) -> dict[str, Any]:
    """Copies on the host below the rollout's own folder; of what is in them the journal gets
    nothing but marks."""
    files = files_of(ctx)
    if files is None:
        return {}
    live = await files.live(ctx.transport)
    stored = f"{ctx.folder}/config"
    await on_host.keep(ctx.transport, live.files, stored)
    known = await _written(ctx)
    kept = []
    for file in live.files:
        mark = files.marks.of_live([file])
        same = file.path in known and known[file.path].mark == mark
        kept.append({**file.to_json(), **(known[file.path] if same else Written(mark)).to_json()})
    return {"config": {"mark": live.mark, "stored": stored, "files": kept}}


async def _written(ctx: InstanceContext) -> Mapping[str, Written]:
    if ctx.fence is None:
        return {}
    return Written.all_from(await ctx.transport.recall(ctx.fence.service))


async def stage_config(ctx: InstanceContext) -> dict[str, Any]:
    """Render, put beside, and let validators look, which may be of the release that was staged.
    Raises StalePlan, PreflightFailed or ActionFailed."""
    files = files_of(ctx)
    if files is None:
        return {}
    release = str(ctx.service.to.get("name", ""))
    rendered = (await files.render([ctx.host], release))[ctx.host]
    if rendered.mark != ctx.service.config.get(ctx.host, rendered.mark):
        raise _stale(ctx)
    live = await files.live(ctx.transport)
    _refuse_hindered(ctx, live)
    for new in rendered.files:
        await on_host.stage(ctx.transport, new)
    for new in rendered.files:
        folder = str(ctx.service.to.get("path", ""))
        said = await on_host.validate(ctx.transport, new, folder, VALIDATE_WITHIN)
        if said is not None and not said.ok:
            told = files.veiled(ctx.host, said.evidence(10))
            raise on_host.refused(str(ctx.instance), new, said, told)
    return {
        "config": rendered.mark,
        "config_new": live.mark != rendered.mark,
        "written": {
            new.path: Written(
                files.marks.of_rendered([new]), new.shown if new.secret else None
            ).to_json()
            for new in rendered.files
        },
    }


def _stale(ctx: InstanceContext) -> StalePlan:
    return StalePlan(
        "the configuration is not what was planned: a template, a variable or a secret changed"
        " since",
        where=str(ctx.instance),
        next=f"gapless plan deploy {ctx.service.name}",
    )


def config_commands(ctx: InstanceContext) -> tuple[Command, ...]:
    """What makes the files live that the instance goes to."""
    if ctx.rollout.plan.verb is Verb.ROLLBACK:
        kept = _kept(ctx)
        return on_host.restoration(kept["stored"], kept["files"]) if kept else ()
    return on_host.activation(staged_paths(ctx))


async def needed_config_commands(ctx: InstanceContext) -> tuple[Command, ...]:
    """The same without writing what is as it was: the disk may take nothing any more."""
    files, kept = files_of(ctx), _kept(ctx)
    if files is None or not kept or ctx.rollout.plan.verb is not Verb.ROLLBACK:
        return config_commands(ctx)
    live = {
        file.path: files.marks.of_live([file]) for file in (await files.live(ctx.transport)).files
    }
    same = [f["path"] for f in kept["files"] if live.get(f["path"]) == f["mark"]]
    return on_host.restoration(kept["stored"], kept["files"], same)


def staged_paths(ctx: InstanceContext) -> tuple[str, ...]:
    """Files that this rollout has staged and not made live yet, or just has."""
    return tuple(ctx.facts.get(StepKind.STAGE, {}).get("written", {}))


async def config_reached(ctx: InstanceContext) -> bool:
    """Whether the files on the host are those the instance goes to. A mark made with a key that is
    gone says nothing; then the host's own copies do: those staged, or those kept."""
    files = files_of(ctx)
    goal = _goal(ctx)
    if files is None or not goal:
        return True
    if not files.marks.knows(goal):
        goal = await files.copied(ctx.transport, _copies(ctx))
    return (await files.live(ctx.transport)).mark == goal


async def config_untouched(ctx: InstanceContext) -> bool:
    """Whether the files on the host are those from before this rollout."""
    files = files_of(ctx)
    kept = ctx.facts.get(StepKind.SNAPSHOT, {}).get("config")
    if files is None or not kept:
        return True
    return bool((await files.live(ctx.transport)).mark == kept["mark"])


async def confirm_config(ctx: InstanceContext) -> None:
    """Raise ActionFailed where a file is not what it was made."""
    if not await config_reached(ctx):
        raise ActionFailed(
            "configuration files were put in place, and are not what was put there",
            where=str(ctx.instance),
            evidence="somebody else writes them: a configuration manager, or the service itself",
            next=f"gapless plan deploy {ctx.service.name} --diff",
        )


async def remembered(ctx: InstanceContext) -> dict[str, Any]:
    """What the host is to remember as last good of its configuration, as it is found there."""
    files = files_of(ctx)
    if files is None:
        known = {} if ctx.fence is None else await ctx.transport.recall(ctx.fence.service)
        found = (known.get("last_good") or {}).get("config")
        return {"config": found} if found else {}
    mark = (await files.live(ctx.transport)).mark
    return {"config": {"mark": mark, "files": _as_written(ctx)}}


def _as_written(ctx: InstanceContext) -> dict[str, Any]:
    if ctx.rollout.plan.verb is not Verb.ROLLBACK:
        return dict(ctx.facts.get(StepKind.STAGE, {}).get("written", {}))
    kept = _kept(ctx).get("files", ())
    return {f["path"]: Written(f["mark"], f.get("shown")).to_json() for f in kept}


async def forget_staged(ctx: InstanceContext) -> None:
    """Staged copies have had their time."""
    await on_host.forget_staged(ctx.transport, staged_paths(ctx))


async def unstage_config(ctx: InstanceContext) -> None:
    """Remove what was staged and never made live, with the folders made for it."""
    kept = ctx.facts.get(StepKind.SNAPSHOT, {}).get("config") or {}
    made = [folder for file in kept.get("files", ()) for folder in file["missing"]]
    paths = [file["path"] for file in kept.get("files", ())]
    try:
        await on_host.forget_staged(ctx.transport, paths, made)
    except GaplessError as error:  # hidden, and written anew by the next deploy
        ctx.emit("step.skipped", "stage", why=f"staged configuration was left: {error.what}")


def _kept(ctx: InstanceContext) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ctx.service.snapshots.get(ctx.host, {}).get("config") or {}
    return found


def _copies(ctx: InstanceContext) -> dict[str, str]:
    """Path to where what is to be there lies as well."""
    if ctx.rollout.plan.verb is not Verb.ROLLBACK:
        return {path: staged(path) for path in staged_paths(ctx)}
    kept = _kept(ctx)
    there = (file["path"] for file in kept["files"] if file["kind"] != ABSENT)
    return {path: kept["stored"] + path for path in there}


def _goal(ctx: InstanceContext) -> str:
    if ctx.rollout.plan.verb is Verb.ROLLBACK:
        return str(_kept(ctx).get("mark", ""))
    return str(ctx.facts.get(StepKind.STAGE, {}).get("config", ""))
