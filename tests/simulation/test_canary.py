"""Rollouts whose canaries get the traffic in shares: the same random faults and kills, and after
every end the weights from before."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from gapless.config.judging import JudgeConfig
from gapless.drivers.checks.rates import Count, RateSource
from gapless.engine import rates, replacing
from gapless.engine.held import Held, Why
from gapless.model import Instance, Verdict, VerdictStatus
from gapless.testing.fake_traffic import MOST_WEIGHT
from gapless.testing.fake_unit import Behaviour
from gapless.testing.faults import Fault, What
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation import run
from tests.simulation.assembly import SimAssembly
from tests.simulation.invariants import breaches
from tests.simulation.run import Course, play
from tests.simulation.scenario import Scenario, SimService, scenario

ROLLOUTS = int(os.environ.get("GAPLESS_ROLLOUTS", "10000")) // 40
CHUNK = 250
SHIFT = {"shift": [{"share": "5%", "hold": "2s"}, "25%"], "hold": "1s"}
WEIGHTS = (1, 10, 100)
NEW, HERE, OTHER = Instance("s0", "h1", "b"), Instance("s0", "h1", "a"), Instance("s0", "h2", "a")

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("first", range(0, ROLLOUTS, CHUNK))
def test_random_rollouts_keep_every_promise(first: int) -> None:
    found = []
    for seed in range(first, first + CHUNK):
        drawn = scenario(seed)
        services = tuple(_shared(service) for service in drawn.services)
        weight = WEIGHTS[seed % len(WEIGHTS)]
        canary = dataclasses.replace(_canary(drawn, services, weight), dynamic=seed % 2 == 1)
        course = run_virtual(play(canary))
        found += [f"seed {seed}: {text}" for text in breaches(course)]
    assert not found, "\n".join(found[:10])


@pytest.mark.parametrize(
    ("aborted", "dynamic"),
    [(False, False), (True, False), (True, True)],
    ids=["resumed", "aborted", "aborted where members come and go"],
)
def test_a_controller_killed_at_every_record(aborted: bool, dynamic: bool) -> None:
    """One copy of each, of one version, and every weight what it was. Where members come and go,
    one that was never added is given none."""
    calm = dataclasses.replace(_calm(), abort=aborted, dynamic=dynamic)
    records = len(run_virtual(play(calm)).journal.events())
    assert records > 20
    for number in range(2, records + 5):
        for committed in (False, True):
            course = run_virtual(play(dataclasses.replace(calm, kills=((number, committed),))))
            assert not breaches(course), (number, committed, breaches(course))
            assert not course.world.breaches
            versions = {unit.version for unit in course.world.units("s0") if unit.running}
            wanted = {"v2"} if course.outcome == "done" else {"v1"}
            assert course.outcome in ("done", "restored", "refused"), course.outcomes
            assert versions == wanted, (number, committed, course.outcomes)


def test_shares_that_are_too_coarse_are_refused_before_a_member_is_added() -> None:
    """Then nothing of it has to be taken back."""
    coarse = dataclasses.replace(_calm().services[0], order={"shift": ["0.1%"], "hold": "1s"})
    calm = dataclasses.replace(_calm(weight=MOST_WEIGHT), services=(coarse,), dynamic=True)
    course = run_virtual(play(calm))
    assert course.outcome == "restored", course.outcomes
    assert not breaches(course)
    failed = next(e for e in course.events if e.type == "step.failed")
    assert "too coarse" in failed.data["what"]


def test_an_abort_that_is_heard_before_the_first_share() -> None:
    """The new copy has no member yet where they come and go."""
    asked: list[str] = []

    def happens(course: Course) -> None:
        def ask(_: World) -> None:
            begun = [e for e in course.journal.events() if e.type == "step.started"]
            if not asked and any(event.step == "ready" for event in begun):
                asked.append(begun[-1].rollout)
                course.journal.request(asked[0], "abort", "ann", 1.0)

        course.world.on_change(ask)

    course = run_virtual(play(dataclasses.replace(_calm(), dynamic=True, happens=happens)))
    assert asked
    assert course.outcome == "restored", course.outcomes
    assert not breaches(course)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_first_gets_its_shares_and_the_rest_goes_as_always(
    weight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = _watch(monkeypatch, NEW, HERE, OTHER)
    course = run_virtual(play(_calm(weight)))
    assert course.outcome == "done"
    assert not breaches(course)
    told = [event for event in course.events if event.type in ("shift.confirmed", "shift.held")]
    assert {event.host for event in told} == {"h1"}
    assert [event.data["share"] for event in told] == pytest.approx(
        [0.05, 0.05, 0.25, 0.25], rel=0.03
    )
    assert held(NEW)[:2] == pytest.approx([0.05, 0.25], rel=0.03)
    assert [n + o for n, o in zip(held(NEW), held(HERE), strict=False)][:2] == (
        pytest.approx([1 / 3, 1 / 3])
    )
    assert held(OTHER)[:1] == pytest.approx([1 / 3])  # what all others get stays what it was


@pytest.mark.parametrize("share", [0, 1], ids=["at 5%", "at 25%"])
def test_what_goes_bad_at_a_share_gives_the_traffic_back_first(share: int) -> None:
    calm = _calm()
    bad = Behaviour(unhealthy_after=(1.5, 3.5)[share])
    service = dataclasses.replace(calm.services[0], bad={"h1": bad})
    course = run_virtual(play(dataclasses.replace(calm, services=(service,))))
    assert course.outcome == "restored"
    assert not breaches(course)
    failed = next(e for e in course.events if e.type == "step.failed")
    assert (failed.host, failed.step) == ("h1", "shift")
    types = [event.type for event in course.events]
    assert types.index("shift.returned") < types.index("step.failed")
    deeds = [(d.what, _copy(d.unit)) for d in course.world.history if d.host == "h1"]
    moved = [deed for deed in deeds if deed[0] in ("drain", "admit", "restart", "stop")]
    assert moved == [
        ("drain", "b"),
        ("restart", "b"),
        ("admit", "b"),
        ("drain", "b"),
        ("stop", "b"),
    ]
    back = deeds.index(("drain", "b"), deeds.index(("admit", "b")))
    assert deeds[back - 1][0].startswith("weight") and deeds[back - 1][1] == "a"


def test_weights_that_a_balancer_lost_are_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a reload of its configuration: it is noticed and told again."""

    def attach(world: World) -> None:
        traffic, lost = world.traffic["lb-s0"], []

        def forget() -> None:
            traffic.weigh(NEW, 100)

        def look(_: World) -> None:
            if not lost and 0 < traffic.share(NEW) < 0.1:
                lost.append(asyncio.get_running_loop().call_later(0.5, forget))

        world.on_change(look)

    _attach(monkeypatch, attach)
    held = _watch(monkeypatch, NEW)
    service = dataclasses.replace(_calm().services[0], order={"shift": "5%", "hold": "20s"})
    course = run_virtual(play(dataclasses.replace(_calm(), services=(service,))))
    assert course.outcome == "done"
    assert not breaches(course)
    assert held(NEW)[:3] == [
        pytest.approx(0.05, rel=0.03),
        pytest.approx(100 / 384, rel=0.1),  # what it had meanwhile
        pytest.approx(0.05, rel=0.03),
    ]


