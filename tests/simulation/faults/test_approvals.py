"""Approvals among several services, and a controller that is killed around them."""

from __future__ import annotations

import asyncio

import pytest

from gapless.engine.approvals import Answer, Approval, grant, pending
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.virtual_time import run_virtual
from tests.simulation.faults.goes import Goes, at, ended, service

APPROVE = {"groups": [{"group": "h1", "then": "approve"}, {"group": "h2"}]}


def promote(goes: Goes) -> tuple[Approval, ...]:
    """Somebody approves all that waits."""
    now = goes.world.clock.now()
    return grant(goes.journal, goes.rollout, actor="bob", reason="fine", now=now)


def kinds(goes: Goes, *types: str) -> list[str]:
    events = goes.journal.events(goes.rollout)
    return [f"{e.service} {e.type.partition('.')[2]}" for e in events if e.type in types]


def test_the_rest_of_the_rollout_goes_on_to_its_end() -> None:
    """What depends on the one that waits is not begun; what does not depend on it is done."""

    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3", order=APPROVE),
            service("s1", "h4 h5", after="s0"),
            service("s2", "h6 h7"),
        )
        ending = await goes.go()
        assert ended(ending) == ("paused", 7)
        assert ending is not None
        assert ending.approvals == ("s0",)
        assert goes.versions("s0") == ["v2", "v1", "v1"]
        assert goes.versions("s1") == ["v1", "v1"]
        assert goes.versions("s2") == ["v2", "v2"]
        (skipped,) = [e for e in goes.told if e.type == "service.skipped"]
        assert skipped.data["why"] == "s0 waits for approval"
        assert [a.service for a in promote(goes)] == ["s0"]
        assert pending(goes.journal, goes.rollout) == ()
        assert ended(await goes.go()) == ("done", 0)
        for name, count in (("s0", 3), ("s1", 2), ("s2", 2)):
            assert goes.versions(name) == ["v2"] * count
            assert len(goes.world.deeds("restart", unit=f"{name}.service")) == count

    run_virtual(course())


def test_two_services_wait_and_one_word_lets_both_go_on() -> None:
    async def course() -> None:
        other = {"groups": [{"group": "h4", "then": "approve"}]}
        goes = Goes(service("s0", "h1 h2", order=APPROVE), service("s1", "h4 h5", order=other))
        assert ended(await goes.go()) == ("paused", 7)
        assert {a.service for a in promote(goes)} == {"s0", "s1"}
        assert ended(await goes.go()) == ("done", 0)
        requested = kinds(goes, "approval.requested")
        assert sorted(requested) == ["s0 requested", "s1 requested"]

    run_virtual(course())


def test_each_group_is_approved_by_itself() -> None:
    async def course() -> None:
        groups = {"groups": [{"group": f"h{n}", "then": "approve"} for n in (1, 2)]}
        goes = Goes(service("s0", "h1 h2 h3", order=groups))
        assert ended(await goes.go()) == ("paused", 7)
        promote(goes)
        assert ended(await goes.go()) == ("paused", 7)
        assert goes.versions("s0") == ["v2", "v2", "v1"]
        promote(goes)
        assert ended(await goes.go()) == ("done", 0)
        assert kinds(goes, "approval.requested", "approval.granted") == [
            "s0 requested", "s0 granted", "s0 requested", "s0 granted",
        ]  # fmt: skip

    run_virtual(course())


@pytest.mark.parametrize("kind", ["approval.requested", "rollout.paused"])
@pytest.mark.parametrize("aborted", [False, True])
def test_a_kill_at_the_approval(kind: str, aborted: bool) -> None:
    async def course() -> None:
        goes = Goes(service("s0", "h1 h2 h3", order=APPROVE))
        assert await goes.go(kill=at(kind)) is None
        assert goes.versions("s0") == ["v2", "v1", "v1"]
        if aborted:
            assert ended(await goes.abort()) == ("restored", 4)
            assert goes.versions("s0") == ["v1"] * 3
            return
        assert ended(await goes.go()) == ("paused", 7)
        promote(goes)
        assert await goes.go(kill=at("batch.started", service="s0")) is None
        assert ended(await goes.go()) == ("done", 0)
        assert kinds(goes, "approval.requested", "approval.granted") == [
            "s0 requested", "s0 granted",
        ]  # fmt: skip
        assert len(goes.world.deeds("restart")) == 3

    run_virtual(course())


def test_what_was_tolerated_is_not_accepted_by_an_approval() -> None:
    """The approval is about the next group; a failure that was tolerated still counts."""

    async def course() -> None:
        groups = {"groups": [{"group": "h1"}, {"group": "h2", "then": "approve"}]}
        bad = {"h1": NEVER_READY, "h3": NEVER_READY}
        goes = Goes(
            service("s0", "h1 h2 h3 h4", out=2, max_failed=1, on_failure="pause", bad=bad,
                    order=groups)
        )  # fmt: skip
        assert ended(await goes.go()) == ("paused", 7)
        promote(goes)
        ending = await goes.go()
        assert ended(ending) == ("paused", 7)
        assert goes.versions("s0") == ["v1", "v2", "v1", "v1"]
        assert ending is not None
        assert ending.approvals == ()

    run_virtual(course())


