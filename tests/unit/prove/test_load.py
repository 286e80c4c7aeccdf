"""The client of a cluster: an open loop, what is tried again, what has failed, and what is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from gapless.clock import LoopClock
from gapless.prove.load import Load
from gapless.prove.workload import NotDone
from gapless.testing.virtual_time import run_virtual

from .memory import Memory, Trouble, well


def made(memory: Memory, rate: float = 20.0, budget: float = 2.0) -> Load:
    return Load("store", memory, rate, budget, LoopClock(), "run1")


async def measured(load: Load, seconds: float = 10.0) -> None:
    """To its end."""
    await load.open()
    load.begin()
    await asyncio.sleep(seconds / 2)
    load.mark_change()
    await asyncio.sleep(seconds / 2)
    await load.finish()
    await load.close()


def after(memory: Memory, number: int, trouble: Trouble) -> Trouble:
    """Trouble from the write of that number on, for as long as ``trouble`` says."""

    def found(verb: str, of: int) -> str:
        begun = ("write", number) in memory.asked
        return trouble(verb, of) if begun else ""

    return found


def test_half_of_it_is_written_and_all_is_there() -> None:
    memory = Memory()
    load = made(memory)
    run_virtual(measured(load))
    view = load.view()
    assert view.gap.sent == 200 and view.gap.failed == 0 == view.retried
    assert view.acknowledged == 101  # one before the first
    assert (view.lost, view.unread, view.left) == (0, 0, "")
    assert view.gap.longest_silence == pytest.approx(0.05, abs=0.01)
    assert view.gap.p99_before == pytest.approx(0.001, rel=0.1) == view.gap.p99_during
    assert memory.cleared and memory.closed and not memory.values


def test_what_is_due_does_not_wait_for_what_is_slow() -> None:
    memory = Memory(lambda verb, number: "late" if verb == "write" and number else "")
    load = made(memory)
    run_virtual(measured(load))
    assert load.view().gap.sent == 200
    assert load.view().gap.p99_during == pytest.approx(0.3, rel=0.05)


def test_what_is_refused_once_is_tried_again_after_50_ms() -> None:
    refused: Counter[tuple[str, int]] = Counter()

    def once(verb: str, number: int) -> str:
        refused[verb, number] += 1
        return "no leader" if verb == "write" and refused[verb, number] == 1 and number else ""

    load = made(Memory(once))
    run_virtual(measured(load))
    view = load.view()
    assert view.gap.failed == 0 and view.retried == 100 == view.acknowledged - 1
    assert view.gap.p99_during == pytest.approx(0.052, rel=0.05)


def test_time_counts_from_when_it_was_due_through_all_that_was_tried() -> None:
    memory = Memory()
    load = made(memory)
    ends = 0.0

    def for_a_second(verb: str, number: int) -> str:
        nonlocal ends
        ends = ends or asyncio.get_running_loop().time() + 1.0
        return "no leader" if asyncio.get_running_loop().time() < ends else ""

    memory.trouble = after(memory, 60, for_a_second)
    run_virtual(measured(load))
    view = load.view()
    assert view.gap.failed == 0 and 15 <= view.retried <= 25
    assert view.gap.longest_silence == pytest.approx(1.05, abs=0.1)
    assert view.gap.p99_during is not None and 0.8 < view.gap.p99_during < 1.1


def test_a_budget_that_is_spent_is_a_failure() -> None:
    memory = Memory()
    load = made(memory)
    ends = 0.0

    def for_four_seconds(verb: str, number: int) -> str:
        nonlocal ends
        ends = ends or asyncio.get_running_loop().time() + 4.0
        return "no leader" if asyncio.get_running_loop().time() < ends else ""

    memory.trouble = after(memory, 30, for_four_seconds)
    run_virtual(measured(load))
    view = load.view()
    assert 35 <= view.gap.failed <= 45  # those of the first two seconds
    assert view.gap.failures[0].what == "write of 30: no leader"
    assert view.lost == 0 == view.unread
    assert 3.9 < view.gap.longest_silence < 4.3


def test_a_member_that_hangs_leaves_time_for_another_one() -> None:
    hung: Counter[int] = Counter()

    def first(verb: str, number: int) -> str:
        hung[number] += verb == "write"
        return "hang" if verb == "write" and hung[number] == 1 and number == 7 else ""

    load = made(Memory(first))
    run_virtual(measured(load))
    assert load.view().gap.failed == 0 and load.view().retried == 1


def test_one_that_hangs_for_ever_has_failed_and_not_stopped_the_others() -> None:
    load = made(Memory(lambda verb, number: "hang" if number == 7 else ""))
    run_virtual(measured(load))
    view = load.view()
    assert view.gap.failed == 1 and view.gap.sent == 200
    assert view.gap.failures[0].what == "write of 7: no answer within 1s"


def test_an_acknowledged_write_that_is_not_there_is_lost() -> None:
    load = made(Memory(lambda verb, number: "lose" if number in (40, 41, 99) else ""))
    run_virtual(measured(load))
    view = load.view()
    assert view.lost == 3 and view.first_lost == (40, 41, 99)
    assert view.gap.failed == 3  # the reads that looked for them


def test_one_that_is_another_value_is_lost_too() -> None:
    memory = Memory()
    load = made(memory)

    async def changed() -> None:
        await load.open()
        load.begin()
        await asyncio.sleep(3)
        memory.values[5] = "run0.5"
        await load.finish()
        await load.close()

    run_virtual(changed())
    assert load.view().first_lost == (5,)


def test_a_write_that_nobody_acknowledged_may_be_there_or_not() -> None:
    load = made(Memory(lambda verb, number: "no leader" if (verb, number) == ("write", 9) else ""))
    run_virtual(measured(load))
    view = load.view()
    assert (view.gap.failed, view.lost, view.acknowledged) == (1, 0, 100)


def test_what_comes_late_at_the_end_is_not_lost() -> None:
    memory = Memory()
    load = made(memory)

    async def behind() -> None:
        await load.open()
        load.begin()
        await asyncio.sleep(3)
        hidden = memory.values.pop(5)

        async def appears() -> None:
            await asyncio.sleep(1.0)
            memory.values[5] = hidden

        task = asyncio.create_task(appears())
        await load.finish()
        await load.close()
        await task

    run_virtual(behind())
    assert load.view().lost == 0


def test_what_nobody_can_be_asked_for_is_not_taken_for_there() -> None:
    memory = Memory()
    load = made(memory)

    async def gone() -> None:
        await load.open()
        load.begin()
        await asyncio.sleep(3)
        memory.trouble = lambda verb, number: "no leader" if verb == "read" else ""
        await load.finish()
        await load.close()

    run_virtual(gone())
    view = load.view()
    assert view.unread == view.acknowledged > 20 and view.lost == 0
    assert "no leader" in view.left


def test_what_cannot_be_removed_is_told() -> None:
    load = made(Memory(lambda verb, number: "denied" if verb == "clear" else ""))
    run_virtual(measured(load))
    assert load.view().left == "the memory: denied"


def test_what_is_said_to_be_removed_and_is_there_is_told() -> None:
    load = made(Memory(lambda verb, number: "lose" if verb == "clear" else ""))
    run_virtual(measured(load))
    assert load.view().left == "the memory: it was removed, and is still there"


def test_a_log_that_keeps_everything_is_not_asked_to_remove_it() -> None:
    memory = Memory()
    memory.removes = False
    load = made(memory)
    run_virtual(measured(load))
    assert memory.values and ("clear", 0) not in memory.asked and not load.view().left


@pytest.mark.parametrize("verb", ["prepare", "write", "read"])
def test_a_cluster_that_does_not_let_us_is_refused_and_left_clean(verb: str) -> None:
    memory = Memory(lambda asked, number: "denied" if asked == verb else "")
    load = made(memory)

    async def scenario() -> None:
        with pytest.raises(NotDone, match="denied"):
            await load.open()
        memory.trouble = well
        await load.close()

    run_virtual(scenario())
    assert memory.cleared and memory.closed


def test_a_cluster_that_elects_a_leader_at_first_is_waited_for() -> None:
    memory = Memory()

    async def scenario() -> None:
        ends = asyncio.get_running_loop().time() + 5.0
        memory.trouble = lambda *_: "no leader" if asyncio.get_running_loop().time() < ends else ""
        await measured(made(memory))

    run_virtual(scenario())
    assert memory.cleared


@pytest.mark.parametrize("where", ["load", "finish"])
def test_an_interrupt_leaves_nothing_behind(where: str) -> None:
    memory = Memory()
    load = made(memory)

    async def work(finish: Callable[[], Awaitable[None]]) -> None:
        try:
            await load.open()
            load.begin()
            await asyncio.sleep(2)
            memory.trouble = lambda verb, _: "hang" if where == "finish" and verb == "read" else ""
            await finish()
        finally:
            memory.trouble = well
            await load.close()

    async def scenario() -> None:
        ends: Callable[[], Awaitable[None]] = (
            load.finish if where == "finish" else asyncio.Event().wait  # type: ignore[assignment]
        )
        task = asyncio.create_task(work(ends))
        await asyncio.sleep(4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    run_virtual(scenario())
    assert memory.cleared and memory.closed and not memory.values
