"""What is held against copies at the end of the joint phase, from what they say."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.handover.folder import Seen
from gapless.drivers.handover.judging import lock_trouble, objection
from gapless.drivers.handover.view import Copy, Sight, State, Written


def copy(name: str, epoch: int, **told: Any) -> Copy:
    given = {"ready": True, "pid": 7, "claims_won": 5, **told}
    return Copy(name, name[-1], epoch, State.ACTIVE, given)


def seen(me: Copy, other: Copy | None, **written: Any) -> Seen:
    return Seen(Sight("m", Written(latest=2, **written), (), 0), me, other)


OLD, NEW = copy("bot-a", 1), copy("bot-b", 2)
COUNTED = {"id": "bot-a", "lock_errors": 3}


@pytest.mark.parametrize(
    ("me", "other", "held"),
    [
        (NEW, OLD, ""),
        (copy("bot-b", 2, restarted=True), OLD, "bot-b was started again: it died"),
        (copy("bot-b", 2, pid=8), OLD, "bot-b was started again: it died"),
        (copy("bot-a", 1, restarted=True), NEW, ""),
        (copy("bot-b", 2, ready=False), OLD, "bot-b is not ready any more"),
        (copy("bot-b", 2, lock_errors=2), OLD, "bot-b: 2 claims had no answer"),
    ],
    ids=["well", "twice started", "another process", "started again long ago", "ill", "no answers"],
)
def test_what_the_one_that_was_let_in_says(me: Copy, other: Copy, held: str) -> None:
    before = copy(me.id, me.epoch, restarted=me.told.get("restarted", False))
    found = objection(seen(before, other), seen(me, other))
    assert found.startswith(held)
    assert bool(found) is bool(held)


@pytest.mark.parametrize(
    ("errors", "lock_on", "held"),
    [
        (3, COUNTED, ""),
        (5, COUNTED, "bot-a: 2 claims had no answer of the event lock"),
        (1, COUNTED, "bot-a: 1 claims had no answer of the event lock"),
        (5, {**COUNTED, "id": "bot-z"}, ""),
        (5, None, ""),
    ],
    ids=["none since", "more", "counted anew", "another one's", "nobody counted"],
)
def test_what_the_lock_of_the_other_left_without_an_answer(
    errors: int, lock_on: dict[str, Any] | None, held: str
) -> None:
    old = copy("bot-a", 1, lock_errors=errors)
    assert lock_trouble(seen(NEW, old, lock_on=lock_on)) == held
    assert objection(seen(NEW, old), seen(NEW, old, lock_on=lock_on)) == held
