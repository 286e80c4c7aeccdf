"""The guard itself is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor import processes
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
    guard, copy = guard_of(rig), rig.active()
    os.kill(guard, signal.SIGSTOP)
    try:
        rig.signal(signal.SIGKILL)
        rig.ended()
        until(lambda: processes.session(copy) == -1, "the end of the copy")
    finally:
        os.kill(guard, signal.SIGCONT)
    rig.nobody_left()
