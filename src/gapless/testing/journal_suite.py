"""The conformance suite of journals: subclass it, say how to open one, run it with pytest.

class TestMyJournal(JournalSuite):
    def open(self, folder): return MyJournal(folder)
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.engine.journal import Journal, RolloutRecord, RolloutState, StepState
from gapless.errors import LockHeld, UsageError
from gapless.events.event import Event
from gapless.plans import Plan, Verb


def record(rollout: str, *services: str, parent: str = "") -> RolloutRecord:
    """A rollout of ``services`` for tests."""
    return RolloutRecord(
        rollout, "shop", "restart", services, "digest", "alice", "laptop", 7, 1000.0, parent=parent
    )


def event(kind: str, rollout: str, **fields: object) -> Event:
    """An event at a fixed time."""
    return Event(kind, rollout=rollout, ts=1000.0, **fields)  # type: ignore[arg-type]


PLAN = Plan("shop", Verb.RESTART, (), {"project": {}})


class JournalSuite:
    """What every journal promises."""

    def open(self, folder: Path) -> Journal:
        """Open the journal kept in ``folder``; opening twice gives the same journal."""
        raise NotImplementedError

    @pytest.fixture
    def journal(self, tmp_path: Path) -> Journal:
        """A fresh journal."""
        return self.open(tmp_path / "journal")

    def start(self, journal: Journal, rollout: str = "r1", *services: str) -> None:
        """Open a rollout."""
        journal.open_rollout(
            record(rollout, *(services or ("api",))), PLAN, event("rollout.planned", rollout)
        )

    def test_a_rollout_and_its_plan_come_back_as_they_were(self, journal: Journal) -> None:
        """load() gives what open_rollout() stored."""
        self.start(journal)
        stored, plan = journal.load("r1")
        assert stored == record("r1", "api")
        assert plan.digest == PLAN.digest

    def test_an_unknown_rollout_is_an_error_with_a_next_command(self, journal: Journal) -> None:
        """Never an empty answer."""
        with pytest.raises(UsageError) as caught:
            journal.load("r9")
        assert caught.value.next == "gapless history"

    def test_intent_and_outcome_survive_the_process(self, tmp_path: Path) -> None:
        """What was committed is there for the next opener, without close()."""
        first = self.open(tmp_path / "journal")
        self.start(first)
        first.begin("r1", "wave1/web1/api/switch", 1, {"id": "a"}, event("step.started", "r1"))
        record_ = self.open(tmp_path / "journal").steps("r1")["wave1/web1/api/switch"]
        assert (record_.state, record_.before) == (StepState.BEGUN, {"id": "a"})
        first.finish(
            "r1", record_.key, 1, StepState.DONE, {"id": "b"}, event("step.succeeded", "r1")
        )
        record_ = self.open(tmp_path / "journal").steps("r1")["wave1/web1/api/switch"]
        assert record_.good
        assert record_.result == {"id": "b"}

    def test_a_second_rollout_of_a_service_is_refused_with_who_since_when_and_why(
        self, journal: Journal
    ) -> None:
        """LockHeld names the owner."""
        self.start(journal, "r1", "api", "db")
        with pytest.raises(LockHeld) as caught:
            self.start(journal, "r2", "db")
        assert "alice on laptop, pid 7" in caught.value.evidence
        assert "resume r1" in caught.value.next
        with pytest.raises(UsageError):
            journal.load("r2")

    def test_an_ended_rollout_gives_its_services_back(self, journal: Journal) -> None:
        """A paused one does not."""
        self.start(journal)
        closing = event("rollout.paused", "r1")
        journal.close_rollout("r1", RolloutState.PAUSED, "paused", 7, closing)
        with pytest.raises(LockHeld):
            self.start(journal, "r2")
        journal.close_rollout("r1", RolloutState.ENDED, "done", 0, event("rollout.succeeded", "r1"))
        self.start(journal, "r2")
        assert [lock.fence for lock in journal.locks()] == [2]

    def test_a_rollback_acts_under_its_parents_locks(self, journal: Journal) -> None:
        """Children take none of their own."""
        self.start(journal)
        child = record("r1-undo1", "api", parent="r1")
        journal.open_rollout(child, PLAN, event("rollout.planned", "r1-undo1"))
        assert [found.id for found in journal.children("r1")] == ["r1-undo1"]
        assert [lock.rollout for lock in journal.locks()] == ["r1"]

    def test_only_one_controller_is_alive_at_a_time(self, tmp_path: Path) -> None:
        """A second opener is told so while the first holds it."""
        one, two = self.open(tmp_path / "journal"), self.open(tmp_path / "journal")
        self.start(one)
        assert not two.is_alive("r1")
        with one.alive("r1"):
            assert two.is_alive("r1")
            with pytest.raises(LockHeld), two.alive("r1"):
                pass
            with pytest.raises(LockHeld):
                two.adopt("r1", "other", 8, event("rollout.resumed", "r1"))
        assert not two.is_alive("r1")

    def test_events_are_numbered_in_order_and_include_the_rollbacks(self, journal: Journal) -> None:
        """after= continues without a gap and without a repeat."""
        self.start(journal)
        journal.open_rollout(
            record("r1-undo1", "api", parent="r1"), PLAN, event("rollout.planned", "r1-undo1")
        )
        numbers = [journal.append(event("step.skipped", "r1")).seq for _ in range(5)]
        seen = journal.events("r1")
        assert [e.seq for e in seen] == sorted(e.seq for e in seen)
        assert {e.rollout for e in seen} == {"r1", "r1-undo1"}
        assert [e.seq for e in journal.events("r1", after=numbers[2])] == numbers[3:]

    def test_requests_reach_the_rollout_they_were_meant_for(self, journal: Journal) -> None:
        """In order, once."""
        self.start(journal)
        journal.request("r1", "pause", "bob", 1.0)
        journal.request("r1", "resume", "bob", 2.0)
        first, second = journal.requests("r1")
        assert (first.signal, second.signal) == ("pause", "resume")
        assert [r.signal for r in journal.requests("r1", first.seq)] == ["resume"]

    def test_a_broken_lock_is_gone_and_audited(self, journal: Journal) -> None:
        """The event says who."""
        self.start(journal)
        broken = journal.break_lock("api", event("lock.broken", "r1", actor="bob"))
        assert broken is not None
        assert broken.owner == "alice"
        assert not journal.locks()
        assert journal.events("r1")[-1].type == "lock.broken"
        assert journal.break_lock("api", event("lock.broken", "r1")) is None

    def test_what_is_left_on_a_host_is_shown_and_locks_nobody_out(self, journal: Journal) -> None:
        """Until the host obeys somebody else."""
        self.start(journal)
        journal.leave_lock("r1", "api", "web2")
        ended = event("rollout.failed", "r1")
        journal.close_rollout("r1", RolloutState.ENDED, "mixed", 5, ended)
        (left,) = journal.locks()
        assert (left.service, left.host, left.rollout, left.owner) == ("api", "web2", "r1", "alice")
        self.start(journal, "r2")
        assert [(lock.rollout, lock.host) for lock in journal.locks()] == [
            ("r2", ""),
            ("r1", "web2"),
        ]
        journal.forget_left("api", "web2")
        assert [lock.rollout for lock in journal.locks()] == ["r2"]
        journal.leave_lock("r1", "api", "web2")
        journal.break_lock("api", event("lock.broken", "r2"))
        assert not journal.locks()

    def test_durations_of_done_instances_are_history(self, journal: Journal) -> None:
        """Newest first; failures do not count."""
        self.start(journal)
        for seconds, state in (
            (1.0, StepState.DONE),
            (2.0, StepState.DONE),
            (9.0, StepState.FAILED),
        ):
            done = event("step.succeeded", "r1", service="api")
            journal.finish("r1", "wave1/w/api/outcome", 1, state, {"seconds": seconds}, done)
        assert list(journal.durations("api")) == [2.0, 1.0]
