"""What a copy kept is offered before it ends: it may have been connected when nobody else was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gapless.handover import Handover, Obsolete
from tests.unit.handover.site import ask, handover, state, until, variables

SKEW_MS = 150


class Effects(list[int]):
    async def __call__(self, event: int) -> None:
        self.append(event)


async def _keeps(copy: Handover, count: int, effects: Effects) -> None:
    for number in range(count):
        await copy.offer(number, number, effects, once="at-most-once")
    assert copy.status()["buffered"] == count


async def _standby(folder: Path, count: int, effects: Effects) -> Handover:
    new = await handover(variables(folder, "bot-7", 7)).__aenter__()
    await until(lambda: new.state == "STANDBY")
    await _keeps(new, count, effects)
    return new


def test_a_standby_offers_what_it_kept_when_the_other_one_has_had_the_skew(tmp_path: Path) -> None:
    async def run() -> None:
        ours, theirs = Effects(), Effects()
        state(tmp_path, "standby", active=6, next=7, skew_ms=SKEW_MS)
        async with handover(variables(tmp_path, "bot-6", 6)) as old:
            await until(lambda: old._copy.machine.handles)
            new = await _standby(tmp_path, 4, ours)
            new.end()
            assert (new.state, new.status()["buffered"]) == ("DRAINING", 4)
            # late by less than the skew
            for number in (1, 2):
                await old.offer(number, number, theirs, once="at-most-once")
            await new.offer(9, 9, ours, once="at-most-once")
            assert (await ask(tmp_path, "bot-7", "POST", "/abort?epoch=7"))[0] == 409
            left = await asyncio.wait_for(new.drained(), 5)
            assert (left.events, ours, theirs) == ((), [0, 3], [1, 2])
            await new.__aexit__(None, None, None)

    asyncio.run(run())


@pytest.mark.parametrize("lock", [False, None], ids=["off", "nobody says"])
def test_without_a_lock_that_is_on_it_just_ends(tmp_path: Path, lock: bool | None) -> None:
    async def run() -> None:
        ours = Effects()
        state(tmp_path, "standby", active=6, next=7, skew_ms=60_000)
        async with handover(variables(tmp_path, "bot-6", 6)):
            new = await _standby(tmp_path, 4, ours)
            if lock is None:
                (tmp_path / "state.json").unlink()
            else:
                state(tmp_path, "standby", active=6, next=7, skew_ms=60_000, lock=lock)
            new.end()
            await asyncio.wait_for(new.drained(), 5)
            assert ours == []
            await new.__aexit__(None, None, None)

    asyncio.run(run())


def test_an_heir_that_leaves_gives_the_lock_up_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        ours, theirs = Effects(), Effects()
        state(tmp_path, "standby", active=6, next=7, skew_ms=SKEW_MS)
        # nobody is active: it has the lock, and connects
        new = await handover(variables(tmp_path, "bot-7", 7), "shard").__aenter__()
        await until(lambda: new._copy.took_over)
        await _keeps(new, 2, ours)
        async with handover(variables(tmp_path, "bot-6", 6)) as old:
            await until(lambda: old.state == "STANDBY")
            assert new.state == "BOOTING"
            new.end()
            await until(lambda: old._copy.machine.handles)
            assert new.state == "DRAINING"
            await old.offer(0, 0, theirs, once="at-most-once")
            await asyncio.wait_for(new.drained(), 5)
            assert (ours, theirs) == ([1], [0])
            await new.__aexit__(None, None, None)

    asyncio.run(run())


def test_what_was_being_offered_is_offered_by_a_copy_that_drains(tmp_path: Path) -> None:
    async def run() -> None:
        ours = Effects()
        state(tmp_path, "standby", active=6, next=7)
        async with handover(variables(tmp_path, "bot-6", 6)):
            new = await _standby(tmp_path, 100, ours)
            state(tmp_path, "joint", active=6, next=7)
            activated = asyncio.create_task(ask(tmp_path, "bot-7", "POST", "/activate?epoch=7"))
            await until(lambda: new.state == "ACTIVE")
            new.end()
            await new.offer(999, 999, ours, once="at-most-once")
            await asyncio.wait_for(new.drained(), 5)
            assert ours == list(range(100))
            await activated
            await new.__aexit__(None, None, None)

    asyncio.run(run())


def test_an_obsolete_copy_offers_too_and_ends_with_75(tmp_path: Path) -> None:
    async def run() -> None:
        ours = Effects()
        state(tmp_path, "standby", active=6, next=7, skew_ms=0)
        async with handover(variables(tmp_path, "bot-6", 6)):
            new = await _standby(tmp_path, 3, ours)
            # another orchestrator has gone on, and the active one ends
            state(tmp_path, "standby", active=6, next=8, skew_ms=0)
        async with asyncio.timeout(5):
            with pytest.raises(Obsolete):
                await new.drained()
        assert ours == [0, 1, 2]
        with pytest.raises(Obsolete):
            await new.__aexit__(None, None, None)

    asyncio.run(run())


def test_what_could_not_be_offered_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        ours = Effects()
        state(tmp_path, "standby", active=6, next=7, skew_ms=60_000)
        async with handover(variables(tmp_path, "bot-6", 6)):
            new = await _standby(tmp_path, 2, ours)
            new.end()
            new._copy.machine.ends_at = 0.0
            left = await asyncio.wait_for(new.drained(), 5)
            assert (left.events, ours) == (("0", "1"), [])
            await new.__aexit__(None, None, None)

    asyncio.run(run())
    assert "left undone: 2 events (0, 1)" in caplog.text
