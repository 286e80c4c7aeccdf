"""Who serves what, as far as a rollout knows, and whom it did not reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.engine.context import RolloutContext
from gapless.engine.first_install import was_absent
from gapless.engine.replacing import InstanceOutcome, Replaced
from gapless.engine.servicing import ServiceResult
from gapless.errors import FloorBroken
from gapless.model import AS_IT_WAS, NO_RELEASE, NOT_INSTALLED
from gapless.plans import ServicePlan, StepKind, Verb


def serving_now(ctx: RolloutContext, result: ServiceResult) -> dict[str, str]:
    """Per host what runs now, as far as this rollout knows."""
    service = ctx.plan.service(result.service)
    hosts = dict.fromkeys((*service.hosts, *result.instances))
    return {host: _now(ctx, service, host, result.instances.get(host)) for host in hosts}


def _now(ctx: RolloutContext, service: ServicePlan, host: str, replaced: Replaced | None) -> str:
    if replaced is None or replaced.outcome is InstanceOutcome.UNTOUCHED:
        return service.from_.get(host, "") or _image(service, host, 0) or "not touched"
    if replaced.outcome in (InstanceOutcome.DONE, InstanceOutcome.HELD):
        return _MOVED.get(ctx.plan.verb) or _release(service, host, ctx.plan.verb)
    if replaced.outcome is InstanceOutcome.RESTORED:
        return _restored(service, host)
    if replaced.outcome is InstanceOutcome.STAYED:
        return _stayed(service, host, replaced, ctx.plan.verb)
    if replaced.error.get("now"):
        return str(replaced.error["now"])
    unknown = replaced.error.get("unknown")
    return _WRONG[InstanceOutcome.LOST if unknown else replaced.outcome]


_MOVED: Mapping[Verb, str] = {Verb.DRAIN: "out of traffic", Verb.ADMIT: "in traffic"}
_WRONG: Mapping[InstanceOutcome, str] = {
    InstanceOutcome.LOST: "unknown",
    InstanceOutcome.DOWN: "does not serve",
    InstanceOutcome.BROKEN: "broken",
}


def _restored(service: ServicePlan, host: str) -> str:
    if host in service.installs:
        return NOT_INSTALLED
    old = service.from_.get(host) or (NO_RELEASE if service.to else _image(service, host, 0))
    return f"{old} (restored)".strip()


def _stayed(service: ServicePlan, host: str, replaced: Replaced, verb: Verb) -> str:
    why = _why_it_stayed(replaced)
    if verb is Verb.RESTART:
        return f"restarted ({why})"
    known = service.to.get("name") or service.from_.get(host) or _image(service, host, 1)
    return f"{known or 'as switched'} (new release, {why})"


def _why_it_stayed(replaced: Replaced) -> str:
    if replaced.error.get("held"):
        return "way back held by others"
    if replaced.error.get("code") == FloorBroken.code:
        return "way back refused by the floor"
    return "way back not begun"


def _release(service: ServicePlan, host: str, verb: Verb) -> str:
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
    known = service.to.get("name") or service.from_.get(host) or _made_of(service, host, verb)
    return str(known or done)


def _made_of(service: ServicePlan, host: str, verb: Verb) -> str:
    """The image of a new container; of the same one other settings are what is new."""
    was, is_now = _image(service, host, 0), _image(service, host, 1)
    settings = _SETTINGS.get(verb) if was == is_now and is_now else None
    return f"{is_now} {settings}" if settings else is_now


_SETTINGS: Mapping[Verb, str] = {
    Verb.DEPLOY: "with new settings",
    Verb.ROLLBACK: "with the settings from before",
}


def _image(service: ServicePlan, host: str, which: int) -> str:
    """Of a container: 0 of the one that was there, 1 of the one that took its place."""
    return service.images[host][which] if host in service.images else ""


def marks_of(ctx: RolloutContext, result: ServiceResult) -> dict[str, str]:
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
