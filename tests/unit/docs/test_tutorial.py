"""The tutorial, followed to the letter on real hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.tutorial.prepare import prepare
from tests.lab import Lab, LabHost

from .pages import ROOT, blocks

PAGE = ROOT / "docs" / "tutorial" / "first-rollout.md"
_CODE = re.compile(r"# exit code (\d+)$")


def _lines() -> list[str]:
    """What a reader types once the shop is prepared, without the clean-up; what begins in the
    background goes with the line that ends it."""
    found = [block.text.splitlines() for block in blocks("sh") if block.page == PAGE]
    typed = "\n".join(line for lines in found[2:-1] for line in lines)
    return typed.replace(" &\n", " & ").splitlines()


@pytest.mark.timeout(300)
def test_every_line_of_the_tutorial_ends_as_it_says(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    prepare(hosts[:3], lab.keys, tmp_path)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GAPLESS_STATE": str(tmp_path / "state"),
    }
    told = []
    for line in (line.replace("127.0.1.1", hosts[0].address) for line in _lines()):
        wanted = int(match[1]) if (match := _CODE.search(line)) else 0
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        status = 128 - done.returncode if done.returncode < 0 else done.returncode
        assert status == wanted, f"{line}\n{done.stdout}\n{done.stderr}"
        told.append(done.stdout + done.stderr)
    assert "unhealthy" in "".join(told)
    assert versions(hosts[:3]) == {"2"}


def versions(hosts: list[LabHost]) -> set[str]:
    """What the hosts really answer."""
    found = set()
    for host in hosts:
        answer = host.run(["curl", "-s", f"http://{host.address}:3001/health"]).stdout
        match = re.search(r'"version": "(\w+)"', answer)
        found.add(match[1] if match else answer)
    return found


def test_the_configuration_shown_is_the_one_that_is_written(tmp_path: Path) -> None:
    from docs.tutorial.prepare import TEMPLATE

    shown = next(block.text for block in blocks("yaml") if block.page == PAGE)
    written = TEMPLATE.format(hosts="  h[1:3]: {user: deploy, groups: web}", store=3100, api=3001)
    assert shown == written
