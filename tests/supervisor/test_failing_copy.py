"""A new copy has failed, and is still on its way out."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from gapless.supervisor.spec import Stop
from tests.supervisor.rig import Rig, serve, until

Web = Callable[..., Rig]

FAILS_SLOWLY = "never-ready,ignores-term"


def failing(web: Web, seconds: float = 2.0) -> Rig:
    """A rig with a new copy that has failed and is still being stopped; ``asked`` waits for it."""
    rig = web(start_timeout=0.4, stop=Stop(timeout=seconds)).start()
    rig.publish("2", FAILS_SLOWLY)
    rig.asked = rig.ask("flip")  # type: ignore[attr-defined]
    until(lambda: (s := rig.status()) and any(d["generation"] == 2 for d in s["draining"]))
    return rig


def test_who_asks_while_a_failed_copy_stops_hears_of_another_flip(web: Web) -> None:
    rig = failing(web)
    rig.publish("3")
    later = rig.ask("flip")
    first = rig.asked.reply()  # type: ignore[attr-defined]
    assert (first["code"], first["generation"]) == (4, 2)
    second = later.reply()
    assert (second["ok"], second["generation"]) == (True, 3)


def test_a_flip_whose_copy_still_stops_is_not_over(web: Web) -> None:
    rig = failing(web)
    assert rig.status()["state"] != "idle"  # type: ignore[index]
    assert rig.ask("wait").reply()["code"] == 4


def test_the_served_copy_ends_while_a_failed_one_stops(web: Web) -> None:
    rig = failing(web)
    os.kill(rig.active(), signal.SIGKILL)
    assert rig.ended() == 137, "the status is that of the copy that served"


def test_a_stop_while_a_failed_copy_stops(web: Web) -> None:
    rig = failing(web)
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0, "the status is that of the copy that served"


def descriptors(rig: Rig) -> int:
    return len(os.listdir(f"/proc/{rig.pid}/fd"))


def test_starts_that_fail_leave_no_descriptors(web: Web, tmp_path: Path) -> None:
    program = tmp_path / "app"
    program.write_text(f"#!/bin/sh\nexec {' '.join(serve('--notify'))}\n")
    program.chmod(0o755)
    rig = web(command=(str(program),), output="relay").start()
    assert rig.ask("wait").reply()["code"] == 0
    program.unlink()
    assert rig.flip()["code"] == 4
    before = descriptors(rig)
    for _ in range(5):
        assert rig.flip()["code"] == 4
    until(lambda: descriptors(rig) <= before, "no more than after the first")