class Terminal:
    """Somebody at the terminal who takes a while."""

    def __init__(self, goes: Goes, seconds: float, *, granted: bool = True) -> None:
        self._goes, self._seconds, self._granted = goes, seconds, granted
        self.asked: list[Approval] = []
        self.gone = False

    async def __call__(self, approval: Approval) -> Answer:
        self.asked.append(approval)
        try:
            await self._goes.world.clock.sleep(self._seconds)
        except asyncio.CancelledError:
            self.gone = True
            raise
        return Answer(self._granted, "carol", "at the terminal")


def test_the_time_a_person_takes_is_no_part_of_the_deadline() -> None:
    async def course() -> None:
        goes = Goes(service("s0", "h1 h2", order=APPROVE), deadline=120.0)
        terminal = Terminal(goes, 3600.0)
        assert ended(await goes.go(approver=terminal)) == ("done", 0)
        assert [(a.after, a.before) for a in terminal.asked] == [("h1", "h2")]

    run_virtual(course())


def test_the_time_of_two_questions_at_once_counts_once() -> None:
    """Both take five minutes, the same five; what is then worked too long for is taken back."""

    async def course() -> None:
        groups = [{"group": "h1", "then": "approve"}, {"group": "h2", "then": "5m"}]
        goes = Goes(
            service("s0", "h1 h2 h3", order={"groups": groups}),
            service("s1", "h4 h5", order={"groups": [{"group": "h4", "then": "approve"}]}),
            deadline=120.0,
        )
        terminal = Terminal(goes, 300.0)
        assert ended(await goes.go(approver=terminal)) == ("restored", 4)
        assert {a.service for a in terminal.asked} == {"s0", "s1"}
        (aborted,) = [e for e in goes.told if e.type == "rollout.aborted"]
        assert aborted.reason == "the rollout was not done within 120 s"
        assert goes.versions("s0") == ["v1"] * 3

    run_virtual(course())


def test_what_goes_on_meanwhile_is_not_late_because_a_person_is_asked() -> None:
    """One waits for an hour; the other begins batches all the time."""

    async def course() -> None:
        slow = {"groups": [{"group": f"h{n}", "then": "60s"} for n in (3, 4, 5)]}
        goes = Goes(
            service("s0", "h1 h2", order=APPROVE),
            service("s1", "h3 h4 h5 h6", order=slow),
            deadline=120.0,
        )
        assert ended(await goes.go(approver=Terminal(goes, 3600.0))) == ("done", 0)

    run_virtual(course())


def test_ctrl_c_at_the_question_leaves_it_open() -> None:
    async def course() -> None:
        goes = Goes(service("s0", "h1 h2", order=APPROVE))
        terminal = Terminal(goes, 1e6)
        stop = at("approval.requested")
        assert ended(await goes.go(approver=terminal, stop=stop)) == ("interrupted", 130)
        assert not kinds(goes, "approval.granted")
        promote(goes)
        assert ended(await goes.go()) == ("done", 0)

    run_virtual(course())


def test_an_abort_from_elsewhere_ends_the_question() -> None:
    async def course() -> None:
        goes = Goes(service("s0", "h1 h2", order=APPROVE))
        terminal = Terminal(goes, 1e6)

        async def elsewhere() -> None:
            while not terminal.asked:
                await goes.world.clock.sleep(1.0)
            goes.journal.request(goes.rollout, "abort", "bob", goes.world.clock.now())

        bob = asyncio.create_task(elsewhere())
        assert ended(await goes.go(approver=terminal)) == ("restored", 4)
        await bob
        assert terminal.gone
        assert goes.versions("s0") == ["v1", "v1"]

    run_virtual(course())


def test_a_pause_is_no_part_of_the_deadline_either() -> None:
    """Nothing is taken back while a person wants it to stand still."""

    async def course() -> None:
        goes = Goes(service("s0", "h1 h2 h3 h4"), deadline=120.0)

        async def elsewhere() -> None:
            while not goes.rollout:
                await goes.world.clock.sleep(0.1)
            goes.journal.request(goes.rollout, "pause", "bob", goes.world.clock.now())
            await goes.world.clock.sleep(3600.0)
            assert goes.versions("s0")[-1] == "v1"
            goes.journal.request(goes.rollout, "resume", "bob", goes.world.clock.now())

        bob = asyncio.create_task(elsewhere())
        assert ended(await goes.go()) == ("done", 0)
        await bob

    run_virtual(course())


def test_an_approval_given_while_the_rest_goes_on_is_heard() -> None:
    """Nobody asked at a terminal: the one who approves is told that it goes on, and it does."""

    async def course() -> None:
        goes = Goes(
            service("s0", "h1 h2 h3", order=APPROVE),
            service("s1", "h4 h5", after="s0"),
            service("s2", "h6 h7 h8 h9"),
        )

        async def elsewhere() -> None:
            while not (goes.rollout and pending(goes.journal, goes.rollout)):
                await goes.world.clock.sleep(0.1)
            promote(goes)

        bob = asyncio.create_task(elsewhere())
        assert ended(await goes.go()) == ("done", 0)
        await bob
        for name, count in (("s0", 3), ("s1", 2), ("s2", 4)):
            assert goes.versions(name) == ["v2"] * count
            assert len(goes.world.deeds("restart", unit=f"{name}.service")) == count
        assert kinds(goes, "approval.requested", "approval.granted") == [
            "s0 requested", "s0 granted",
        ]  # fmt: skip

    run_virtual(course())
