"""The end that somebody outside wants, at whatever moment."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gapless.supervisor import children
from gapless.supervisor.loop import Loop
from gapless.supervisor.spec import Stop
from tests.supervisor.rig import Rig, until
from tests.supervisor.scripted import ALIVE, script

Web = Callable[..., Rig]

SOON = 6.0


def said(rig: Rig, what: str) -> None:
    until(lambda: what in rig.output(), what)


def state(rig: Rig, wanted: str) -> None:
    until(lambda: (s := rig.status()) and s["state"] == wanted, wanted)


def reading(web: Web, tmp_path: Path) -> tuple[Rig, Path]:
    """A rig that reads its configuration, which is a pipe that nobody writes to yet."""
    fifo = tmp_path / "web.yaml"
    os.mkfifo(fifo)
    rig = web(source=str(fifo), inputs=((str(fifo), 0, 0),)).start()
    rig.signal(signal.SIGHUP)
    state(rig, "starting")
    return rig, fifo


def test_a_stop_while_the_configuration_is_read(web: Web, tmp_path: Path) -> None:
    rig, _ = reading(web, tmp_path)
    rig.signal(signal.SIGTERM)
    assert rig.ended(SOON) == 0
    rig.nobody_left()


def test_a_stop_while_a_bad_configuration_is_read(web: Web, tmp_path: Path) -> None:
    rig, fifo = reading(web, tmp_path)
    copy = rig.active()
    rig.signal(signal.SIGTERM)
    until(lambda: not os.path.exists(f"/proc/{copy}"))
    with contextlib.suppress(OSError), open(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "w") as to:
        to.write("commnd: x\n")
    assert rig.ended(SOON) == 0


def test_interrupted_in_the_middle_of_a_flip(web: Web) -> None:
    """Ctrl-C means all of it: nothing is left behind it."""
    rig = web(settle=5.0).start(ready=False)
    until(rig.active, limit=15)
    rig.publish("2", "slow-start:1")
    rig.ask("flip")
    until(lambda: rig.status()["new"])  # type: ignore[index]
    rig.signal(signal.SIGINT)
    rig.ended(SOON)
    rig.nobody_left()


SIGNALS = """\
import signal, sys
def told(n, f): print(signal.Signals(n).name, flush=True); n == signal.SIGQUIT and sys.exit(9)
for n in ("TERM", "QUIT", "USR1"): signal.signal(getattr(signal, "SIG" + n), told)
print("hooked", flush=True)
while True: signal.pause()
"""


def hooked(web: Web, tmp_path: Path, **changes: Any) -> Rig:
    changes = {"listen": (), "ready": ALIVE, "settle": 0.0, **changes}
    rig = web(command=script(tmp_path, SIGNALS), **changes).start()
    said(rig, "hooked")
    return rig


def test_signals_are_passed_on_while_it_stops(web: Web, tmp_path: Path) -> None:
    """TERM was not enough: QUIT is told as well, and another TERM."""
    rig = hooked(web, tmp_path, stop=Stop(timeout=8.0))
    rig.signal(signal.SIGTERM)
    said(rig, "SIGTERM")
    rig.signal(signal.SIGQUIT)
    assert rig.ended(SOON) == 9


@pytest.mark.parametrize("changes", [{"stop": Stop(signal=3)}, {"signals": {"15": 3}}])
def test_the_verb_to_stop_uses_the_stop_signal(
    web: Web, tmp_path: Path, changes: dict[str, Any]
) -> None:
    rig = hooked(web, tmp_path, **changes)
    assert rig.ask("stop").reply()["ok"]
    assert rig.ended() == 9


def test_a_stop_from_outside_ends_the_delay(web: Web) -> None:
    """The delay is for those who still come to the old one; nobody does any more."""
    rig = web(stop=Stop(delay=60.0, timeout=2.0)).start()
    assert rig.flip()["ok"]
    rig.signal(signal.SIGTERM)
    assert rig.ended(SOON) == 0


def test_who_waits_while_it_stops_is_answered(web: Web) -> None:
    rig = web(stop=Stop(timeout=3.0))
    rig.publish("1", "ignores-term")
    rig.start()
    rig.signal(signal.SIGTERM)
    state(rig, "stopping")
    assert rig.ask("wait").reply(2.0)["code"] == 5


def test_a_program_that_may_not_be_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has become another user: that is told, and ends nothing."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    all_ = children.Children(Loop())
    child = all_.start(children.Launch(("/bin/sleep", "60"), {}), lambda _: None)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "pidfd_send_signal", refused)
            child.signal(signal.SIGTERM)
    finally:
        child.kill_all()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        all_.reap()


@pytest.mark.parametrize("way", ["flip", "stop"])
def test_a_copy_that_is_killed_at_the_limit_is_told(web: Web, way: str) -> None:
    rig = web(stop=Stop(timeout=1.0))
    rig.publish("1", "ignores-term")
    rig.start()
    told = "generation 1 did not end within 1 s of TERM: killed"
    if way == "flip":
        rig.publish("2")
        assert rig.flip()["ok"]
        until(lambda: rig.serves()["late"] == [told])
    else:
        rig.signal(signal.SIGTERM)
        assert rig.ended() == 137
    assert f"gapless run web: {told}\n" in rig.output()


def test_the_end_of_the_copy_that_serves_is_told(web: Web) -> None:
    rig = web().start()
    os.kill(rig.active(), signal.SIGKILL)
    assert rig.ended() == 137
    assert "gapless run web: generation 1 was killed by SIGKILL\n" in rig.output()
    assert "gapless run web: nothing serves; ending with 137\n" in rig.output()


def test_an_end_that_was_asked_for_is_no_complaint(web: Web) -> None:
    rig = web().start()
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    assert "nothing serves" not in rig.output()
