"""The embedded journal passes the conformance suite, and its own promises."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gapless.engine.sqlite_journal import SqliteJournal
from gapless.errors import JournalError
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
