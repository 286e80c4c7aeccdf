"""What a new copy showed at its shares: kept as it is, and no measure once it is judged anew."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gapless.drivers.checks.rates import Count
from gapless.engine.context import InstanceContext
from gapless.engine.journal import StepRecord, StepState
from gapless.engine.look import Look
from gapless.engine.shown import Counted, Shown, shown_of
from gapless.engine.watched import Watched
from gapless.engine.windows import Window
from gapless.judge.contest import Contest
from gapless.judge.gate import Finding
from gapless.judge.tally import Tally
from gapless.model import Verdict, VerdictStatus

ERRORS = "balancer errors"
OLD, FREE = "web1/b", "web2"
COUNTED = Counted(
    1000.0,
    new=Tally(2, 240.0, 480),
    others={OLD: Tally(9, 240.0, 1920), FREE: Tally(1, 240.0, 2400)},
    before=Tally(4, 60.0, 600),
    others_before={OLD: Tally(4, 60.0, 600), FREE: Tally(2, 60.0, 600)},
    wealth=(0.5, -0.25, -1.0),
)
WELL = Shown(
    ERRORS,
    Look(Finding.GOOD, Verdict(VerdictStatus.PASS, ERRORS, "of copy a", "2 of 480", "fewer")),
    COUNTED,
    last=Tally(5, 120.0, 840),
)
UNSURE = replace(WELL, look=replace(WELL.look, finding=Finding.UNKNOWN))


@pytest.mark.parametrize("shown", [WELL, UNSURE, replace(WELL, counted=None)])
def test_the_journal_keeps_all_of_it(shown: Shown) -> None:
    assert Shown.from_json(json.loads(json.dumps(shown.to_json()))) == shown


def after(shown: Shown) -> Watched:
    watched = Watched(Window(900.0, 1000.0), ahead=0.0)
    watched.comes_after(shown, OLD)
    return watched


def test_what_was_judged_is_not_judged_again() -> None:
    """The old copy had as many at last as are a part of before; the new one begins at none."""
    watched = after(WELL)
    watched.take(Count(1, 30.0, 300), {})
    evidence = watched.evidence(600.0)
    assert evidence.now == Tally(1, 30.0, 300)
    assert evidence.before == Tally(4 + 5, 60.0 + 120.0, 600 + 840)
    assert evidence.others is None


def test_what_was_undecided_is_counted_on() -> None:
    """All of it: of the new copy, of the old one as before, and of what is untouched."""
    watched = after(UNSURE)
    watched.take(Count(1, 30.0, 300), {FREE: Count(3, 30.0, 300)})
    evidence = watched.evidence(600.0)
    assert evidence.now == Tally(3, 270.0, 780)
    assert evidence.before == Tally(4 + 9, 300.0, 600 + 1920)
    assert evidence.others == Tally(4, 270.0, 2700)


def test_with_nobody_beside_it_there_is_no_contest() -> None:
    watched = after(UNSURE)
    watched.take(Count(1, 30.0, 300), {})
    assert watched.evidence(600.0).contest == Contest().log_e


def test_an_old_copy_without_requests_says_nothing() -> None:
    assert after(replace(WELL, last=Tally(0, 120.0, 0))).elder is None
    assert after(replace(WELL, counted=None)).elder is None


def instance(*records: StepRecord) -> InstanceContext:
    """Of a service with two shares."""
    service: Any = SimpleNamespace(name="api", key_prefix="wave1")
    config = SimpleNamespace(rollout=SimpleNamespace(shift=(0.1, 0.3)))
    assembly = SimpleNamespace(service=lambda name: config)
    steps = {record.key: record for record in records}
    rollout: Any = SimpleNamespace(assembly=assembly, steps=steps)
    return InstanceContext(rollout, service, "web1")


def share(number: int, ended: float, *shown: Shown) -> StepRecord:
    result = {"shown": [one.to_json() for one in shown]}
    return record(f"shift-{number}", ended, result)


def record(word: str, ended: float, result: dict[str, Any]) -> StepRecord:
    key = f"wave1/web1/api/{word}"
    return StepRecord(key, 1, StepState.DONE, result=result, ended=ended)


def test_the_last_share_has_the_word() -> None:
    first, last = share(1, 10.0, UNSURE), share(2, 20.0, WELL)
    assert shown_of(instance(first, last), ERRORS) == WELL
    assert shown_of(instance(first), ERRORS) == UNSURE
    assert shown_of(instance(first, last), "logs (error)") is None
    assert shown_of(instance(), ERRORS) is None
    assert shown_of(instance(first, share(2, 20.0)), ERRORS) is None


@pytest.mark.parametrize(
    ("held", "reason", "found"),
    [
        (15.0, "environment", WELL),
        (25.0, "environment", None),
        (25.0, "insufficient", WELL),
    ],
)
def test_from_before_a_person_let_it_go_on_it_is_no_measure(
    held: float, reason: str, found: Shown | None
) -> None:
    """Errors rose everywhere; too little data is another matter."""
    steps = (share(1, 10.0, UNSURE), share(2, 20.0, WELL))
    ctx = instance(*steps, record("held", held, {"reasons": [reason]}))
    assert shown_of(ctx, ERRORS) == found
