"""The embedded journal passes the conformance suite, and its own promises."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gapless.engine.journal import RolloutState, StepState, every_event
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.steps.lifecycle import STEPS
from gapless.errors import JournalError
from gapless.events.event import Event
from gapless.plans import StepKind
from gapless.testing.journal_suite import JournalSuite, event


class TestSqliteJournal(JournalSuite):
    """The suite on a file."""

    def open(self, folder: Path) -> SqliteJournal:
        return SqliteJournal(folder)


def test_files_are_private(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "j").append(event("rollout.planned", "r1"))
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700
    for file in (tmp_path / "j").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_events_cannot_be_changed_or_removed(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "j").append(event("rollout.planned", "r1"))
    db = sqlite3.connect(tmp_path / "j" / "journal.db")
    for statement in ("UPDATE events SET line=''", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)


def test_a_journal_of_a_newer_version_is_refused_not_guessed(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "j").close()
    db = sqlite3.connect(tmp_path / "j" / "journal.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(JournalError, match="schema 99"):
        SqliteJournal(tmp_path / "j")


def test_a_folder_that_cannot_be_made_is_an_error_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError) as caught:
        SqliteJournal(tmp_path / "file" / "j")
    assert "Not a directory" in caught.value.evidence


def test_two_first_launches_at_once_make_one_journal(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from gapless.engine.sqlite_journal import SqliteJournal;"
        "from gapless.testing.journal_suite import event;"
        "j = SqliteJournal(Path(sys.argv[1]));"
        "[j.append(event('step.skipped', 'r1')) for _ in range(20)]"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "j")]
    processes = [subprocess.Popen(argv) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert len(SqliteJournal(tmp_path / "j").events()) == 80


def test_a_killed_controllers_liveness_is_free_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from gapless.engine.sqlite_journal import SqliteJournal;"
        "j = SqliteJournal(Path(sys.argv[1]));"
        "h = j.alive('r1'); h.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "j")]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    journal = SqliteJournal(tmp_path / "j")
    assert journal.is_alive("r1")
    child.kill()
    child.wait(10)
    assert not journal.is_alive("r1")


def test_what_a_power_cut_must_not_forget_is_forced_to_the_disk(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j")
    told: list[str] = []
    journal._db.connection.set_trace_callback(told.append)

    def forced() -> bool:
        modes = [line for line in told if line.startswith("PRAGMA synchronous")]
        told.clear()
        return modes[-1].endswith("FULL")

    def begin(step: str, *, durable: bool) -> None:
        journal.begin("r1", step, 1, {}, event("step.started", "r1"), durable=durable)

    TestSqliteJournal().start(journal)
    assert forced(), "a rollout with its plan"
    begin("switch", durable=True)
    assert forced(), "the intent of a critical step"
    begin("ready", durable=False)
    assert not forced(), "a look is made again"
    journal.finish("r1", "switch", 1, StepState.DONE, {}, event("step.succeeded", "r1"))
    assert not forced(), "the host knows what became of it"
    journal.request("r1", "abort", "alice", 2.0)
    assert forced(), "what a person asked for"
    journal.close_rollout("r1", RolloutState.ENDED, "done", 0, event("rollout.succeeded", "r1"))
    assert forced(), "the end"


def test_a_long_rollout_is_read_to_its_end(tmp_path: Path) -> None:
    short = Paged(tmp_path / "j")
    TestSqliteJournal().start(short)
    for _ in range(7):
        short.append(event("check.passed", "r1"))
    whole = [e.seq for e in SqliteJournal(tmp_path / "j").events("r1")]
    assert len(whole) > 7
    assert [e.seq for e in every_event(short, "r1")] == whole
    assert [e.seq for e in every_event(short, "r1", whole[1])] == whole[2:]


class Paged(SqliteJournal):
    """A journal whose pages are short."""

    def events(self, rollout: str | None = None, after: int = 0, limit: int = 3) -> Sequence[Event]:
        return super().events(rollout, after, min(limit, 3))


def test_a_step_that_was_never_begun_is_over_as_it_begins(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j")
    TestSqliteJournal().start(journal)
    told = event("step.skipped", "r1")
    journal.finish("r1", "api/web1/warm", 1, StepState.SKIPPED, {"why": "no warm-up"}, told)
    record = journal.steps("r1")["api/web1/warm"]
    assert (record.state, record.result) == (StepState.SKIPPED, {"why": "no warm-up"})
    assert record.begun == record.ended == told.ts


def test_only_critical_steps_are_forced_to_the_disk() -> None:
    critical = {kind for kind, step in STEPS.items() if step.critical}
    moves = {StepKind.SHIFT, StepKind.DRAIN, StepKind.ADMIT}
    assert critical == {StepKind.MIGRATE, StepKind.SWITCH, StepKind.RETIRE, *moves}
