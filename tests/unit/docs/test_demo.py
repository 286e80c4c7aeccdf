"""``make demo`` shows what it promises, to anybody."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo import ports

from .pages import ROOT

LIMIT = 150.0
"""Half a minute where nothing else runs."""


@pytest.mark.timeout(200)
def test_the_demo_loses_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, text=True, timeout=LIMIT, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    told = done.stdout
    assert done.returncode == 0, told
    assert told.count("requests sent, 0 failed, longest silence") == 4, "events and screens of two"
    assert re.findall(r"answered by (.*)", told) == re.findall(r"answered by (v1: [\d,]+)", told)
    assert told.index("shop.store batch1: here") < told.index("shop.api batch1: here")
    assert "now     shop.store  started: here" in told
    assert "not flipped: not ready after 3 s" in told
    assert "was not touched and serves on" in told
    assert not list(tmp_path.iterdir()), "everything is removed"
    assert not _mention(str(tmp_path)), "nothing of it runs"


@pytest.mark.timeout(200)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """While its services run and gapless works."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "demo"], cwd=ROOT, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert demo.stdout is not None
    for line in demo.stdout:
        if "shop.store  switched" in line:
            break
    demo.send_signal(number)
    told, _ = demo.communicate(timeout=LIMIT)
    assert demo.returncode == 128 + number
    assert told.endswith("── The demo was interrupted; all that it started is ended and removed.\n")
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())
    assert not _mention(str(tmp_path))


@pytest.mark.timeout(200)
@pytest.mark.parametrize("again", [False, True])
def test_a_demo_whose_port_is_taken(tmp_path: Path, *, again: bool) -> None:
    """It tries others; when that does not help it ends with a sentence."""
    script = f"""
import sys
from demo import __main__ as demo, ports
free, calls = ports.free, []
def taken(count):
    calls.append(count)
    return free(count) if {again} and len(calls) > 1 else [int(sys.argv[1]), *free(count)][:count]
ports.free = taken
demo.show = lambda tiers: True
sys.exit(demo.main())
"""
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = subprocess.run(
            [sys.executable, "-c", script, str(other.getsockname()[1])], cwd=ROOT, text=True,
            env={**os.environ, "TMPDIR": str(tmp_path), "NO_COLOR": "1"}, timeout=LIMIT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    assert done.returncode == (0 if again else 1), done.stdout
    assert "One of the ports is taken; again with others:" in done.stdout
    assert ("The first start failed" in done.stdout) is not again
    assert "Traceback" not in done.stdout
    assert not list(tmp_path.iterdir())
    assert not _mention(str(tmp_path))


def test_ports_of_the_demo_are_given_to_nobody_else() -> None:
    lowest = int(ports.RANGE.read_text().split()[0])
    found = ports.free(4)
    assert len(set(found)) == 4
    if lowest > 2 * ports.LOWEST:
        assert max(found) < lowest


def _mention(text: str) -> list[str]:
    """Processes whose command or environment names it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in told:
            found.append(process.name)
    return found
