"""The asyncio face, with two copies in one process: locks belong to descriptors, so it works."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gapless.handover import BadVariable, Handover, Obsolete, Outcome, copy
from gapless.handover.claims.store import Store
from gapless.handover.claims.urls import store_of
from gapless.handover.requests import Requests
from tests.unit.handover.site import ask, handover, now_ms, state, until, variables


class Effects(list[Any]):
    async def __call__(self, event: Any, *given: Any) -> None:
        self.append(event)


def test_alone_it_handles_everything_at_once() -> None:
    async def run() -> None:
        effects = Effects()
        async with Handover.from_environment(variables={}) as alone:
            await alone.offer("1", "one", effects, once="at-least-once")
            assert alone.state == "ACTIVE"
            alone.end()
            assert await alone.drained() is not None
        assert effects == ["one"]

    asyncio.run(run())


def test_a_standby_keeps_what_comes_and_offers_it_when_it_becomes_active(tmp_path: Path) -> None:
    async def run() -> None:
        old_effects, new_effects = Effects(), Effects()
        state(tmp_path, "standby", active=6, next=7)
        async with handover(variables(tmp_path, "bot-6", 6)) as old:
            await until(lambda: old.state == "ACTIVE")
            async with handover(variables(tmp_path, "bot-7", 7)) as new:
                await until(lambda: new.state == "STANDBY")
                for number in range(10):
                    if number % 2:
                        await old.offer(number, number, old_effects, once="at-most-once")
                    kept = await new.offer(number, number, new_effects, once="at-most-once")
                    assert kept is Outcome.KEPT
                assert new_effects == []
                state(tmp_path, "joint", active=6, next=7)
                assert (await ask(tmp_path, "bot-7", "POST", "/activate?epoch=7"))[0] == 200
                assert new.state == "ACTIVE"
                # oldest first, and none that the other one had
                assert new_effects == [0, 2, 4, 6, 8]
                assert old_effects == [1, 3, 5, 7, 9]
                assert new.status()["claims_lost"] == 5
                late = await new.offer(9, 9, new_effects, once="at-most-once")
                assert late is Outcome.LEFT

    asyncio.run(run())


def test_what_comes_while_the_kept_is_offered_waits_behind_it(tmp_path: Path) -> None:
    async def run() -> None:
        effects: list[int] = []
        gate = asyncio.Event()

        async def slow(event: int) -> None:
            await gate.wait()
            effects.append(event)

        state(tmp_path, "standby", active=6, next=7)
        async with (
            handover(variables(tmp_path, "bot-6", 6)) as old,
            handover(variables(tmp_path, "bot-7", 7), at_once=1) as new,
        ):
            await until(lambda: old.state == "ACTIVE" and new.state == "STANDBY")
            for number in (1, 2, 3):
                await new.offer(number, number, slow, once="at-least-once")
            activating = asyncio.create_task(ask(tmp_path, "bot-7", "POST", "/activate?epoch=7"))
            await until(lambda: new.state == "ACTIVE")
            assert await new.offer(4, 4, slow, once="at-least-once") is Outcome.KEPT
            assert not activating.done()
            gate.set()
            assert (await activating)[0] == 200
            await until(lambda: effects == [1, 2, 3, 4])
            assert await new.offer(5, 5, slow, once="at-least-once") is Outcome.HANDLED

    asyncio.run(run())


def test_a_standby_forgets_what_is_too_old_and_an_heir_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        state(tmp_path, "standby", active=6, next=7)
        async with (
            handover(variables(tmp_path, "bot-6", 6, BUFFER=0.05), "shard") as old,
            handover(variables(tmp_path, "bot-7", 7, BUFFER=0.05)) as new,
        ):
            # it holds the lock, and is not ready: nobody else handles its events
            assert old.state == "BOOTING"
            await old.offer(1, 1, Effects(), once="at-most-once")
            await until(lambda: new.state == "STANDBY")
            await new.offer(1, 1, Effects(), once="at-most-once")
            await until(lambda: new.status()["buffered"] == 0)
            assert old.status()["buffered"] == 1
            assert new.status()["buffer_dropped"] == 0

    asyncio.run(run())


def test_units_must_show_life(tmp_path: Path) -> None:
    async def run() -> None:
        state(tmp_path, active=6)
        one = handover(variables(tmp_path, "bot-6", 6), "a", "b", life=0.2)
        async with one:
            one.unit("a").connected()
            one.unit("b").connected()
            one.unit("a").beat()
            status, said = await ask(tmp_path, "bot-6", "GET", "/readyz")
            assert (status, said["state"], said["units_ready"]) == (503, "BOOTING", 1)
            await one.offer("e", "e", Effects(), unit="b", once="at-most-once")
            await until(lambda: one.state == "ACTIVE")
            assert (await ask(tmp_path, "bot-6", "GET", "/readyz"))[0] == 200
            # connected is not alive
            await until(lambda: not one.ready)
            status, said = await ask(tmp_path, "bot-6", "GET", "/readyz")
            assert (status, said["state"]) == (503, "ACTIVE")
            assert (await ask(tmp_path, "bot-6", "GET", "/healthz"))[0] == 200
            one.unit("a").beat()
            one.unit("b").beat()
            assert one.ready
            one.unit("a").lost()
            assert not one.ready
            one.remove_unit("a")
            assert one.ready
            one.add_unit("c")
            assert not one.ready
            with pytest.raises(ValueError, match="units are: b, c"):
                one.unit("d")

    asyncio.run(run())


def test_draining_finishes_what_was_begun_and_its_follow_ups(tmp_path: Path) -> None:
    async def run() -> None:
        effects = Effects()
        gate = asyncio.Event()

        async def slow(event: str) -> None:
            await gate.wait()
            effects.append(event)

        state(tmp_path, active=6)
        async with handover(variables(tmp_path, "bot-6", 6)) as one:
            await until(lambda: one._copy.machine.handles)
            begun = asyncio.create_task(one.offer("1", "begun", slow, once="at-least-once"))
            await until(lambda: one.status()["inflight"] == 1)
            drained = asyncio.create_task(one.drained())
            with one.follow_up():
                assert (await ask(tmp_path, "bot-6", "POST", "/deactivate?epoch=6"))[0] == 200
                assert one.state == "DRAINING"
                assert await one.offer("2", "late", effects, once="at-least-once") is Outcome.KEPT
                gate.set()
                await begun
                assert effects == ["begun"]
                assert one.status()["followups"] == 1
                await asyncio.sleep(0.05)
                assert not drained.done()
            left = await asyncio.wait_for(drained, 5)
            assert (left.events, left.followups) == ((), 0)
            status, said = await ask(tmp_path, "bot-6", "POST", "/abort?epoch=6")
            assert (status, said) == (409, {"error": "state", "state": "DRAINING"})

    asyncio.run(run())


def test_at_the_deadline_it_says_what_it_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        state(tmp_path, active=6)
        async with handover(variables(tmp_path, "bot-6", 6)) as one:
            await until(lambda: one._copy.machine.handles)

            async def for_ever(event: str) -> None:
                await asyncio.sleep(60)

            begun = asyncio.create_task(one.offer("e-1", "1", for_ever, once="at-least-once"))
            await until(lambda: one.status()["inflight"] == 1)
            with caplog.at_level(logging.WARNING, "gapless.handover"), one.follow_up():
                await ask(tmp_path, "bot-6", "POST", "/deactivate?epoch=6&deadline=50")
                left = await asyncio.wait_for(one.drained(), 5)
            assert (left.events, left.followups) == (("e-1",), 1)
            assert "e-1" in caplog.text
            begun.cancel()

    asyncio.run(run())


def test_abort_brings_it_back_with_what_came_meanwhile(tmp_path: Path) -> None:
    async def run() -> None:
        effects = Effects()
        state(tmp_path, "joint", active=6, next=7)
        async with handover(variables(tmp_path, "bot-6", 6)) as old:
            await until(lambda: old._copy.machine.handles)
            with old.follow_up():
                await ask(tmp_path, "bot-6", "POST", "/deactivate?epoch=7&deadline=30000")
                assert await old.offer("1", "1", effects, once="at-most-once") is Outcome.KEPT
                for _ in range(2):
                    assert (await ask(tmp_path, "bot-6", "POST", "/abort?epoch=7"))[0] == 200
                assert effects == ["1"]
                assert await old.offer("2", "2", effects, once="at-most-once") is Outcome.HANDLED
            await asyncio.sleep(0.05)
            assert old.state == "ACTIVE"

    asyncio.run(run())


def test_a_pending_claim_of_a_dead_owner_is_claimed_again(tmp_path: Path) -> None:
    async def run() -> None:
        effects = Effects()
        state(tmp_path, "joint", active=6, next=7)
        async with handover(variables(tmp_path, "bot-7", 7)) as new:
            await until(lambda: new._copy.machine.handles)
            async with handover(variables(tmp_path, "bot-6", 6)) as old:
                # the new one holds active.lock already
                Requests(old._copy).activate(None)
                await until(lambda: old._copy.machine.handles)

                async def stuck(event: str) -> None:
                    await asyncio.sleep(60)

                begun = asyncio.create_task(old.offer("1", "1", stuck, once="at-least-once"))
                await until(lambda: old.status()["claims_won"] == 1)
                assert await new.offer("1", "1", effects, once="at-least-once") is Outcome.LEFT
                await asyncio.sleep(0.15)
                assert effects == []
                assert new.status()["inflight"] == 1
                begun.cancel()
            await until(lambda: effects == ["1"])
            status = new.status()
            assert (status["claims_won"], status["claims_lost"]) == (1, 0)
            assert status["inflight"] == 0

    asyncio.run(run())


def test_at_most_once_takes_nothing_from_the_dead(tmp_path: Path) -> None:
    async def run() -> None:
        state(tmp_path, "joint", active=6, next=7)
        async with handover(variables(tmp_path, "bot-7", 7)) as new:
            await until(lambda: new._copy.machine.handles)
            assert new._copy.store is not None
            effects = Effects()
            # an older release handled it at another level, and died
            store = _store_of("bot-6:6:1:dead", tmp_path)
            assert store.claim("1", done=False).won
            assert await new.offer("1", "1", effects, once="at-most-once") is Outcome.LEFT
            assert (effects, new.status()["inflight"]) == ([], 0)
            assert await new.offer("1", "1", effects, once="at-least-once") is Outcome.HANDLED
            store.close()

    asyncio.run(run())


def _store_of(owner: str, folder: Path) -> Store:
    found = store_of("sqlite:", folder, folder.name, owner, lambda owner: False)
    assert found is not None
    return found


def test_a_watched_event_that_is_done_is_let_go(tmp_path: Path) -> None:
    async def run() -> None:
        effects, others = Effects(), Effects()
        gate = asyncio.Event()

        async def slow(event: str, key: str) -> None:
            await gate.wait()
            others.append(event)

        state(tmp_path, "joint", active=6, next=7)
        async with (
            handover(variables(tmp_path, "bot-6", 6)) as old,
            handover(variables(tmp_path, "bot-7", 7)) as new,
        ):
            await until(lambda: old._copy.machine.handles and new._copy.machine.handles)
            begun = asyncio.create_task(old.offer("1", "1", slow, once="idempotent-key"))
            await until(lambda: old.status()["claims_won"] == 1)
            await new.offer("1", "1", effects, once="idempotent-key")
            # draining waits for it: the other one may still die
            await ask(tmp_path, "bot-7", "POST", "/deactivate?epoch=7")
            assert new.status()["inflight"] == 1
            gate.set()
            await begun
            await asyncio.wait_for(new.drained(), 5)
            assert (effects, others) == ([], ["1"])

    asyncio.run(run())


@pytest.mark.parametrize("policy", ["open", "closed"])
def test_no_answer_is_never_lost(tmp_path: Path, policy: str) -> None:
    async def run() -> None:
        effects = Effects()
        (tmp_path / "claims.db").write_bytes(b"no database at all, but long enough" * 100)
        state(tmp_path, "joint", active=6, next=7)
        given = variables(tmp_path, "bot-7", 7, LOCK_FAIL=policy)
        async with handover(given) as one:
            await until(lambda: one._copy.machine.handles)
            outcome = await one.offer("1", "1", effects, once="at-least-once")
            status = one.status()
            assert (status["lock_errors"], status["claims_lost"]) == (1, 0)
            assert (status["failed_open"], status["failed_closed"]) == (
                (1, 0) if policy == "open" else (0, 1)
            )
            assert outcome is (Outcome.HANDLED if policy == "open" else Outcome.DROPPED)
            assert effects == (["1"] if policy == "open" else [])
            problems = status["problems"]
            assert isinstance(problems, list)
            assert "not a database" in problems[0]
            # mended, it is asked again
            (tmp_path / "claims.db").unlink()
            assert await one.offer("2", "2", effects, once="at-least-once") is Outcome.HANDLED
            assert one.status()["problems"] == []

    asyncio.run(run())


def test_transactional_gives_the_open_transaction(tmp_path: Path) -> None:
    async def run() -> None:
        data = tmp_path / "data.db"
        with sqlite3.connect(data) as made:
            made.execute("CREATE TABLE effects (id TEXT)")
        given = variables(tmp_path, "bot-7", 7, LOCK=f"sqlite://{data}")

        async def book(event: str, database: sqlite3.Connection) -> None:
            await asyncio.sleep(0)
            database.execute("INSERT INTO effects VALUES (?)", (event,))
            if event == "bad":
                raise ValueError(event)

        state(tmp_path, "joint", active=6, next=7)
        async with handover(given) as one:
            await until(lambda: one._copy.machine.handles)
            with pytest.raises(ValueError, match="bad"):
                await one.offer("1", "bad", book, once="transactional")
            # nothing of it is left, not even the claim
            many = [one.offer(i, str(i), book, once="transactional") for i in range(1, 6)]
            assert set(await asyncio.gather(*many)) == {Outcome.HANDLED}
            assert await one.offer("5", "5", book, once="transactional") is Outcome.LEFT
            assert one.status()["claims_won"] == 5
        found = sqlite3.connect(data).execute("SELECT id FROM effects ORDER BY id").fetchall()
        assert [row[0] for row in found] == ["1", "2", "3", "4", "5"]

    asyncio.run(run())


def test_a_handler_that_raised_has_handled_its_event(tmp_path: Path) -> None:
    async def run() -> None:
        async def fails(event: str) -> None:
            raise ValueError(event)

        state(tmp_path, "joint", active=6, next=7)
        async with handover(variables(tmp_path, "bot-7", 7)) as one:
            await until(lambda: one._copy.machine.handles)
            with pytest.raises(ValueError, match="1"):
                await one.offer("1", "1", fails, once="at-least-once")
            again = await one.offer("1", "1", fails, once="at-least-once")
            assert again is Outcome.LEFT
            assert one.status()["inflight"] == 0

    asyncio.run(run())


def test_an_event_that_is_delivered_twice_has_one_effect(tmp_path: Path) -> None:
    async def run() -> None:
        effects = Effects()
        state(tmp_path, active=6)
        given = variables(tmp_path, "bot-6", 6, LOCK_WHEN="always")
        async with handover(given) as one:
            await until(lambda: one._copy.machine.handles)
            for _ in range(2):
                await one.offer("1", "1", effects, once="idempotent-key")
            assert effects == ["1"]

    asyncio.run(run())


def test_outside_of_the_window_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "LATE", 0.0)

    async def run() -> None:
        effects = Effects()
        state(tmp_path, active=6)
        async with handover(variables(tmp_path, "bot-6", 6)) as one:
            await until(lambda: one._copy.machine.handles)
            await one.offer("1", "1", effects, once="at-most-once")
            assert one.status()["claims_won"] == 0
            await ask(tmp_path, "bot-6", "POST", "/lock?on=true&epoch=6")
            await one.offer("2", "2", effects, once="at-most-once")
            assert one.status()["claims_won"] == 1
            await ask(tmp_path, "bot-6", "POST", "/lock?on=false&epoch=6")
            await one.offer("3", "3", effects, once="at-most-once")
            assert one.status()["claims_won"] == 1
            assert effects == ["1", "2", "3"]

    asyncio.run(run())


@pytest.mark.parametrize("level", ["at-most-once", "transactional"])
def test_what_is_read_late_is_claimed_though_the_lock_is_off(tmp_path: Path, level: Any) -> None:
    """The other copy had it while the lock was on, and is gone."""

    async def run() -> None:
        effects = Effects()
        state(tmp_path, active=6, lock=True)
        async with handover(variables(tmp_path, "bot-6", 6)) as one:
            await until(lambda: one._copy.machine.handles)
            assert one._copy.store is not None
            one._copy.store.claim("7", done=True)
            await ask(tmp_path, "bot-6", "POST", "/lock?on=false&epoch=6")
            assert one.status()["lock"] is False
            assert await one.offer("7", "7", effects, once=level) is Outcome.LEFT
            await one.offer("8", "8", effects, once=level)
            assert effects == ["8"]

    asyncio.run(run())


def test_a_lock_that_is_off_and_does_not_answer_stops_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        effects = Effects()
        state(tmp_path, active=6, lock=True)
        async with handover(variables(tmp_path, "bot-6", 6, LOCK_FAIL="closed")) as one:
            await until(lambda: one._copy.machine.handles)
            await ask(tmp_path, "bot-6", "POST", "/lock?on=false&epoch=6")
            (tmp_path / "claims.db").unlink()
            (tmp_path / "claims.db").mkdir()
            await one.offer("7", "7", effects, once="at-most-once")
            assert effects == ["7"]
            assert (one.status()["failed_open"], one.status()["failed_closed"]) == (1, 0)

    asyncio.run(run())


def test_a_copy_of_an_old_epoch_connects_to_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with handover(variables(tmp_path, "bot-6", 6, ROLE="active")):
            pytest.fail("it may not come so far")

    state(tmp_path, active=7, latest=7)
    with pytest.raises(Obsolete) as ended:
        asyncio.run(run())
    assert ended.value.code == 75
    assert "epoch 6, and 7 was given out" in capsys.readouterr().err


def test_a_standby_that_became_obsolete_does_not_take_over(tmp_path: Path) -> None:
    async def run() -> None:
        state(tmp_path, "standby", active=6, next=7)
        old = await handover(variables(tmp_path, "bot-6", 6)).__aenter__()
        async with handover(variables(tmp_path, "bot-7", 7)) as forgotten:
            await until(lambda: forgotten.state == "STANDBY")
            # another orchestrator went on with 8, and its copy is not there yet
            state(tmp_path, active=8)
            await old.__aexit__(None, None, None)
            with pytest.raises(Obsolete):
                async with asyncio.timeout(5):
                    await forgotten.drained()
            assert forgotten.state == "DRAINING"
            async with handover(variables(tmp_path, "bot-8", 8)) as new:
                await until(lambda: new.state == "ACTIVE")
                assert new.status()["took_over"] is False

    with pytest.raises(Obsolete):
        asyncio.run(run())


def test_a_second_copy_of_the_same_id_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with (
            handover(variables(tmp_path, "bot-6", 6)),
            handover(variables(tmp_path, "bot-6", 6)),
        ):
            pytest.fail("it may not come so far")

    monkeypatch.setattr("gapless.handover.alive.lock_life.__defaults__", (0.05,))
    with pytest.raises(BadVariable) as ended:
        asyncio.run(run())
    assert ended.value.name == "HANDOVER_ID"


def test_a_standby_without_an_orchestrator_says_that_it_is_stale(tmp_path: Path) -> None:
    async def run() -> None:
        state(tmp_path, "standby", active=6, next=7)
        given = variables(tmp_path, "bot-7", 7, MAX_AGE=0.3, STARTED_AT=now_ms())
        async with handover(variables(tmp_path, "bot-6", 6)), handover(given) as new:
            await until(lambda: new.state == "STANDBY")
            assert new.status()["stale"] is False
            await until(lambda: new.status()["stale"])
            # asking is not coming back
            assert (await ask(tmp_path, "bot-7", "GET", "/handover"))[1]["stale"] is True
            assert new.state == "STANDBY"
            await ask(tmp_path, "bot-7", "POST", "/lock?on=true&epoch=7")
            assert new.status()["stale"] is False

    asyncio.run(run())


def test_when_the_active_one_is_gone_the_standby_takes_over(tmp_path: Path) -> None:
    async def run() -> None:
        effects = Effects()
        state(tmp_path, "standby", active=6, next=7)
        async with handover(variables(tmp_path, "bot-7", 7), "shard") as new:
            # nobody is there: it has the lock, and is not ready yet
            assert new.status()["took_over"] is True
            await new.offer("1", "1", effects, once="at-most-once")
            assert new.state == "BOOTING"
            new.unit("shard").connected()
            new.unit("shard").beat()
            await until(lambda: effects == ["1"])
            assert new.state == "ACTIVE"
            assert new.status()["lock"] is True

    asyncio.run(run())


def test_signals_do_what_requests_do(tmp_path: Path) -> None:
    async def run() -> None:
        state(tmp_path, "standby", active=6, next=7)
        async with (
            handover(variables(tmp_path, "bot-6", 6)),
            handover(variables(tmp_path, "bot-7", 7)) as new,
        ):
            await until(lambda: new.state == "STANDBY")
            os.kill(os.getpid(), signal.SIGTSTP)
            await asyncio.sleep(0.05)
            assert new.state == "STANDBY"
            os.kill(os.getpid(), signal.SIGTTOU)
            await until(lambda: new.status()["lock"] is False)
            os.kill(os.getpid(), signal.SIGTTIN)
            await until(lambda: new.status()["lock"] is True)
            os.kill(os.getpid(), signal.SIGUSR2)
            await until(lambda: new.state == "ACTIVE")
            with new.follow_up():
                os.kill(os.getpid(), signal.SIGTSTP)
                await until(lambda: new.state == "DRAINING")
            await asyncio.wait_for(new.drained(), 5)

    asyncio.run(run())
