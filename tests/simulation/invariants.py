"""What must hold whatever happens. Each is a sentence of the design; each breach names the seed."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.engine.journal import RolloutState
from gapless.events.event import Event
from gapless.places import claim_name, machine_of
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.world import Deed
from tests.simulation.run import Course, conf
from tests.simulation.scenario import SimService

ENDINGS = ("done", "restored", "mixed", "refused", "lock_held")


def breaches(course: Course) -> list[str]:
    """Every invariant that does not hold; empty when all is well."""
    return [text for rule in RULES for text in rule(course)]


def it_ends(course: Course) -> Iterator[str]:
    """In all new, all old, or a named mixed state — never in limbo."""
    if not course.rollout:
        yield "no rollout was ever opened"
        return
    if course.record.state is not RolloutState.ENDED:
        yield f"still {course.record.state} after {course.outcomes}"
    elif course.record.outcome not in ENDINGS:
        yield f"ended with {course.record.outcome!r}"


def the_floor_holds(course: Course) -> Iterator[str]:
    """Noted by the world at every instant, as long as no host went down for reasons not ours."""
    if not course.scenario.reboots:
        yield from course.world.breaches[:3]


def done_means_every_instance_was_replaced_once_and_serves(course: Course) -> Iterator[str]:
    """No step is forgotten, none is wrongly repeated."""
    if course.outcome != "done":
        return
    for service, host in _instances(course):
        if service.name not in {one.name for one in course.plan.services}:
            continue
        unit = _unit(course, service.name, host)
        left_out = _left_out(course, service.name, host)
        if _failed(course, service.name, host):
            continue
        if not unit.serving:
            yield f"done, but {service.name}@{host} does not serve"
        if not course.world.in_traffic(unit) and not left_out:
            yield f"done, but {service.name}@{host} is out of traffic"
        if course.scenario.deploys and unit.version != "v2":
            yield f"done, but {service.name}@{host} runs {unit.version}"
        # a host that rebooted in the middle has started it anew by itself
        booted = [d for d in course.world.deeds("boot", host=host) if _is_of(d, service.name)]
        if not _restarts(course, service.name, host) and not booted:
            yield f"done, but {service.name}@{host} was never restarted"


def nothing_is_restarted_twice(course: Course) -> Iterator[str]:
    """Except by a recorded way back, or when the host lost the action in a reboot."""
    if course.scenario.reboots:
        return
    for service, host in _instances(course):
        forward = [d for d in _restarts(course, service.name, host) if d.what == "restart"]
        if len(forward) > 1:
            yield f"{service.name}@{host} was restarted {len(forward)} times"
        back = [d for d in _restarts(course, service.name, host) if d.what == "stop"]
        # its own undo, and the rollback of the service; a copy that is replaced is stopped, too
        if len(back) > (4 if course.scenario.beside else 2):
            yield f"{service.name}@{host} was taken back {len(back)} times"


def refused_means_untouched(course: Course) -> Iterator[str]:
    """Exit 3 promises that nothing was changed."""
    if course.outcome == "refused":
        deeds = course.world.deeds("restart", "stop", "start", "drain", "reload")
        if deeds:
            yield f"refused, but {deeds[0]}"


def restored_means_the_old_one_serves(course: Course) -> Iterator[str]:
    """Exit 4 promises that what failed is back and verified."""
    if course.outcome != "restored":
        return
    for service, host in _instances(course):
        unit = _unit(course, service.name, host)
        if not unit.serving:
            yield f"restored, but {service.name}@{host} does not serve"
        if _forgotten(course, service, host):
            yield f"restored, but {service.name}@{host} is out of traffic"
    if course.scenario.deploys:
        yield from _one_version(course)
        yield from _nothing_new_on_old(course)


def _nothing_new_on_old(course: Course) -> Iterator[str]:
    """After an abort nothing is new; else nothing is that depends on what went back."""
    new = {s.name for s in course.scenario.services if "v2" in _versions(course, s)}
    last = [event for event in course.events if "outcome" in event.data][-1]
    for service in course.scenario.services:
        if service.name in new and last.type == "rollout.aborted":
            yield f"restored after an abort, but {service.name} runs v2"
        if service.name in new and not new.issuperset(service.after):
            yield f"restored, but {service.name} runs v2 and what it depends on does not"


def _versions(course: Course, service: SimService) -> set[str]:
    units = course.world.units(service.name)
    return {unit.version for unit in units if unit.running or not course.scenario.beside}


def _one_version(course: Course) -> Iterator[str]:
    for service in course.scenario.services:
        versions = _versions(course, service)
        if len(versions) > 1:
            yield f"restored, but {service.name} runs {sorted(versions)}"


def code_and_configuration_are_of_one_deploy(course: Course) -> Iterator[str]:
    """On every host that no rollout lost or broke."""
    if not course.scenario.configures or course.outcome not in ("done", "restored", "refused"):
        return
    for service, host in _instances(course):
        if course.outcome == "done" and _failed(course, service.name, host):
            continue
        version = _unit(course, service.name, host).version
        found = course.world.hosts[host].files.read(conf(service.name)).decode()
        if found != f"release = {version} on {host}\n":
            yield f"{course.outcome}, but {service.name}@{host} runs {version} with {found!r}"


def one_copy_of_each_is_left(course: Course) -> Iterator[str]:
    """Neither doubled nor gone, and after a reboot the same one comes back."""
    if not course.scenario.beside or course.outcome not in ("done", "restored", "refused"):
        return
    for service, host in _instances(course):
        units = [u for u in course.world.units(service.name) if u.place == host]
        running = [u.slot for u in units if u.running]
        if course.outcome == "done" and _failed(course, service.name, host):
            continue
        if len(running) != 1:
            yield f"{course.outcome}, but {service.name}@{host} runs in {running or 'no slot'}"
        elif [u.slot for u in units if u.enabled] != running:
            yield f"{course.outcome}, but a reboot of {host} would not start slot {running[0]}"


def all_weights_are_what_they_were(course: Course) -> Iterator[str]:
    """Nothing of a share is left, however a rollout ended."""
    if course.outcome not in ("done", "restored", "refused"):
        return
    for traffic in course.world.traffic.values():
        for instance, weight in traffic.weights().items():
            if weight != course.scenario.weight:
                yield f"{course.outcome}, but {instance}/{instance.slot} has weight {weight}"


def mixed_names_what_is_wrong(course: Course) -> Iterator[str]:
    """Exit 5 comes with the names of those a person must look at."""
    if course.outcome != "mixed":
        return
    last = [e for e in course.events if "outcome" in e.data][-1]
    if not last.data.get("failed") and not last.data.get("serving"):
        yield "mixed, and nobody is named"


def nobody_is_left_out_of_traffic_without_a_record(course: Course) -> Iterator[str]:
    """A healthy instance out of traffic is told, with the command that ends it."""
    if course.outcome == "lock_held":
        return
    for service, host in _instances(course):
        if _forgotten(course, service, host):
            yield f"{service.name}@{host} is out of traffic and nobody says so"


def nobody_is_admitted_whose_gate_failed(course: Course) -> Iterator[str]:
    """Between a restart of ours and the admit after it lies a gate that passed."""
    clock = course.world.clock
    since = clock.now() - clock.monotonic()
    ready = [
        (event.service, event.host, event.ts - since)
        for event in course.events
        if event.type in ("step.succeeded", "step.observed") and event.step == "ready"
    ]
    for service, host in _instances(course):
        passed = [at for name, where, at in ready if (name, where) == (service.name, host)]
        begun = [deed.at for deed in _restarts(course, service.name, host)]
        for deed in course.world.deeds("admit", host=host):
            if not deed.unit.startswith((f"{service.name}@", f"{service.name}/")):
                continue
            last = max((at for at in begun if at <= deed.at), default=None)
            if last is not None and not any(last <= at <= deed.at + 1e-6 for at in passed):
                yield f"{service.name}@{host} was admitted without a gate that passed"


def nobody_is_replaced_in_traffic(course: Course) -> Iterator[str]:
    """Before a restart or stop of ours its balancer really sends it nothing, whatever it said."""
    for service, host in _instances(course):
        for deed in _restarts(course, service.name, host) if service.balanced else ():
            copy = deed.unit.removesuffix(".service")[-1]
            member = f"{service.name}/{copy}" if course.scenario.beside else service.name
            moved = [
                d.what
                for d in course.world.deeds("drain", "admit", host=host)
                if d.unit == f"{member}@lb-{service.name}" and d.at <= deed.at
            ]
            added = course.scenario.dynamic and not moved and copy != "a"  # it never was
            if moved[-1:] != ["drain"] and not added and not _never_ran(course, deed):
                yield f"{service.name}@{host} got a {deed.what} in traffic"


def _never_ran(course: Course, stop: Deed) -> bool:
    """A copy that was never started is stopped all the same, to be sure."""
    runs = course.world.deeds("restart", "start", "boot", host=stop.host, unit=stop.unit)
    first = stop.unit.endswith("a.service")  # runs from the beginning
    return course.scenario.beside and not first and not any(run.at < stop.at for run in runs)


def our_own_drain_is_never_taken_for_somebody_elses(course: Course) -> Iterator[str]:
    """Nobody drained anything before these rollouts began."""
    for event in course.events:
        if event.type == "instance.left_out" and "before this rollout" in event.data["why"]:
            yield f"{event.service}@{event.host} was left out as if it had been out before"


def the_locks_are_given_back(course: Course) -> Iterator[str]:
    """When a rollout has ended nobody owns its services, but for hosts that could not be told, and
    those are known."""
    if course.outcome not in ENDINGS:
        return
    locks = course.journal.locks()
    left = {(lock.service, lock.host) for lock in locks}
    if any(not lock.host for lock in locks):
        yield f"locks are left: {locks}"
    for service, host in _instances(course):
        claims = course.world.hosts[machine_of(host)].claims
        held = claims.holder(claim_name("sim", service.name, host)).holder
        if held is not None and (service.name, host) not in left:
            yield f"{host} obeys {held.rollout} for {service.name}, and nobody knows"


def _announced(course: Course, service: str) -> dict[str, int]:
    """The round in which each was begun first: one that goes on announces what is left of it."""
    rank: dict[str, int] = {}
    rounds = (e for e in course.events if e.type == "batch.started" and e.service == service)
    for number, event in enumerate(rounds):
        for host in event.data["hosts"]:
            rank.setdefault(host, number)
    return rank


def batches_come_in_their_order(course: Course) -> Iterator[str]:
    """Nothing of a batch, and so of a group, is begun before all of the one before came to an
    end."""
    for service in course.plan.services:
        rank = {host: n for n, batch in enumerate(service.batches) for host in batch.hosts}
        if course.scenario.strategy == "followers-first":  # by what the cluster said meanwhile
            rank = _announced(course, service.name)
        over: set[str] = set()
        for event in _forward(course, service.name):
            if event.type != "step.started":
                over.add(event.host)
            elif late := [h for h in rank if rank[h] < rank[event.host] and h not in over]:
                yield f"{service.name}@{event.host} was begun before {late[0]} was done"


def never_two_of_a_zone_are_in_work(course: Course) -> Iterator[str]:
    """From its first step to its last word an instance is alone in its zone."""
    for service in course.plan.services:
        work: set[str] = set()
        for event in _forward(course, service.name) if service.zones else ():
            if event.type != "step.started":
                work.discard(event.host)
                continue
            work.add(event.host)
            zones = [service.zones[host] for host in work]
            if len(work) > 1 and ("" in zones or len(set(zones)) < len(zones)):
                yield f"{service.name}: {sorted(work)} of zones {zones} were in work at once"


def nothing_goes_on_unapproved(course: Course) -> Iterator[str]:
    """Behind an approval nothing is begun before it was granted, and it is asked for once."""
    for service in course.plan.services:
        events = [e for e in course.events if e.service == service.name]
        asked = [e.data["batch"] for e in events if e.type == "approval.requested"]
        if len(set(asked)) < len(asked):
            yield f"{service.name}: asked for {asked}"
        for number, batch in enumerate(service.batches):
            behind = {host for later in service.batches[number + 1 :] for host in later.hosts}
            for event in events if batch.approve else ():
                if event.type == "approval.granted" and event.data["batch"] == batch.name:
                    break
                if event.type == "step.started" and event.host in behind:
                    yield f"{service.name}@{event.host} was begun without approval"


def _forward(course: Course, service: str) -> Iterator[Event]:
    """First steps and last words of its instances, of the rollout itself."""
    kinds = ("step.started", "instance.done", "instance.failed")
    for event in course.events:
        own = event.rollout == course.rollout and event.service == service and event.host
        if own and event.type in kinds and event.step != "migrate":
            yield event


RULES = (
    it_ends,
    the_floor_holds,
    done_means_every_instance_was_replaced_once_and_serves,
    nothing_is_restarted_twice,
    refused_means_untouched,
    restored_means_the_old_one_serves,
    one_copy_of_each_is_left,
    all_weights_are_what_they_were,
    mixed_names_what_is_wrong,
    nobody_is_left_out_of_traffic_without_a_record,
    nobody_is_admitted_whose_gate_failed,
    nobody_is_replaced_in_traffic,
    our_own_drain_is_never_taken_for_somebody_elses,
    code_and_configuration_are_of_one_deploy,
    the_locks_are_given_back,
    batches_come_in_their_order,
    never_two_of_a_zone_are_in_work,
    nothing_goes_on_unapproved,
)


def _instances(course: Course) -> Iterator[tuple[SimService, str]]:
    for service in course.scenario.services:
        for host in service.places:
            yield service, host


def _restarts(course: Course, service: str, host: str):  # type: ignore[no-untyped-def]
    found = course.world.deeds("restart", "stop", "start", host=host)
    known = [d for d in found if _is_of(d, service)]
    return [d for d in known if d.what != "start" or course.scenario.beside]


def _is_of(deed: Deed, service: str) -> bool:
    return deed.unit == f"{service}.service" or deed.unit.startswith(f"{service}@")


def _unit(course: Course, service: str, host: str) -> FakeUnit:
    """Of two copies the one that runs."""
    units = [u for u in course.world.units(service) if u.place == host]
    return next((u for u in units if u.running and course.world.in_traffic(u)), units[0])


def _forgotten(course: Course, service: SimService, host: str) -> bool:
    """Healthy, out of traffic, and no event says so."""
    unit = _unit(course, service.name, host)
    out = unit.serving and not course.world.in_traffic(unit)
    return out and not _left_out(course, service.name, host)


def _left_out(course: Course, service: str, host: str) -> bool:
    """Said to be out, or perhaps out, with the command that ends it."""
    admit = f"gapless admit {service}@{host}"
    return any(
        (e.type == "instance.left_out" or admit in e.data.get("manual", ()))
        and e.service == service
        and e.host == host
        for e in course.events
    )


def _failed(course: Course, service: str, host: str) -> bool:
    return any(
        e.type == "instance.failed" and e.service == service and e.host == host
        for e in course.events
    )