class Counters:
    """What the balancer counts of each copy: fifty requests a second by their shares, and a part of
    those to the new copy that fails."""

    def __init__(self, world: World, errs: float, *, apart: bool) -> None:
        self._world, self._errs = world, errs
        self._shares: list[tuple[float, dict[Instance, float]]] = []
        self._known_since = 0.0
        for member in (NEW, HERE, OTHER):
            world.traffic["lb-s0"].slot(member)
        world.on_change(self._note)
        if apart:
            self.count_copy = self._count_copy

    @property
    def name(self) -> str:
        return "balancer errors"

    def _note(self, world: World) -> None:
        traffic = world.traffic["lb-s0"]
        shares = {member: traffic.share(member) for member in (NEW, HERE, OTHER)}
        self._shares.append((world.clock.now(), shares))

    def forget(self) -> None:
        """As a balancer's counters are known to nobody who did not read them."""
        self._known_since = self._world.clock.now()

    async def begin(self, hosts: Sequence[str]) -> None:
        self._note(self._world)

    async def begin_copy(self, copy: Instance) -> None:
        self._note(self._world)

    async def count(self, host: str, since: float, until: float) -> Count | None:
        copies = [member for member in (NEW, HERE, OTHER) if member.host == host]
        found = [await self._count_copy(copy, since, until) for copy in copies]
        counts = [one for one in found if one is not None]
        if not counts:
            return None
        errors, total = (sum(one.errors for one in counts), sum(one.total or 0 for one in counts))
        return Count(errors, counts[0].seconds, total)

    async def _count_copy(self, copy: Instance, since: float, until: float) -> Count | None:
        since = max(since, self._shares[0][0], self._known_since)
        if since >= until:
            return None
        edges = [*self._shares, (until, {})]
        requests = sum(
            50 * shares.get(copy, 0.0) * max(0.0, min(end, until) - max(begin, since))
            for (begin, shares), (end, _) in itertools.pairwise(edges)
        )
        failed = requests * self._errs if copy == NEW else 0.0
        return Count(int(failed), until - since, int(requests))


