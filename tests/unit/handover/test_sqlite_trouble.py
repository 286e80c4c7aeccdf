"""A lock that is full, locked, damaged, replaced or foreign gives no answer, and never *lost*."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gapless.handover.claims.asking import ask
from gapless.handover.claims.sqlite import SqliteStore
from gapless.handover.claims.store import LOST, WON, NoAnswer

NOBODY = 65534
root = pytest.mark.skipif(os.geteuid() != 0, reason="takes two accounts")


def _store(path: Path, owner: str = "a:1:1:a") -> SqliteStore:
    return SqliteStore(path, "ns", owner, lambda owner: True, "OFF")


def _claim(store: SqliteStore, event: str, limit: float = 1.0) -> object:
    return ask(lambda: store.claim(event, done=True), (), limit)


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    folder = Path(f"/dev/shm/handover-{os.getpid()}")
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.mark.alone
def test_locked(tmp_path: Path) -> None:
    path = tmp_path / "claims.db"
    one, other = _store(path), _store(path, "b:1:1:b")
    assert _claim(one, "1") == WON
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="locked"):
            _claim(other, "2", 0.2)
        assert 0.2 <= time.monotonic() - begun < 1
        # reading what is there is still possible: this one is an answer
        holder.execute("ROLLBACK")
    assert _claim(other, "2") == WON
    assert _claim(other, "1") == LOST


def test_locked_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "claims.db"
    one = _store(path)
    one.open()
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, lambda: holder.execute("COMMIT")).start()
    assert _claim(one, "1") == WON


def test_damaged_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "claims.db"
    path.write_bytes(b"this is no database, however long it is " * 200)
    one = _store(path)
    with pytest.raises(NoAnswer, match="not a database"):
        _claim(one, "1")
    path.unlink()
    assert _claim(one, "1") == WON


def test_damaged_in_the_middle_of_its_life(tmp_path: Path) -> None:
    path = tmp_path / "claims.db"
    one = _store(path)
    for event in range(2000):
        assert _claim(one, str(event)) == WON
    one.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    other = _store(path, "b:1:1:b")
    for event in range(50):
        with pytest.raises(NoAnswer):
            _claim(other, str(event))


def test_a_file_that_was_replaced_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "claims.db"
    one = _store(path)
    assert _claim(one, "1") == WON
    for left in tmp_path.glob("claims.db*"):
        left.unlink()
    other = _store(path, "b:1:1:b")
    assert _claim(other, "2") == WON
    # two files would be two truths
    assert _claim(one, "2") == LOST
    transaction = one.begin()
    assert not transaction.claim("2")
    transaction.rollback()


_FULL = """
import resource, sys
from pathlib import Path
from gapless.handover.claims.asking import ask
from gapless.handover.claims.sqlite import SqliteStore
from gapless.handover.claims.store import LOST, NoAnswer
store = SqliteStore(Path(sys.argv[1]), "ns", "a:1:1:a", lambda owner: True, "OFF")
answers = []
for event in range(3000):
    if event == 1000:
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    try:
        answers.append(ask(lambda: store.claim(str(event), done=True), (), 1.0))
    except NoAnswer as error:
        answers.append("no answer")
assert LOST not in answers
# each event was offered once: won, or no answer, and some of both
print(answers[999].won, answers.count("no answer") > 0)
"""


def test_a_full_disk(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path / "claims.db"), "200000"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout == "True True\n", said.stderr


@root
def test_a_full_tmpfs(tmp_path: Path) -> None:
    mounted = tmp_path / "small"
    mounted.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(mounted)], capture_output=True
    )
    if made.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        one = _store(mounted / "claims.db")
        answers: list[object] = []
        for event in range(3000):
            try:
                answers.append(_claim(one, str(event)))
            except NoAnswer:
                answers.append("no answer")
                if answers.count("no answer") == 20:
                    break
        assert answers[0] == WON
        assert answers.count("no answer") == 20
        assert LOST not in answers
        one.close()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


_AS_NOBODY = """
import os, sys
from pathlib import Path
from gapless.handover.claims.asking import ask
from gapless.handover.claims.sqlite import SqliteStore
from gapless.handover.claims.directory import DirectoryStore
from gapless.handover.claims.store import NoAnswer
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for store in (
    SqliteStore(Path(sys.argv[1]) / "claims.db", "ns", "b:1:1:b", lambda owner: True, "OFF"),
    DirectoryStore(Path(sys.argv[1]), "ns", "b:1:1:b", lambda owner: True),
):
    for event in ("1", "2"):
        try:
            print(ask(lambda: store.claim(event, done=True), (), 0.2).won, end=" ")
        except NoAnswer as error:
            print("no answer", end=" ")
"""


@root
@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o777, "False True False True "), (0o755, "no answer no answer False no answer ")],
)
def test_another_account(tmpfs: Path, mode: int, said: str) -> None:
    """Who may write the folder may claim; who may not gets no answer. A file that is there can be
    looked at, so the directory tells what was claimed."""
    from gapless.handover.claims.directory import DirectoryStore

    tmpfs.chmod(mode)
    one = _store(tmpfs / "claims.db")
    two = DirectoryStore(tmpfs, "ns", "a:1:1:a", lambda owner: True)
    for store in (one, two):
        assert store.claim("1", done=True) == WON
    found = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(tmpfs)], capture_output=True, text=True, check=True
    )
    assert found.stdout == said, found.stderr
    one.close()
    subprocess.run(["rm", "-r", str(tmpfs / "ns")], check=True)


_OPEN = """
import sys, time
from pathlib import Path
from gapless.handover.claims.asking import ask
from gapless.handover.claims.sqlite import SqliteStore
while time.time() < float(sys.argv[2]):
    pass
store = SqliteStore(Path(sys.argv[1]), "ns", f"{sys.argv[3]}:1:1:a", lambda owner: True, "OFF")
print(ask(lambda: store.claim("1", done=True), (), 5.0).won)
"""


def test_created_by_many_at_once(tmp_path: Path) -> None:
    at = str(time.time() + 0.7)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, str(tmp_path / "claims.db"), at, str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    said = [racer.communicate(timeout=30)[0].strip() for racer in racers]
    assert sorted(said) == ["False"] * 5 + ["True"]


def test_a_handler_that_closed_its_transaction_is_an_error(tmp_path: Path) -> None:
    one = _store(tmp_path / "claims.db")
    transaction = one.begin()
    assert transaction.claim("1")
    transaction.connection.execute("ROLLBACK")
    with pytest.raises(NoAnswer, match="no transaction"):
        transaction.commit()
    transaction.rollback()


def test_the_limit_of_files_is_no_answer(tmp_path: Path) -> None:
    one = _store(tmp_path / "claims.db")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 2, hard))
    try:
        with pytest.raises(NoAnswer):
            _claim(one, "1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(held[0])
    assert _claim(one, "1") == WON


def test_sweeping_is_done_in_small_bites(tmp_path: Path) -> None:
    one = _store(tmp_path / "claims.db")
    for event in range(2500):
        assert one.claim(str(event), done=True) == WON
    one.horizon_ms = 0
    # none of them is of this millisecond any more
    time.sleep(0.005)
    assert [one.sweep() for _ in range(4)] == [1000, 1000, 500, 0]
