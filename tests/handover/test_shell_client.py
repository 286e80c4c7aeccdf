"""The client in POSIX sh speaks the protocol, and what it starts dies with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.handover.playing import EXAMPLES, played, told
from tests.handover.test_examples import MIXED_BOT, WITH_TWO

SHELL = EXAMPLES.with_name("handover-shell")
BOT = str(SHELL / "bot.sh")
MISSING = [name for name in ("socat", "flock", "setpriv") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING) and os.environ.get("GAPLESS_LAB") != "required",
    reason=f"the shell client needs {', '.join(MISSING)}: apt-get install socat util-linux",
)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_bot_in_sh(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    results = played((shell, BOT), lock="dir")
    assert not told(results), told(results)


def test_one_copy_in_python_and_one_in_sh() -> None:
    results = played((*MIXED_BOT, "sh", BOT), *WITH_TWO, lock="dir")
    assert not told(results), told(results)


LATE = """
. "${0%/*}/handover.sh"
HANDOVER_LOCK_WHEN=window HANDOVER_LOCK_FAIL=closed ho_state=ACTIVE ho_lock=true ho_now=5000
ho_claim() { echo "asked for $1"; return "$answer"; }
handover_apart() { echo "did $2"; }
ho_path=/lock ho_on=false
ho_act
answer=1; ho_carry e1 x
answer=2; ho_carry e2 x; wait
ho_now=6000; ho_carry e3 x; wait
"""


def test_what_is_read_late_is_claimed_though_the_lock_is_off() -> None:
    """For a second; then nothing is asked any more. A lock that does not answer stops nothing."""
    argv = ["sh", "-c", LATE, BOT]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert ran.stdout.split("\n") == ["asked for e1", "asked for e2", "did e2", "did e3", ""]


def test_only_locks_that_a_shell_can_keep(tmp_path: Path) -> None:
    refused = _run(tmp_path, HANDOVER_LOCK="sqlite:")
    assert refused.wait(20) == 78
    assert refused.stderr is not None and b"HANDOVER_LOCK" in refused.stderr.read()
    refused.stderr.close()


def test_killed_by_itself_it_leaves_no_process(tmp_path: Path) -> None:
    """A supervisor may kill the main process alone: locks are free at once, connections closed."""
    bot = _run(tmp_path)
    try:
        _until(lambda: len(_session(bot.pid)) >= 4, "its children run")
        _until((tmp_path / "ctl-bot-1.sock").exists, "it serves control")
    finally:
        bot.kill()
        bot.wait()
    try:
        locks = [str(tmp_path / name) for name in ("active.lock", "alive-bot-1.lock")]
        _until(lambda: all(_is_free(lock) for lock in locks), "its locks are free", 1.0)
        _until(lambda: not _session(bot.pid), "all it started has ended")
    finally:
        for left in _session(bot.pid):
            os.kill(int(left), signal.SIGKILL)
    assert bot.stderr is not None
    bot.stderr.close()


def _run(folder: Path, **variables: str) -> subprocess.Popen[bytes]:
    given = {"HANDOVER_DIR": str(folder), "HANDOVER_ID": "bot-1", "GATEWAY": "127.0.0.1:1"}
    return subprocess.Popen(
        ["sh", BOT], env={**os.environ, **given, **variables}, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def _session(leader: int) -> list[str]:
    """Living processes of its session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[3] == str(leader) and words[0] not in "ZX":
            found.append(stat.parent.name)
    return found


def _is_free(lock: str) -> bool:
    return subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 0


def _until(fits: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < ends, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


TICKING = """
. "${0%/*}/handover.sh"
HANDOVER_DIR= HANDOVER_LOCK= handover_open
"""


def test_nothing_ticks_on_where_broken_pipes_are_no_signal() -> None:
    """Who starts it may ignore SIGPIPE, and a shell cannot have it back."""
    started = subprocess.Popen(
        ["sh", "-c", TICKING, BOT],
        start_new_session=True,
        restore_signals=False,  # Python itself ignores it
        stderr=subprocess.DEVNULL,
    )
    started.wait(10)
    try:
        until = time.monotonic() + 10
        while _is_there(started.pid):
            assert time.monotonic() < until, "something of it goes on"
            time.sleep(0.05)
    finally:
        if _is_there(started.pid):
            os.killpg(started.pid, signal.SIGKILL)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
