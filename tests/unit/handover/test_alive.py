from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gapless.handover.alive import Flock, is_alive, lock_life

_HOLD = """
import sys, time
from pathlib import Path
from gapless.handover.alive import lock_life
lock = lock_life(Path(sys.argv[1]), "bot-1", "bot-1:1:42:aa")
print("held", flush=True)
time.sleep(60)
"""


def _holder(folder: Path) -> subprocess.Popen[bytes]:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(folder)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_a_killed_process_is_dead(tmp_path: Path) -> None:
    with _holder(tmp_path) as holder:
        assert is_alive(tmp_path, "bot-1:1:42:aa")
        # the same id, another process: it was started again
        assert not is_alive(tmp_path, "bot-1:1:41:bb")
        holder.kill()
        holder.wait()
        assert not is_alive(tmp_path, "bot-1:1:42:aa")


def test_nobody_was_ever_there(tmp_path: Path) -> None:
    assert not is_alive(tmp_path, "bot-1:1:42:aa")


def test_a_second_process_of_the_same_id_does_not_get_in(tmp_path: Path) -> None:
    with _holder(tmp_path) as holder:
        assert lock_life(tmp_path, "bot-1", "bot-1:1:43:cc", patience=0.05) is None
        assert is_alive(tmp_path, "bot-1:1:42:aa")
        holder.kill()
    again = lock_life(tmp_path, "bot-1", "bot-1:1:43:cc", patience=5)
    assert again is not None
    assert again.existed
    again.release()


def test_looking_at_a_file_does_not_make_it_alive_for_others(tmp_path: Path) -> None:
    lock = lock_life(tmp_path, "bot-1", "bot-1:1:42:aa")
    assert lock is not None
    lock.release()
    assert not is_alive(tmp_path, "bot-1:1:42:aa")
    assert not is_alive(tmp_path, "bot-1:1:42:aa")


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = Flock(tmp_path / "active.lock")
    assert lock.try_lock()
    context = multiprocessing.get_context("fork")
    asked, told = context.Event(), context.Event()

    def child() -> None:
        told.set()
        asked.wait(10)

    process = context.Process(target=child)
    process.start()
    try:
        assert told.wait(10)
        lock.release()
        other = Flock(tmp_path / "active.lock")
        assert other.try_lock()
        other.release()
    finally:
        asked.set()
        process.join(10)


def test_a_program_that_was_started_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = Flock(tmp_path / "active.lock")
    assert lock.try_lock()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as started:
        lock.release()
        other = Flock(tmp_path / "active.lock")
        assert other.try_lock()
        other.release()
        started.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes two accounts")
def test_another_account_can_wait_for_the_lock_and_see_who_lives(tmp_path: Path) -> None:
    shared = Path(f"/dev/shm/handover-{os.getpid()}")
    shared.mkdir()
    shared.chmod(0o1777)
    try:
        lock = lock_life(shared, "bot-1", "bot-1:1:42:aa")
        active = Flock(shared / "active.lock")
        assert lock is not None
        assert active.try_lock()
        look = (
            "import os, sys\nfrom pathlib import Path\n"
            "from gapless.handover.alive import Flock, is_alive\n"
            "os.setgid(65534); os.setuid(65534)\nshared = Path(sys.argv[1])\n"
            "print(is_alive(shared, 'bot-1:1:42:aa'), Flock(shared / 'active.lock').try_lock())\n"
        )
        said = subprocess.run(
            [sys.executable, "-c", look, str(shared)], capture_output=True, text=True, check=True
        )
        assert said.stdout == "True False\n"
        lock.release()
        active.release()
    finally:
        for path in shared.iterdir():
            path.unlink()
        shared.rmdir()
