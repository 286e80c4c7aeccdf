"""Twelve ways a release can be broken, each under load: no request is lost, who asked hears of it
within the limit, and nothing is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gapless.supervisor.spec import Ready, Stop
from tests.supervisor.load import loading
from tests.supervisor.rig import Rig, serve, until

Web = Callable[..., Rig]

START, SETTLE, STOP = 3.0, 1.0, 1.0
LIMIT = START + SETTLE + STOP + 3.0
"""Seconds within which an answer has to come, on a busy machine."""
INSTANT = 0.1
"""Seconds within which all clients notice that a process is dead."""
PROBED = Ready("http", target="probe:/health", interval=0.05, timeout=0.5)
HANGING = Ready(
    "command", interval=0.05, timeout=0.5,
    command=("/bin/sh", "-c", 'test "$GAPLESS_GENERATION" -lt 3 || (sleep 1000; true)'),
)  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "import error": ("import-error", {}, "it ended with status 1 before it was ready"),
    "exit 0": ("exit-zero", {}, "it ended with status 0 before it was ready"),
    "crash within settle": ("crash-in-settle:0.3", {}, "it ended with status 1 while it settled"),
    "hang": ("hang", {}, "not ready after 3 s"),
    "never ready": ("never-ready", {}, "not ready after 3 s"),
    "wrong port": ("wrong-port", {}, "not ready after 3 s"),
    "check hangs": ("", {"ready": HANGING}, "not ready after 3 s"),
    "killed for memory": ("oom", {}, "it was killed by SIGKILL before it was ready"),
    "ignores TERM": ("never-ready,ignores-term", {}, "not ready after 3 s"),
    "forks away": ("forks-away:0.1", {}, "it ended with status 0 before it was ready"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_release(web: Web, tmp_path: Path, kind: str) -> None:
    behaviour, changes, what = KINDS[kind]
    rig = web(
        **{"ready": PROBED, "probe": "tcp", "start_timeout": START, "settle": SETTLE,
           "stop": Stop(timeout=STOP), **changes},
    )  # fmt: skip
    rig.start()
    assert rig.flip()["ok"]
    rig.publish("2", behaviour)
    refused(rig, what, killed="ignores-term" in behaviour)


def test_a_missing_binary(web: Web, tmp_path: Path) -> None:
    program = tmp_path / "app"
    program.write_text(f"#!/bin/sh\nexec {' '.join(serve('--notify'))}\n")
    program.chmod(0o755)
    rig = web(command=(str(program),), settle=0.1).start()
    program.rename(tmp_path / "gone")
    refused(rig, f"cannot start {program}")


def test_a_bad_config(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("name: web\ncommnd: x\n")
    rig = web(source=str(file), inputs=((str(file), 0, 0),), settle=0.1).start()
    reply = refused(rig, f"{file} is not right")
    assert f"{file}:2:1" in reply["evidence"]


def refused(rig: Rig, what: str, killed: bool = False) -> dict[str, Any]:
    """A flip fails for this reason, and clients saw nothing of it. A copy that accepts before it is
    ready and then does not heed its stop signal is ``killed`` with what it holds at that instant
    (docs/explanation/flip.md), and with nothing else."""
    old, version = rig.active(), rig.version()
    until(lambda: not rig.serves()["draining"])
    before = len(rig.everybody())
    with loading(rig.address, rate=100, connections=8, connect="both") as load:
        began = time.monotonic()
        reply = rig.flip()
        took = time.monotonic() - began
        result = load.end()
    lost = [one["at"] for one in result.examples]
    assert result.failures == 0 or (killed and max(lost) - min(lost) < INSTANT), result
    assert (reply["code"], reply["what"]) == (4, what)
    assert took < LIMIT
    assert (rig.active(), rig.version()) == (old, version)
    until(lambda: len(rig.everybody()) == before, f"the end of {rig.everybody()}")
    return reply