@pytest.mark.parametrize("apart", [True, False], ids=["told apart", "together"])
def test_errors_of_the_new_copy_end_a_share(apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of its requests fail: beside the old copy that is plain after some dozens; together
    with those of the old one they take longer to show."""
    judged = run_virtual(play(_judged(monkeypatch, 0.2, apart=apart)))
    assert judged.outcome == "restored"
    assert not breaches(judged)
    failed = next(e for e in judged.events if e.type == "step.failed")
    given = [e for e in judged.events if e.type == "shift.confirmed"]
    assert failed.step == "shift"
    verdict = failed.data["verdict"]["asked"]
    assert verdict == (
        "balancer errors of copy b since its first share"
        if apart
        else "balancer errors since its first share"
    )
    took = failed.ts - given[0].ts
    assert took < 20 if apart else took < 200, took


def test_a_new_copy_that_does_not_err_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = run_virtual(play(_judged(monkeypatch, 0.0, apart=True)))
    assert judged.outcome == "done"
    assert [e.data["share"] for e in judged.events if e.type == "shift.held"] == [0.1, 0.3]


@pytest.mark.parametrize("errs", [0.0, 0.3], ids=["does well", "errs"])
def test_the_only_instance_is_judged_by_its_shares_whoever_kills_the_controller(
    errs: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted is forgotten with each controller; with the old copy goes all that the new
    one can be compared with. Nobody is asked: it ends done, or goes back."""
    judged = _judged(monkeypatch, errs, apart=True, forgetful=True, judge=PATIENT)
    order = {"shift": ["10%", "30%"], "hold": "20s"}
    one = dataclasses.replace(judged.services[0], hosts=("h1",), order=order)
    calm = dataclasses.replace(judged, services=(one,))
    records = len(run_virtual(play(calm)).journal.events())
    for number in range(2, records + 1):
        course = run_virtual(play(dataclasses.replace(calm, kills=((number, True),))))
        assert not breaches(course), (number, breaches(course))
        assert course.outcome == ("restored" if errs else "done"), (number, course.outcomes)
        assert "paused" not in course.outcomes, number


UNSURE = Verdict(VerdictStatus.INCONCLUSIVE, "errors", "of all", "they rise everywhere")


@pytest.mark.parametrize("verb", ["resumed", "aborted"])
def test_a_share_is_given_back_while_a_person_judges(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody watches the new copy meanwhile; afterwards it gets its share anew."""
    raised: list[float] = []

    def decisive(ctx: Any, step: Any, found: Any) -> None:
        if step == "shift" and not raised:
            raised.append(ctx.rollout.clock.monotonic())
            raise Held(Why.ENVIRONMENT, UNSURE)

    shares: list[float] = []
    real = replacing.hold

    def holds(ctx: Any, held: Held) -> None:
        shares.append(worlds[0].traffic["lb-s0"].share(NEW))
        real(ctx, held)

    worlds: list[World] = []
    judged = _judged(monkeypatch, 0.0, apart=True)
    _attach(monkeypatch, worlds.append)
    monkeypatch.setattr(rates, "_decisive", decisive)
    monkeypatch.setattr(replacing, "hold", holds)
    course = run_virtual(play(dataclasses.replace(judged, abort=verb == "aborted")))
    assert raised
    assert shares == [0.0]
    assert course.outcome == {"resumed": "done", "aborted": "restored"}[verb], course.outcomes
    assert not breaches(course)


DECIDED = {"interval": "1s", "extend": "0s", "on_insufficient": "pass"}
PATIENT = {"interval": "1s", "extend": "30s"}


def _judged(
    monkeypatch: pytest.MonkeyPatch,
    errs: float,
    *,
    apart: bool,
    forgetful: bool = False,
    judge: Mapping[str, str] = DECIDED,
) -> Scenario:
    """A calm rollout whose errors are counted; ``forgetful``: by each controller anew."""
    configured = run._service
    kept: list[Counters] = []

    class Assembly(SimAssembly):
        def rates(self, service: str) -> tuple[tuple[JudgeConfig, RateSource], ...]:
            if forgetful:
                kept[-1].forget()
            return ((JudgeConfig.model_validate(judge), kept[-1]),)

    def service(service: SimService, drawn: Scenario) -> dict[str, Any]:
        return {**configured(service, drawn), "verify": {"balancer_errors": {}}}

    monkeypatch.setattr(run, "SimAssembly", Assembly)
    monkeypatch.setattr(run, "_service", service)
    _attach(monkeypatch, lambda world: kept.append(Counters(world, errs, apart=apart)))
    calm = _calm()
    order = {"shift": ["10%", "30%"], "hold": "120s"}
    one = dataclasses.replace(calm.services[0], hosts=("h1", "h2"), order=order)
    return dataclasses.replace(calm, services=(one,))


@pytest.mark.parametrize("verb", ["weights", "admit", "members", "drain"])
@pytest.mark.parametrize("what", [What.REFUSE, What.LIE, What.DEADLINE])
def test_a_balancer_that_does_not_obey_at_a_share(verb: str, what: What) -> None:
    for skip in range(8):
        faults = (Fault(what, verb=verb, host="balancer:lb-s0", skip=skip),)
        course = run_virtual(play(dataclasses.replace(_calm(), faults=faults)))
        assert not breaches(course), (verb, what, skip, breaches(course))


def _attach(monkeypatch: pytest.MonkeyPatch, attach: Callable[[World], None]) -> None:
    """Have a look at the world of the next scenario before anything happens in it."""
    populate = run._populate

    def populated(world: World, drawn: Scenario) -> None:
        populate(world, drawn)
        attach(world)

    monkeypatch.setattr(run, "_populate", populated)


def _watch(
    monkeypatch: pytest.MonkeyPatch, *members: Instance
) -> Callable[[Instance], list[float]]:
    """The parts of all requests that a member had for half a second or more while a copy was new
    beside another, in their order."""
    seen: dict[Instance, list[tuple[float, float]]] = {member: [] for member in members}

    def attach(world: World) -> None:
        def look(_: World) -> None:
            traffic = world.traffic["lb-s0"]
            for member in members:
                now = traffic.share(member) if traffic.share(NEW) else 0.0
                seen[member].append((world.clock.monotonic(), now))

        world.on_change(look)

    def held(member: Instance) -> list[float]:
        parts = [b[0] - a[0] >= 0.5 and a[1] for a, b in itertools.pairwise(seen[member])]
        return [part for part in parts if part]

    _attach(monkeypatch, attach)
    return held


def _calm(weight: int = 100) -> Scenario:
    """Three hosts behind a balancer, a deploy, nothing that goes wrong by itself."""
    drawn = scenario(3)
    service = dataclasses.replace(
        drawn.services[0],
        hosts=("h1", "h2", "h3"),
        after=(),
        bad={},
        order=SHIFT,
        balanced=True,
        canary=1,
        batch=1,
        on_failure="rollback",
        max_failed=0,
    )
    calm = dataclasses.replace(drawn, faults=(), kills=(), abort=False, stop=0, deploys=True)
    return _canary(calm, (service,), weight)


def _canary(drawn: Scenario, services: Sequence[SimService], weight: int) -> Scenario:
    return dataclasses.replace(
        drawn, beside=True, strategy="canary", services=tuple(services), weight=weight
    )


def _shared(service: SimService) -> SimService:
    order = {**service.order, **SHIFT}
    return dataclasses.replace(service, order=order, balanced=True, canary=service.canary or 1)


def _copy(unit: str) -> str:
    """The slot of ``s0@a.service`` and ``s0/a@lb-s0``."""
    return unit.partition("/")[2][:1] or unit.partition("@")[2][:1]
