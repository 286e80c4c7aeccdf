"""Both faces with claims in servers, and effects in the same database."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gapless.handover import Outcome, threads
from tests.unit.handover.servers import Postgresql
from tests.unit.handover.site import handover, state, until, variables, wait_until


@pytest.mark.parametrize("name", ["redis", "postgresql"])
def test_two_copies_and_a_server(tmp_path: Path, request: pytest.FixtureRequest, name: str) -> None:
    url = request.getfixturevalue(name).url
    effects: list[int] = []

    async def run() -> None:
        state(tmp_path, "joint", active=6, next=7)
        given = {"LOCK": url, "NAMESPACE": str(tmp_path)}
        async with (
            handover(variables(tmp_path, "bot-6", 6, **given)) as old,
            handover(variables(tmp_path, "bot-7", 7, **given)) as new,
        ):
            await until(lambda: old._copy.machine.handles and new._copy.machine.handles)

            async def both(event: int) -> set[Outcome]:
                offers = (
                    copy.offer(event, event, effects.append, once="at-least-once")
                    for copy in (old, new)
                )
                return set(await asyncio.gather(*offers))

            outcomes = await asyncio.gather(*(both(event) for event in range(100)))
            assert all(each == {Outcome.HANDLED, Outcome.LEFT} for each in outcomes)
            assert sorted(effects) == list(range(100))
            # what was watched is let go when the other one has done it
            await until(lambda: not old.status()["inflight"] and not new.status()["inflight"])
            won = [copy.status()["claims_won"] for copy in (old, new)]
            lost = [copy.status()["claims_lost"] for copy in (old, new)]
            assert (sum(map(int, map(str, won))), sum(map(int, map(str, lost)))) == (100, 100)

    asyncio.run(run())


def test_a_server_that_does_not_answer_does_not_stop_the_loop(tmp_path: Path, redis: Any) -> None:
    async def run() -> None:
        state(tmp_path, "joint", active=6, next=7)
        async with handover(variables(tmp_path, "bot-7", 7, LOCK=redis.url)) as one:
            await until(lambda: one._copy.machine.handles)
            redis.kill()
            begun = time.monotonic()
            offers = [one.offer(n, n, lambda e: None, once="at-most-once") for n in range(20)]
            asked = asyncio.gather(*offers)
            longest = 0.0
            while not asked.done():
                before = time.monotonic()
                await asyncio.sleep(0.001)
                longest = max(longest, time.monotonic() - before)
            assert set(await asked) == {Outcome.DROPPED}
            assert time.monotonic() - begun < 10
            assert longest < 0.5
            status = one.status()
            assert (status["failed_closed"], status["claims_lost"]) == (20, 0)

    try:
        asyncio.run(run())
    finally:
        redis.start()


def _rows(server: Postgresql, table: str) -> list[Any]:
    import psycopg

    with psycopg.connect(server.url) as reading:
        found = reading.execute(f"SELECT id FROM {table} ORDER BY id").fetchall()  # type: ignore[call-overload]
    return [row[0] for row in found]


def _create(server: Postgresql, table: str) -> None:
    import psycopg

    with psycopg.connect(server.url) as creating:
        creating.execute(f"CREATE TABLE {table} (id int)")  # type: ignore[call-overload]


def test_transactional_with_coroutines(tmp_path: Path, postgresql: Postgresql) -> None:
    _create(postgresql, "with_coroutines")

    async def book(event: int, database: Any) -> None:
        await database.execute("INSERT INTO with_coroutines VALUES (%s)", (event,))
        await asyncio.sleep(0.05)
        if event == 13:
            raise ValueError(event)

    async def run() -> None:
        state(tmp_path, "joint", active=6, next=7)
        given = {"LOCK": postgresql.url, "NAMESPACE": str(tmp_path)}
        async with (
            handover(variables(tmp_path, "bot-6", 6, **given)) as old,
            handover(variables(tmp_path, "bot-7", 7, **given)) as new,
        ):
            await until(lambda: old._copy.machine.handles and new._copy.machine.handles)
            # the one that comes second waits for the end of the first
            both = [copy.offer(1, 1, book, once="transactional") for copy in (old, new)]
            assert set(await asyncio.gather(*both)) == {Outcome.HANDLED, Outcome.LEFT}
            with pytest.raises(ValueError, match="13"):
                await old.offer(13, 13, book, once="transactional")
            assert _rows(postgresql, "with_coroutines") == [1]
            many = [new.offer(n, n, book, once="transactional") for n in range(20, 30)]
            assert set(await asyncio.gather(*many)) == {Outcome.HANDLED}
            # sessions that are kept do not outlive their server
            postgresql.kill()
            postgresql.start()
            while (await new.offer(30, 30, book, once="transactional")) is not Outcome.HANDLED:
                await asyncio.sleep(0.05)
        assert _rows(postgresql, "with_coroutines") == [1, *range(20, 31)]

    asyncio.run(run())


def test_transactional_with_threads(tmp_path: Path, postgresql: Postgresql) -> None:
    _create(postgresql, "with_threads")

    def book(event: int, database: Any) -> None:
        database.execute("INSERT INTO with_threads VALUES (%s)", (event,))
        if event == 13:
            raise ValueError(event)

    state(tmp_path, "joint", active=6, next=7)
    given = variables(tmp_path, "bot-7", 7, LOCK=postgresql.url, NAMESPACE=tmp_path)
    with threads.Handover.from_environment(variables=given) as one:
        wait_until(lambda: one._copy.machine.handles)
        assert one.offer(1, 1, book, once="transactional") is Outcome.HANDLED
        assert one.offer(1, 1, book, once="transactional") is Outcome.LEFT
        with pytest.raises(ValueError, match="13"):
            one.offer(13, 13, book, once="transactional")
    assert _rows(postgresql, "with_threads") == [1]


def test_a_store_without_transactions_drops_and_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        state(tmp_path, active=6)
        given = variables(tmp_path, "bot-6", 6, LOCK=f"dir://{tmp_path}/claims")
        async with handover(given) as one:
            await until(lambda: one._copy.machine.handles)
            outcome = await one.offer(1, 1, lambda e, database: None, once="transactional")
            assert outcome is Outcome.DROPPED
            assert "no database" in str(one.status()["problems"])

    asyncio.run(run())
