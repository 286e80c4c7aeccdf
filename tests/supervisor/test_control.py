"""The control socket: callers that say nothing, say nonsense, or do not listen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor import rundir
from tests.supervisor.rig import PYTHON, Rig, serve, until

Web = Callable[..., Rig]

SOON = 6.0


@pytest.mark.parametrize(
    "sent", [b"[" * 4000, b"\xff\xfe", b"{}", b'{"verb": []}', b"[]", b"1e999"]
)
def test_garbage_is_answered(web: Web, sent: bytes) -> None:
    rig = web().start()
    with rundir.connect("web") as to:
        to.sendall(sent + b"\n")
        to.settimeout(SOON)
        assert json.loads(to.recv(65536))["ok"] is False
    assert rig.status()


def test_connections_without_a_request_cost_nobody_anything(web: Web) -> None:
    """More than there are descriptors: flips go on, nothing spins."""
    rig = web().start(wrapper=("prlimit", "--nofile=64:64"))
    held = []
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(0.2)
            with contextlib.suppress(OSError):
                one.connect(str(rig.folder / "run" / "web" / rundir.CONTROL))
                held.append(one)
        assert len(held) > 64
        rig.publish("2")
        rig.signal(signal.SIGHUP)
        until(lambda: rig.version() == "2", limit=5.0)
        before = _cpu(rig.pid)
        time.sleep(1.0)
        assert _cpu(rig.pid) - before < 0.5
    assert rig.flip()["ok"]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.alone
def test_callers_that_do_not_listen_hold_up_nobody(web: Web, tmp_path: Path) -> None:
    """A long answer, to many who never read it."""
    last_words = tmp_path / "last.py"
    last_words.write_text(
        "import os, sys\nfor _ in range(40): os.write(2, b'\\xff' * 4000 + b'\\n')\nsys.exit(1)\n"
    )
    program = tmp_path / "app"
    program.write_text(f"#!/bin/sh\nexec {' '.join(serve('--notify'))}\n")
    program.chmod(0o755)
    rig = web(command=(str(program),), output="relay").start()
    program.write_text(f"#!/bin/sh\nexec {' '.join((*PYTHON, str(last_words)))}\n")
    assert rig.flip()["code"] == 4
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            deaf = stack.enter_context(rundir.connect("web"))
            deaf.sendall(b'{"verb": "status"}\n')
        began = time.monotonic()
        assert rig.status()
        assert time.monotonic() - began < 2.0


def test_who_comes_late_hears_what_came_of_the_last_flip(web: Web) -> None:
    rig = web().start()
    assert rig.ask("wait").reply()["code"] == 0
    rig.publish("2", "import-error")
    told = rig.flip()
    late = rig.ask("wait").reply()
    assert late == told
    assert late["code"] == 4
    rig.publish("3")
    assert rig.flip()["ok"]
    assert rig.ask("wait").reply()["generation"] == 3
