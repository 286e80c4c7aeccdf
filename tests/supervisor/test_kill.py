"""Kill -9 at every stage: no orphan, no two copies where one is wanted, and the state recovers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from gapless.supervisor.spec import Stop
from tests.supervisor.rig import Rig, until

Web = Callable[..., Rig]
STAGES = ("starting", "checking", "settling", "draining")


def at_stage(web: Web, stage: str) -> tuple[Rig, int, int]:
    """A rig with a flip that stays where it is; old and new process (0: not there yet)."""
    rig = web("--child", "session", "--linger", "60", settle=0.05, stop=Stop(timeout=10.0))
    if stage == "starting":
        # what is slow is the reading of its configuration
        rig.spec = _compiled_slowly(rig)
    rig.start()
    old = rig.active()
    if stage == "checking":
        rig.publish("2", "hang")
    if stage == "settling":
        rig.publish("2")
    if stage == "draining":
        _hold(rig)
        rig.publish("2")
        assert rig.flip()["ok"]
        return rig, old, rig.active()
    rig.asked = rig.ask("flip")  # type: ignore[attr-defined]
    new = 0
    if stage != "starting":
        new = until(lambda: (s := rig.status()) and s["new"] and s["new"]["pid"])
        until(lambda: rig.status()["state"] == stage)  # type: ignore[index]
    else:
        until(lambda: rig.status()["state"] == "starting")  # type: ignore[index]
    return rig, old, new


@pytest.mark.parametrize("stage", STAGES)
def test_the_supervisor_is_killed(web: Web, stage: str) -> None:
    rig, _, _ = at_stage(_settling(web, stage), stage)
    rig.signal(signal.SIGKILL)
    rig.ended()
    rig.nobody_left()
    rig.publish("3")
    rig.start()
    assert rig.version() == "3"
    rig.publish("4")
    if stage != "starting":
        assert rig.flip()["ok"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_old_copy_is_killed(web: Web, stage: str) -> None:
    rig, old, new = at_stage(_settling(web, stage), stage)
    os.kill(old, signal.SIGKILL)
    if stage in ("settling", "draining"):
        until(lambda: rig.active() == new)
        until(lambda: len(rig.everybody()) == 4, "supervisor, guard, the new copy and its child")
        assert rig.version() == "2"
        return
    if stage == "checking":
        until(lambda: (s := rig.status()) and s["active"] is None)
        os.kill(new, signal.SIGKILL)
    # a configuration that is never read is given up after 30 s
    assert rig.asked.reply(40)["code"] == 5  # type: ignore[attr-defined]
    assert rig.ended() == 137
    rig.nobody_left()


@pytest.mark.parametrize("stage", STAGES[1:])
def test_the_new_copy_is_killed(web: Web, stage: str) -> None:
    rig, old, new = at_stage(_settling(web, stage), stage)
    os.kill(new, signal.SIGKILL)
    if stage == "draining":
        assert rig.ended(40) == 137, "the old one drains to its end, and that is the end"
        rig.nobody_left()
        return
    reply = rig.asked.reply()  # type: ignore[attr-defined]
    assert reply["code"] == 4
    assert "was killed by SIGKILL" in reply["what"]
    assert rig.active() == old
    until(lambda: len(rig.everybody()) == 4, "supervisor, guard, the old copy and its child")
    assert rig.version() == "1"


def _settling(web: Web, stage: str) -> Web:
    if stage != "settling":
        return web

    def made(*flags: str, **changes: object) -> Rig:
        return web(*flags, **{**changes, "settle": 4.0})

    return made


def _compiled_slowly(rig: Rig):  # type: ignore[no-untyped-def]
    """Its configuration is a pipe that nobody writes to: it is read for ever."""
    from dataclasses import replace

    fifo = rig.folder / "web.yaml"
    os.mkfifo(fifo)
    return replace(rig.spec, source=str(fifo), inputs=((str(fifo), 0, 0),))


def _hold(rig: Rig) -> None:
    import socket

    host, _, port = rig.address.rpartition(":")
    rig.held = socket.create_connection((host, int(port)), timeout=10)  # type: ignore[attr-defined]
    rig.held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # type: ignore[attr-defined]
    assert rig.held.recv(4096)  # type: ignore[attr-defined]
