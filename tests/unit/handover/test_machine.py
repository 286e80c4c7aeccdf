from __future__ import annotations

import pytest

from gapless.handover.machine import Machine, ObsoleteEpoch, State, WrongState

BOOTING, STANDBY, ACTIVE, DRAINING = State


def _in(state: State) -> Machine:
    machine = Machine(epoch=7)
    if state is not BOOTING:
        machine.booted()
    if state in (ACTIVE, DRAINING):
        machine.activate()
        machine.offered()
    if state is DRAINING:
        machine.deactivate(10.0)
    assert machine.state is state
    return machine


@pytest.mark.parametrize(
    ("request_", "before", "after"),
    [
        ("activate", BOOTING, None),
        ("activate", STANDBY, ACTIVE),
        ("activate", ACTIVE, ACTIVE),
        ("activate", DRAINING, None),
        ("deactivate", BOOTING, None),
        ("deactivate", STANDBY, None),
        ("deactivate", ACTIVE, DRAINING),
        ("deactivate", DRAINING, DRAINING),
        ("abort", BOOTING, None),
        ("abort", STANDBY, None),
        ("abort", ACTIVE, ACTIVE),
        ("abort", DRAINING, ACTIVE),
    ],
)
def test_what_may_become_of_what(request_: str, before: State, after: State | None) -> None:
    machine = _in(before)
    arguments = (99.0,) if request_ == "deactivate" else ()
    if after is None:
        with pytest.raises(WrongState):
            getattr(machine, request_)(*arguments)
        assert machine.state is before
    else:
        getattr(machine, request_)(*arguments)
        assert machine.state is after


def test_repeating_changes_nothing() -> None:
    machine = _in(DRAINING)
    machine.deactivate(99.0)
    assert machine.ends_at == 10.0
    machine = _in(ACTIVE)
    machine.activate()
    assert not machine.offering


def test_becoming_active_begins_with_offering() -> None:
    machine = _in(STANDBY)
    machine.activate()
    assert machine.offering
    assert not machine.handles
    machine.offered()
    assert machine.handles


def test_nothing_comes_back_from_the_end() -> None:
    machine = _in(DRAINING)
    machine.ended = True
    with pytest.raises(WrongState):
        machine.abort()


@pytest.mark.parametrize("before", [BOOTING, STANDBY])
def test_who_leaves_before_being_active_is_not_brought_back(before: State) -> None:
    machine = _in(before)
    machine.leave(5.0)
    assert (machine.state, machine.ends_at, machine.ended) == (DRAINING, 5.0, False)
    with pytest.raises(WrongState):
        machine.abort()


def test_what_was_being_offered_is_offered_to_the_end() -> None:
    machine = _in(STANDBY)
    machine.activate()
    machine.deactivate(10.0)
    assert machine.offering
    assert not machine.handles


def test_the_highest_epoch_wins() -> None:
    machine = Machine(epoch=7)
    machine.hear(7)
    machine.hear(9)
    machine.see(8)
    with pytest.raises(ObsoleteEpoch) as refused:
        machine.hear(8)
    assert refused.value.seen == 9
