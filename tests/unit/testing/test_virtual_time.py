from __future__ import annotations

import asyncio
import time

import pytest

from gapless.testing.virtual_time import EPOCH, Deadlock, VirtualClock, run_virtual


def test_hours_take_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(8 * 3600)
        return asyncio.get_running_loop().time()

    began = time.perf_counter()
    assert run_virtual(main()) == 8 * 3600
    assert time.perf_counter() - began < 1.0


def test_timers_fire_in_their_order_and_at_their_time() -> None:
    async def main() -> list[tuple[str, float]]:
        loop, seen = asyncio.get_running_loop(), []

        async def after(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            seen.append((name, round(loop.time(), 6)))

        await asyncio.gather(after("c", 0.3), after("a", 0.1), after("b", 0.2))
        return seen

    assert run_virtual(main()) == [("a", 0.1), ("b", 0.2), ("c", 0.3)]


def test_timeouts_work() -> None:
    async def main() -> None:
        async with asyncio.timeout(5):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run_virtual(main())


def test_who_waits_for_what_never_comes_is_told_where() -> None:
    async def waits_for_godot() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="waits_for_godot"):
        run_virtual(waits_for_godot())


def test_work_for_threads_is_done_at_once_and_its_errors_arrive() -> None:
    async def main() -> int:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return await asyncio.to_thread(len, "abc")

    assert run_virtual(main()) == 3


def test_what_is_left_is_cancelled_at_the_end() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def main() -> None:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        assert not task.done()

    run_virtual(main())
    assert ended == [True]


def test_the_clock_goes_with_the_loop_and_can_be_stepped() -> None:
    async def main() -> None:
        clock = VirtualClock()
        await clock.sleep(10)
        assert (clock.monotonic(), clock.now()) == (10, EPOCH + 10)
        clock.step(-3600)
        assert (clock.monotonic(), clock.now()) == (10, EPOCH + 10 - 3600)
        await clock.sleep(-1)
        assert clock.monotonic() == 10

    assert VirtualClock().now() == EPOCH
    run_virtual(main())
