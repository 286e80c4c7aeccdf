"""A plan on one screen: what, in which order, what not, and one sentence of consequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gapless.model import NO_RELEASE
from gapless.places import machine_of
from gapless.planning.refusals import refusals
from gapless.plans import Plan, ServicePlan, StepKind, Verb
from gapless.render.batches import batch_lines
from gapless.render.config_diff import config_lines
from gapless.render.guarded import EVERY_GROUP, groups_keep, guarded
from gapless.render.layout import INDENT, WIDTH, cut, following, screen, wrap
from gapless.render.spelling import spelled
from gapless.render.words import LISTED, about, hosts, plural, seconds
from gapless.undo import was_absent


def render_plan(
    plan: Plan, *, verbose: bool = False, diff: bool = False, width: int = WIDTH
) -> str:
    """The whole plan. ``verbose`` adds the steps and what they are made of, ``diff`` shows all that
    changes in configuration files."""
    if not plan.services:
        return screen(
            [*wrap(_title(plan), width), "", *_untouched(plan, width), *nothing_to_do(plan)]
        )
    lines = [*wrap(_title(plan), width), ""]
    for service in plan.services:
        details = _details(service, plan, width) if verbose else ()
        changes = config_lines(service, plan, width, whole=diff)
        lines += [*_service(service, plan, width), *changes, *details]
    lines += ["", *_untouched(plan, width), *wrap(_sentence(plan), width)]
    return screen(lines)


def nothing_to_do(plan: Plan) -> list[str]:
    """Why an empty plan is good news, where it is."""
    nothing = f"Nothing to {plan.verb.value}"
    if any(left.next for left in plan.untouched):
        return [f"{nothing}, and yet not every instance is where it should be."]
    return [f"{nothing}: every instance is where it should be."]


def _title(plan: Plan) -> str:
    where = f"{plan.project} ({plan.environment})" if plan.environment else plan.project
    instances = list(plan.instances())
    machines = len({machine_of(host) for _, host in instances})
    size = f"{plural(len(instances), 'instance')} on {plural(machines, 'host')}"
    takes_back = f" of {plan.parent}" if plan.parent else ""
    caught_up = bool(plan.services) and all(service.missed for service in plan.services)
    verb = "catch-up" if caught_up else plan.verb.value
    return f"{verb}{takes_back} {where} — {plural(len(plan.services), 'service')}, {size}"


def _service(service: ServicePlan, plan: Plan, width: int) -> Iterator[str]:
    wave = f"wave {service.wave}"
    facts = [_change(service, plan), _capacity(service, plan), _pace(service)]
    after = f"after {', '.join(service.after)}" if service.after else ""
    told = f"{service.name}  " + ", ".join(fact for fact in (*facts, after) if fact)
    first, *rest = wrap(told, width - 10)
    yield f" {wave:<8} {first}"
    yield from (f"            {line}" for line in rest)
    for line in batch_lines(service.batches):
        yield cut(f"            {line}", width)
    for note in _notes(service, plan):
        first, *rest = wrap(spelled(note), width - 22)
        yield f"            note      {first}"
        yield from (f"                      {line}" for line in rest)


def _change(service: ServicePlan, plan: Plan) -> str:
    if plan.verb is Verb.ROLLBACK:
        return "; ".join(_back(service))
    if plan.verb.by_hand:
        return "into traffic" if plan.verb is Verb.ADMIT else "out of traffic"
    target = str(service.to.get("name", ""))
    if not target and service.images:
        return _images(service, plan)
    if not target:
        new = "restart" if service.hosts else plan.verb.value
        return "configuration" if service.config else new
    sources = sorted({name for name in service.from_.values() if name})
    if sources == [target] and service.config_changes:
        return f"configuration of {target}"
    return f"{' '.join(sources[:3])} → {target}" if sources else f"deploy {target}"


def _images(service: ServicePlan, plan: Plan) -> str:
    """What its containers are made of; other settings alone are something new as well."""
    now = sorted({old for old, _ in service.images.values() if old})
    then = sorted({new for _, new in service.images.values()})
    if now and now == then:
        anew = "anew" if service.down or plan.verb is Verb.RESTART else "with new settings"
        return f"{', '.join(now)} {anew}"
    return f"{' '.join(now[:3])} → {' '.join(then)}" if now else f"deploy {' '.join(then)}"


def _back(service: ServicePlan) -> Iterator[str]:
    """From what to what, with the hosts where that is not the same for all."""
    ways: dict[str, list[str]] = {}
    for host in service.hosts:
        ways.setdefault(_way_back(service, host), []).append(host)
    for way, where in ways.items():
        yield way if len(ways) == 1 else f"{way} on {hosts(where)}"


def _way_back(service: ServicePlan, host: str) -> str:
    kept = service.snapshots.get(host) or {}
    if was_absent(kept):
        return "removed, as it was not there before"
    release, now = kept.get("release"), service.from_.get(host, "")
    if host in service.images:
        new, old = service.images[host]
        return f"{new} → {old}" if new != old else f"{old} with the settings from before"
    if not release and not now:
        return "the files from before"
    if release and release["name"] == now:
        return f"{now} with the files from before"
    return f"{now or 'what runs'} → {release['name'] if release else NO_RELEASE}"


def _capacity(service: ServicePlan, plan: Plan) -> str:
    if _all_new(service):
        return "not installed yet"
    if not service.hosts:
        return "none of it can be touched"
    if len(service.down) >= service.total:
        return "does not run now"
    if plan.verb.by_hand:
        return f"≥ {_kept(service):,} of {service.total:,} serve" if service.floor > 0 else ""
    if _out(service) >= set(service.hosts):
        return "stays out of traffic"
    if guarded(service, plan):
        return EVERY_GROUP
    if service.strategy == "handover" and not _all_removed(service):
        return "hands over, one copy is always active"
    if _flips(service, plan):
        return "serves all the while" + (" if it runs" if _doubtful(service, plan) else "")
    if _all_removed(service) and len(service.hosts) >= service.total:
        return "none is left"
    if service.floor <= 0:
        return "out while it is replaced" if service.total == 1 else "none kept serving"
    return f"≥ {_kept(service):,} of {service.total:,} serve"


def _kept(service: ServicePlan) -> int:
    """Instances that serve at any moment: the floor, as far as they are there at all."""
    gone = {*service.installs, *service.absent, *_out(service)}
    return min(service.floor, service.total - len(gone))


def _out(service: ServicePlan) -> set[str]:
    """Instances that were out of traffic before, and stay so."""
    return {*service.by_hand, *service.left_out}


def _flips(service: ServicePlan, plan: Plan) -> bool:
    """Whether its old copies serve until the new ones do; behind a balancer those of a flip are
    taken out, and of a cluster the old one ends before the new one takes its data."""
    if service.start_first:
        return True
    return _copied(service, plan) and StepKind.DRAIN not in service.steps


def _copied(service: ServicePlan, plan: Plan) -> bool:
    """Whether a new copy runs beside the old one first."""
    supervised = _definition(plan, service).get("process") is not None
    return supervised and StepKind.EVACUATE not in service.steps


def _doubtful(service: ServicePlan, plan: Plan) -> bool:
    """Whether some of it may not run, or is known not to."""
    return bool(plan.force or service.down or service.absent)


def _all_new(service: ServicePlan) -> bool:
    return bool(service.installs) and len(service.installs) >= service.total


def _all_removed(service: ServicePlan) -> bool:
    """Whether a way back leaves nothing on any of its hosts."""
    return all(was_absent(service.snapshots.get(host) or {}) for host in service.hosts)


def _pace(service: ServicePlan) -> str:
    if not service.hosts:
        return ""
    return f"{about(service.expected)} each{'' if service.known else ' (estimate)'}"


def _notes(service: ServicePlan, plan: Plan) -> Iterator[str]:
    yield from service.notes
    if service.pause:
        yield f"waits {seconds(service.pause)} between batches"


def _details(service: ServicePlan, plan: Plan, width: int) -> Iterator[str]:
    yield from _item("steps", [" · ".join(step.value for step in service.steps)], width)
    for key, value in _definition(plan, service).items():
        if key in ("systemd", "command", "release", "migrate", "health", "balancer"):
            yield from _item(key, _spelled(value), width)


def _item(key: str, texts: Iterable[str], width: int) -> Iterator[str]:
    for number, line in enumerate(line for text in texts for line in wrap(text, width - 22)):
        yield f"            {key if number == 0 else '':<10}{line}"


def _definition(plan: Plan, service: ServicePlan) -> dict[str, Any]:
    services = plan.definitions.get("project", {}).get("services")
    found = services.get(service.name) if isinstance(services, dict) else None
    return {k: v for k, v in found.items() if v} if isinstance(found, dict) else {}


def _units(plan: Plan) -> bool:
    """Whether any of it is a unit; a plan without definitions does not say that none is."""
    definitions = [_definition(plan, service) for service in plan.services]
    return not all("command" in found for found in definitions)


def _spelled(value: Any) -> Iterator[str]:
    """A definition in one line per item, as close to gapless.yaml as one line allows."""
    if isinstance(value, (list, tuple)) and not all(isinstance(item, str) for item in value):
        for item in value:
            yield from _spelled(item)
    elif isinstance(value, dict):
        yield ", ".join(f"{k}: {_word(v)}" for k, v in value.items() if v not in (None, "", [], {}))
    else:
        yield _word(value)


def _word(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(_word, value))
    if isinstance(value, dict):
        inner = (f"{k}: {_word(v)}" for k, v in value.items() if v not in (None, "", [], {}))
        return "{" + ", ".join(inner) + "}"
    return str(value)


def _untouched(plan: Plan, width: int) -> list[str]:
    if not plan.untouched:
        return []
    lines = ["not touched"]
    for item in plan.untouched:
        where = hosts(item.hosts, LISTED)
        first, *rest = wrap(f"{item.service}  {where}: {spelled(item.why)}", width - 6)
        lines += [INDENT + first, *(INDENT * 2 + line for line in rest)]
        lines += [INDENT + line for line in following(item.next, width)] if item.next else []
    return [*lines, ""]


def _sentence(plan: Plan) -> str:
    """How many, how long, how much capacity, what stops it, what undo does."""
    if plan.verb.by_hand:
        return _moved(plan)
    refused = _refused(plan)
    instances = list(plan.instances())
    if refused and not instances:
        return refused
    machines = len({machine_of(host) for _, host in instances})
    parts = [
        f"{_verb(plan)} {plural(len(instances), 'instance')} on {plural(machines, 'host')} in "
        f"{about(plan.expected)} ({_basis(plan)}{_approvals(plan)})",
        f"at any moment {_least(plan)}",
        f"{_stops(plan)}, and then {_undo(plan)}",
    ]
    text = f"{refused} If that is mended: " if refused else ""
    text += "; ".join(parts) + "."
    if plan.deadline:
        text += f" The limit for all of it is {seconds(plan.deadline)}."
    if plan.force:
        text += f" FORCED, health gates are skipped: {plan.force}."
    if not plan.observed:
        journal = plan.verb is Verb.ROLLBACK
        text += f" Made {'from the journal' if journal else 'offline'}: no host was asked."
    return text


def _moved(plan: Plan) -> str:
    """The same of instances that are moved out of traffic or into it by hand."""
    instances = list(plan.instances())
    text = f"{_verb(plan)} {plural(len(instances), 'instance')} in {about(plan.expected)}"
    if plan.verb is Verb.ADMIT:
        text += f", after {'its' if len(instances) == 1 else 'their'} own checks pass."
    else:
        text += f"; what goes out stays out until {spelled('gapless admit')}."
    return text + (f" FORCED, health gates are skipped: {plan.force}." if plan.force else "")


def _refused(plan: Plan) -> str:
    names = list(refusals(plan.services))
    which = f" because of {_named(names)}" if len(plan.services) > 1 else ""
    told = f"Refused as things are{which}, before anything is changed: the notes say why."
    return told if names else ""


def _verb(plan: Plan) -> str:
    return {
        Verb.RESTART: "Restarts",
        Verb.DEPLOY: "Deploys",
        Verb.ROLLBACK: "Takes back",
        Verb.DRAIN: "Drains",
        Verb.ADMIT: "Admits",
    }[plan.verb]


def _basis(plan: Plan) -> str:
    known = sum(service.known for service in plan.services)
    if known == len(plan.services):
        return "as its history says"
    return "an estimate" if known == 0 else "history in part, estimated in part"


def _approvals(plan: Plan) -> str:
    waits = sum(batch.approve for service in plan.services for batch in service.batches)
    return f", without {plural(waits, 'wait')} for a person" if waits else ""


def _least(plan: Plan) -> str:
    """The smallest shares first: those are what a reader has to know."""
    new = [service.name for service in plan.services if _all_new(service)]
    dead = [s.name for s in plan.services if len(s.down) >= s.total and s.name not in new]
    alive = [s for s in plan.services if s.name not in (*new, *dead)]
    groups = [service for service in alive if guarded(service, plan)]
    flips = [s for s in alive if _flips(s, plan) and s not in groups]
    flip = [service.name for service in flips]
    settled = {*new, *dead, *flip, *(service.name for service in groups)}
    kept = [s for s in plan.services if s.floor > 0 and s.name not in settled]
    ranked = sorted(kept, key=lambda service: _kept(service) / max(1, service.total))
    serve = [f"at least {_kept(s):,} of {s.total:,} {s.name} serve" for s in ranked[:3]]
    if len(ranked) > 3:
        serve.append(f"no smaller share of {len(ranked) - 3} others")
    serve += groups_keep(groups)
    gone = [
        s.name for s in plan.services
        if s.floor <= 0 and _all_removed(s) and s.name not in settled
    ]  # fmt: skip
    settled |= {*gone}
    out = [s.name for s in plan.services if s.floor <= 0 and s.name not in settled]
    if flip:
        what = "what runs" if any(_doubtful(s, plan) for s in flips) else "all"
        serve.append(f"{what} of {_named(flip)} {'serves' if len(flip) == 1 else 'serve'}")
    if dead:
        serve.append(f"{_named(dead)} {_are(dead)} down, as now")
    if new:
        serve.append(f"{_named(new)} {_are(new)} not installed yet")
    if gone:
        serve.append(f"{_named(gone)} {_are(gone)} removed for good")
    if out:
        serve.append(f"{_named(out)} {_are(out)} out while being replaced")
    return ", ".join(serve)


def _named(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _stops(plan: Plan) -> str:
    """Failed instances are counted over all services; what has none of its own goes on."""
    allowed = {service.max_failed for service in plan.services}
    alone = len(plan.services) == 1
    most = max(allowed, default=0)
    if len(allowed) > 1:
        told = ", ".join(f"{service.name} {service.max_failed}" for service in plan.services)
        return f"failed instances over all of it stop their services (allowed: {told})"
    if not most:
        return f"the first failed instance stops {'it' if alone else 'its service'}"
    count = f"more than {plural(most, 'failed instance')}"
    return f"{count} stop it" if alone else f"{count} over all of it stop their services"


def _undo(plan: Plan) -> str:
    ways = {service.on_failure for service in plan.services}
    if plan.verb is Verb.ROLLBACK:
        return "what went back stays so and a person decides about the rest"
    if plan.verb is Verb.RESTART and ways in ({"rollback"}, {"stop"}):
        kept = "it gets back the unit file it had" if _units(plan) else "it is started once more"
        if all(s.start_first or _copied(s, plan) for s in plan.services):
            kept = "its old copy serves on"
        return f"{kept}; what is restarted already has nothing to undo"
    if ways == {"rollback"}:
        return "every instance it switched goes back and is checked again"
    if ways == {"stop"}:
        return "what failed goes back; whether the others do is for you to decide"
    if ways == {"pause"}:
        return "it waits for you to promote or abort"
    return ", ".join(f"{s.name}: {s.on_failure}" for s in plan.services)
