"""The plan for a project, from what its hosts answer; and whether a plan still fits them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from gapless.balancer_answers import (
    answers_of_nodes,
    answers_on_hosts,
    by_instance,
    nodes_reached,
)
from gapless.balancer_delays import drain_delays
from gapless.balancer_memory import KeptOutBy
from gapless.cluster_answers import answers_of_clusters
from gapless.drivers.checks import asking
from gapless.drivers.releases.aside import cancellable
from gapless.drivers.releases.base import Release, ReleaseRef
from gapless.drivers.runtimes.brought import brought_digest
from gapless.drivers.runtimes.own_check import asked_of
from gapless.drivers.runtimes.paired import Paired, copy_of
from gapless.engine.asked_release import live_name
from gapless.engine.live_schema import NothingToAsk, live_version, question_of, schema_folder
from gapless.engine.missed import Missed
from gapless.engine.project_assembly import ProjectAssembly
from gapless.engine.steps.health import worst
from gapless.engine.steps.preflight import answered, fit
from gapless.errors import GaplessError, LostContact, Refused, StepError, Unreachable
from gapless.inventory.inventory import Inventory
from gapless.model import Instance
from gapless.planning.catch_up import CatchUp
from gapless.planning.configuring import seen_config, with_config
from gapless.planning.make import make_plan as compile_plan
from gapless.planning.options import PlanOptions, Target
from gapless.planning.stale import refuse_when_stale
from gapless.planning.survey import Drivers, Examined, Survey, survey
from gapless.plans import Plan, Verb
from gapless.project import Project, assembled
from gapless.promoting import Promotion, promotion, refuse_another
from gapless.strategies.lifecycle import has_something_new
from gapless.supervisor.spec import SLOTS


async def make_plan(
    project: Project,
    verb: Literal["restart", "deploy"],
    services: Sequence[str] = (),
    *,
    hosts: str | None = None,
    batch: str | int | None = None,
    canary: str | int | None = None,
    max_failed: int | None = None,
    on_failure: str | None = None,
    skip_migrations: bool = False,
    no_way_back: bool = False,
    force: str | None = None,
    offline: bool = False,
    promote_from: str = "",
    missed: Mapping[str, Sequence[Missed]] | None = None,
) -> Plan:
    """What would be done, as data; asks every host what runs there now, and the balancers
    of what they have of it, unless ``offline``.

    ``hosts`` selects by name, group, glob or range (``web[1:3],!web2``); ``batch`` and ``canary``
    are numbers or shares (``25%``); ``promote_from`` is the environment whose releases a deploy
    brings, as they were verified there; ``no_way_back`` lets a schema rise past what an abort could
    go back to; ``force`` is the reason for skipping health gates; with ``missed``, by service, only
    the hosts that missed a release get it, and that one, not what the source holds now."""
    inventory = Inventory(project.config)
    names = inventory.services(services)
    promoted: Promotion | None = None
    if promote_from:
        promoted = await promotion(project, promote_from, names)
        project, names = replace(project, loaded=promoted.loaded), tuple(promoted.recorded)
        skip_migrations = skip_migrations or not promoted.migrates
    options = PlanOptions(
        batch=batch,
        canary=canary,
        max_failed=max_failed,
        on_failure=on_failure,
        skip_migrations=skip_migrations,
        no_way_back=no_way_back,
        force=force or "",
    )
    async with assembled(project) as assembly:
        targets = await _targets(assembly, names, promoted, missed) if verb == "deploy" else {}
        targets = await with_config(assembly, inventory, targets, hosts)
        found: Survey | None = None
        if not offline:
            found = await _survey(
                project, assembly, inventory, names, targets,
                examined=None if force else Verb(verb),
                steered=_steered(project, inventory, names, hosts, Verb(verb)),
            )  # fmt: skip
    return compile_plan(
        project.loaded,
        verb=Verb(verb),
        services=tuple(names if promoted else services),
        hosts=hosts,
        options=options,
        targets=targets,
        survey=found,
        history=_history(project, names),
        now=project.clock.now(),
    )


def _history(project: Project, names: Sequence[str]) -> dict[str, float]:
    """Seconds one instance took on average; services without history are left out."""
    taken = {name: project.journal.durations(name) for name in names}
    return {name: sum(seconds) / len(seconds) for name, seconds in taken.items() if seconds}


async def _resolved(release: Release, version: str) -> ReleaseRef:
    return await cancellable(lambda: release.resolve(version))


async def _targets(
    assembly: ProjectAssembly,
    names: Sequence[str],
    promoted: Promotion | None,
    missed: Mapping[str, Sequence[Missed]] | None,
) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    for name in names:
        release = assembly.release(name)
        if missed is not None:
            targets[name] = await _missed(assembly, name, missed.get(name, ()))
            continue
        wanted = promoted.recorded[name] if promoted else None
        version = wanted.ref.name if wanted else ""
        resolved = await _resolved(release, version) if release else None
        notes = tuple(f"{name}: {note}" for note in resolved.notes) if resolved else ()
        target = Target(resolved, brought_digest(name, assembly.service(name)), notes=notes)
        if wanted and promoted and resolved:
            refuse_another(name, wanted.ref, resolved)
            target = replace(target, promoted=wanted.origin, notes=(*notes, *promoted.notes[name]))
        targets[name] = target
    return targets


async def _missed(assembly: ProjectAssembly, name: str, found: Sequence[Missed]) -> Target:
    """The release that was verified, for those that missed it. Raises ReleaseGone, Refused."""
    catch_up, release = CatchUp.of(found), assembly.release(name)
    if catch_up.missed is None or release is None:
        return Target(catch_up=catch_up)
    verified = ReleaseRef.from_json(catch_up.missed.release)
    resolved = await _resolved(release, verified.name)
    try:
        refuse_another(name, verified, resolved)
    except Refused as error:
        error.next = f"gapless deploy {name}"
        raise
    return Target(resolved, brought_digest(name, assembly.service(name)), catch_up=catch_up)


async def _survey(
    project: Project,
    assembly: ProjectAssembly,
    inventory: Inventory,
    names: Sequence[str],
    targets: Mapping[str, Target],
    *,
    examined: Verb | None,
    steered: Collection[Instance] = (),
) -> Survey:
    """``examined``: what they are to be fit for, None where nobody wants to know; ``steered``:
    instances that their balancers are asked for, too."""
    kept_out = KeptOutBy(assembly, project.journal)

    def drivers(instance: Instance) -> Drivers:
        return Drivers(
            assembly.transport(instance.host),
            assembly.runtime(instance.service, instance.host),
            assembly.release(instance.service),
            (lambda: _examined(assembly, instance, examined)) if examined else None,
            lambda: seen_config(assembly, instance, targets),
            (lambda: kept_out.of(instance)) if assembly.balancers(instance.service) else None,
        )

    async def schema(name: str, answers: Survey) -> int | None:
        question = question_of(project.config.services[name])
        for host in _live_first(name, answers) if question else ():
            with suppress(LostContact, Unreachable):  # the data is the same for all of them
                return await _schema(assembly, name, host, answers)
        return None

    instances = [instance for name in names for instance in inventory.instances(name)]
    at_once = project.config.defaults.connections
    single = [one for one in steered if not _has_copies(assembly, one)]
    # which copy serves is not known yet, so balancers can only be reached beside
    touched: dict[str, list[str]] = {}
    for one in steered:
        touched.setdefault(one.service, []).append(one.host)
    seen, delays, shared, clusters, _ = await asyncio.gather(
        survey(instances, drivers, at_once=at_once, schema=schema),
        drain_delays(assembly, names),
        answers_of_nodes(assembly, single),
        answers_of_clusters(assembly, project.clock, names, touched),
        nodes_reached(assembly, [one for one in steered if one not in single]),
    )
    reached = [instance for instance in steered if not seen.seen[instance].error]
    there = {await _by_copy(assembly, one): one for one in reached}
    of_copies, on_hosts = await asyncio.gather(
        answers_of_nodes(assembly, [one for one in there if one.slot]),
        answers_on_hosts(assembly, there, at_once=at_once),
    )
    own = [replace(one, instance=there[one.instance]) for one in [*of_copies, *on_hosts]]
    return replace(seen, delays=delays, traffic=by_instance([*shared, *own]), clusters=clusters)


def _has_copies(assembly: ProjectAssembly, instance: Instance) -> bool:
    return isinstance(assembly.runtime(instance.service, instance.host), Paired)


async def _by_copy(assembly: ProjectAssembly, instance: Instance) -> Instance:
    """The copy that serves is what balancers know; the first where none does or nobody tells."""
    if not _has_copies(assembly, instance):
        return instance
    runtime = assembly.runtime(instance.service, instance.host)
    with suppress(GaplessError):
        _, found = await copy_of(runtime, assembly.transport(instance.host), instance)
        if found.slot:
            return found
    return replace(instance, slot=SLOTS[0])


def _steered(
    project: Project, inventory: Inventory, names: Sequence[str], hosts: str | None, verb: Verb
) -> list[Instance]:
    """Instances that a rollout may take out of traffic."""
    wanted = None if hosts is None else frozenset(inventory.select(hosts))
    services = project.config.services
    chosen = [n for n in names if verb is not Verb.DEPLOY or has_something_new(services[n])]
    return [
        i
        for name in chosen
        for i in inventory.instances(name)
        if wanted is None or i.host in wanted
    ]


def _live_first(name: str, answers: Survey) -> list[str]:
    """Hosts in the order they are asked: the program may be one of the live release."""
    seen = {i.host: one for i, one in answers.seen.items() if i.service == name}
    return sorted(seen, key=lambda host: (seen[host].release is None, bool(seen[host].error)))


async def _schema(assembly: ProjectAssembly, name: str, host: str, answers: Survey) -> int | None:
    """The live version, as a host of the service has it; None where the program that tells comes
    with the first release. Raises Refused for no answer."""
    question, release = question_of(assembly.service(name)), assembly.release(name)
    transport = assembly.transport(host)
    current = await release.current(transport) if release else None
    path = current.path if current else None
    cwd = question.cwd if question else None
    cwd = await schema_folder(transport, assembly.runtime(name, host), cwd, path)
    try:
        return await live_version(transport, question, cwd)
    except StepError as error:  # nothing was changed yet
        if release is not None and isinstance(error, NothingToAsk) and answers.none_live(name):
            return None
        raise Refused(
            error.what, where=error.where, evidence=error.evidence, next=error.next
        ) from error


async def _examined(assembly: ProjectAssembly, instance: Instance, verb: Verb) -> Examined:
    """Why a rollout would refuse to touch it now, asked once."""
    transport = assembly.transport(instance.host)
    runtime = assembly.runtime(instance.service, instance.host)
    try:
        verdicts = await fit(runtime, transport, verb)
        copy, instance = await copy_of(runtime, transport, instance)
        health = assembly.health(instance, await live_name(assembly, instance))
        if worst(verdicts) is None:
            probes = await asked_of(copy, transport, health)
            verdicts += await asking.once(transport, lambda: assembly.transport(""), probes)
    except GaplessError as error:
        return Examined(f"cannot be examined: {error.what}")
    finding = worst(verdicts)
    unsure = tuple(v.answer for v in verdicts if v.unsure)
    return Examined(answered(finding) if finding else "", unsure)


async def refuse_stale(project: Project, plan: Plan) -> None:
    """Ask the hosts whether the plan still fits; raises StalePlan, or Refused for a plan of
    another project or one that never asked."""
    if plan.project != project.config.project:
        raise Refused(
            f"the plan is for project {plan.project}, this is {project.config.project}",
            where=str(project.path),
        )
    if not plan.observed:
        raise Refused(
            "the plan was made offline: it cannot be told whether it is stale",
            next="gapless plan -o FILE (without --offline)",
        )
    inventory = Inventory(project.config)
    async with assembled(project) as assembly:
        names = [service.name for service in plan.services]
        seen = await _survey(project, assembly, inventory, names, {}, examined=None)
        refuse_when_stale(plan, seen)
