"""Log files are read on where the last reading ended, whatever was done to them meanwhile."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from gapless.hostside import log_files
from gapless.hostside.log_files import Files
from gapless.hostside.log_incidents import Incidents
from gapless.hostside.log_levels import ERROR
from gapless.hostside.log_patterns import Patterns


class Reader:
    """Reads the same files again and again."""

    def __init__(self, *patterns: str) -> None:
        self._patterns = list(patterns)
        self.marks: dict[str, Any] = {}
        self.marked: float | None = None
        self.covered: float | None = None
        self.before = 0

    def errors(self, since: float, until: float | None = None) -> list[str]:
        """The messages that came, in order."""
        rules = Patterns({}, [])
        incidents, before = Incidents(ERROR, rules), Incidents(ERROR, rules)
        files = Files(self._patterns, self.marks, self.marked)
        self.covered = files.read(since, until or time.time() + 60, incidents, before)
        self.marks, self.marked = files.marks, time.time()
        incidents.close()
        before.close()
        self.before = before.level.errors
        return sorted(text.split()[-1] for text, _ in incidents.level.to_json(frozenset())["top"])


def write(file: Path, *words: str, at: float | None = None) -> None:
    stamp = "" if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime(at))
    with file.open("a") as out:
        for word in words:
            out.write(f"{stamp}ERROR it is {word}\n")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "shop.log"
    write(file, "ancient")
    return file


def begun(log: Path, *others: str) -> Reader:
    reader = Reader(str(log), *others)
    assert reader.errors(time.time() - 10) == []
    return reader


def test_only_what_is_new_is_read(log: Path) -> None:
    reader, since = begun(log), time.time()
    write(log, "one", "two")
    assert reader.errors(since) == ["one", "two"]
    write(log, "three")
    assert reader.errors(since) == ["three"]
    assert reader.errors(since) == []


def test_a_rotated_file_is_read_to_its_end_and_then_its_successor(log: Path) -> None:
    reader, since = begun(log), time.time()
    write(log, "late")
    log.rename(log.with_name("shop.log.1"))
    write(log, "early")
    assert reader.errors(since) == ["early", "late"]


def test_a_file_that_was_rotated_twice_misses_nothing(log: Path) -> None:
    reader, since = begun(log), time.time()
    write(log, "first")
    log.rename(log.with_name("shop.log.2"))
    write(log, "second")
    log.rename(log.with_name("shop.log.1"))
    write(log, "third")
    assert reader.errors(since) == ["first", "second", "third"]


def test_a_file_that_was_copied_and_cut_is_read_in_its_copy(log: Path) -> None:
    write(log, *["filling"] * 20)
    reader, since = begun(log), time.time()
    write(log, "copied")
    shutil.copy(log, log.with_name("shop.log.1"))
    os.truncate(log, 0)
    write(log, "fresh")
    assert reader.errors(since) == ["copied", "fresh"]


def test_a_truncated_file_is_read_from_its_beginning(log: Path) -> None:
    write(log, *["filling"] * 20)
    reader, since = begun(log), time.time()
    os.truncate(log, 0)
    write(log, "fresh")
    assert reader.errors(since) == ["fresh"]


def test_a_new_file_under_an_old_inode_is_another_file(log: Path) -> None:
    reader, since = begun(log), time.time()
    content = "2026-01-01 something else altogether, longer than what was there\n" * 3
    log.write_text(content)  # the same inode, and longer than the mark
    write(log, "fresh")
    assert reader.errors(since) == ["fresh"]


def test_packed_and_foreign_files_are_left_alone(log: Path) -> None:
    reader, since = begun(log, f"{log}*"), time.time()
    with gzip.open(log.with_name("shop.log.1.gz"), "wt") as packed:
        packed.write("ERROR it is packed\n")
    write(log.with_name("shopping.log"), "foreign")
    write(log, "mine")
    assert reader.errors(since) == ["mine"]


def test_a_line_that_is_not_whole_waits(log: Path) -> None:
    reader, since = begun(log), time.time()
    with log.open("a") as out:
        out.write("ERROR it is ha")
    assert reader.errors(since) == []
    with log.open("a") as out:
        out.write("lf\n")
    assert reader.errors(since) == ["half"]


def test_a_file_that_came_later_is_read_whole(log: Path, tmp_path: Path) -> None:
    reader = Reader(str(tmp_path / "*.log"))
    since = time.time() - 10
    assert reader.errors(since) == []
    write(tmp_path / "worker.log", "new")
    assert reader.errors(since) == ["new"]


def test_the_past_counts_by_the_times_in_it(log: Path) -> None:
    now = time.time()
    write(log, "old", at=now - 500)
    write(log, "recent", at=now - 50)
    reader = Reader(str(log))
    assert reader.errors(now - 100, now) == ["recent"]
    assert reader.covered == pytest.approx(100, abs=1)
    assert reader.before == 2  # known, but not counted: one too old, one without a time
    assert Reader(str(log)).errors(now - 1000, now - 100) == ["old"]


def test_a_log_that_is_younger_than_what_is_asked_covers_less(tmp_path: Path) -> None:
    log, now = tmp_path / "young.log", time.time()
    write(log, "a", at=now - 20)
    reader = Reader(str(log))
    assert reader.errors(now - 600, now) == ["a"]
    assert reader.covered == pytest.approx(20, abs=2)


def test_no_file_and_no_time_is_no_data(log: Path, tmp_path: Path) -> None:
    reader = Reader(str(tmp_path / "none.log"))
    assert reader.errors(0.0) == []
    assert reader.covered is None
    reader = begun(log)
    assert reader.covered is None
    reader.errors(time.time() - 5)
    assert reader.covered is not None


def test_of_a_large_file_the_end_is_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "_BACK", 2000)
    now = time.time()
    write(log, *["early"] * 100, at=now - 300)
    write(log, "late", at=now - 10)
    reader = Reader(str(log))
    assert reader.errors(now - 600, now) == ["early", "late"]
    assert reader.covered == pytest.approx(300, abs=2)
    monkeypatch.setattr(log_files, "_BACK", 30)
    assert Reader(str(log)).errors(now - 600, now) == []
