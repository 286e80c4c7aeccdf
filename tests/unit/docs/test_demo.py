"""``make demo`` shows what it promises, to anybody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
