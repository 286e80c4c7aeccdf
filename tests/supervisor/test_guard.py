"""The guard itself is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor import guard, processes
from tests.supervisor.rig import Rig, until

Web = Callable[..., Rig]


def guard_of(rig: Rig) -> int:
    """The child of the supervisor that is no copy."""
    text = Path(f"/proc/{rig.pid}/task/{rig.pid}/children").read_text()
    return next(int(word) for word in text.split() if int(word) != rig.active())


@pytest.mark.parametrize("then", ["flip", "stop"])
def test_the_guard_is_killed(web: Web, then: str) -> None:
    rig = web("--child", "session").start()
    killed = guard_of(rig)
    os.kill(killed, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{killed}"))
    if then == "flip":
        assert rig.flip()["ok"]
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    rig.nobody_left()


def test_a_guard_that_was_killed_is_replaced(web: Web) -> None:
    rig = web("--child", "session").start()
    killed = guard_of(rig)
    os.kill(killed, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{killed}"))
    until(lambda: len(rig.everybody()) == 4, "another guard", 5.0)
    rig.signal(signal.SIGKILL)
    rig.ended()
    rig.nobody_left()


def test_a_copy_ends_with_the_supervisor_when_the_guard_does_nothing(web: Web) -> None:
    """The kernel sees to that; the guard is there for what the copy had started."""
    rig = web().start()
    guarding, copy = guard_of(rig), rig.active()
    os.kill(guarding, signal.SIGSTOP)
    try:
        rig.signal(signal.SIGKILL)
        rig.ended()
        until(lambda: processes.session(copy) == -1, "the end of the copy")
    finally:
        os.kill(guarding, signal.SIGCONT)
    rig.nobody_left()


def test_what_waits_is_small_and_knows_nothing_by_itself(web: Web) -> None:
    """A shell; and descriptors that nobody else would miss."""
    rig = web().start()
    waiting = Path(f"/proc/{guard_of(rig)}")
    until(lambda: (waiting / "comm").read_text() == "sh\n", "the shell")
    assert sorted(os.listdir(waiting / "fd")) == ["0", "3"]
    sizes = (waiting / "smaps_rollup").read_text()
    private = sum(map(int, re.findall(r"Private_\w+: +(\d+)", sizes)))
    assert private < 512, "KiB"


@pytest.mark.parametrize("shell", ["/bin/sh", "/nonexistent"])
@pytest.mark.parametrize("how", ["session", "mark", "forgotten", "dismissed"])
def test_what_is_left_is_ended(monkeypatch: pytest.MonkeyPatch, shell: str, how: str) -> None:
    monkeypatch.setattr(guard, "SHELL", shell)
    run = os.urandom(8).hex()
    marks = {processes.MARK: f"{run}-1"} if how == "mark" else {}
    left = subprocess.Popen(["sleep", "60"], start_new_session=True, env={**os.environ, **marks})
    posted = guard.Guard.posted(run)
    try:
        if how != "mark":
            for session in (1 << 30, left.pid, left.pid):
                posted.knows(session)
        if how == "forgotten":
            posted.forgets(left.pid)
        if how == "dismissed":
            posted.dismiss()
        else:
            os.close(posted.write)
            os.waitpid(posted.pid, 0)
        if how in ("forgotten", "dismissed"):
            assert left.poll() is None
        else:
            assert left.wait(5) == -signal.SIGKILL
    finally:
        left.kill()
        left.wait()
