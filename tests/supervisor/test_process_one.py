"""As process 1 of a container: signals without a default action, and orphans of anybody."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.supervisor.rig import Rig, until

Web = Callable[..., Rig]

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def one(web: Web, *flags: str, **changes: object) -> Rig:
    """A supervisor that is process 1 of a namespace."""
    probe = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    if not shutil.which("unshare") or probe.returncode:
        pytest.skip(f"no namespaces here: {probe.stderr.decode().strip()}")
    rig = web(*flags, **changes).start(wrapper=UNSHARE)
    assert rig.status()["pid"] == 1  # type: ignore[index]
    return rig


def inside(rig: Rig) -> int:
    """Its number out here."""
    children = Path(f"/proc/{rig.pid}/task/{rig.pid}/children").read_text().split()
    return int(children[0])


def test_it_flips_and_stops(web: Web) -> None:
    rig = one(web, "--child", "session")
    rig.publish("2")
    assert rig.flip()["ok"]
    assert rig.version() == "2"
    os.kill(inside(rig), signal.SIGHUP)
    until(lambda: rig.serves()["flips"] == 2)
    os.kill(inside(rig), signal.SIGTERM)
    assert rig.ended() == 0
    rig.nobody_left()


def test_everybody_is_buried(web: Web) -> None:
    """Also what was left to process 1 by somebody it never started."""
    rig = one(web, "--child", "session")
    for _ in range(3):
        assert rig.flip()["ok"]
    until(lambda: not rig.serves()["draining"])
    number = inside(rig)
    children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    states = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in children
    ]
    assert "Z" not in states


def test_killed_it_takes_all_along(web: Web) -> None:
    rig = one(web, "--child", "session")
    os.kill(inside(rig), signal.SIGKILL)
    rig.ended()
    rig.nobody_left()


def test_it_replaces_itself(web: Web, tmp_path: Path) -> None:
    from tests.supervisor.test_upgrade import installed, upgrade

    rig, folder = installed(web, tmp_path)
    one(lambda *_, **__: rig)
    upgrade(folder, 1)
    assert rig.flip()["ok"]
    assert rig.serves()["pid"] == 1
