"""``gapless pidwatch`` as the first process of a container."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .pidwatch_rig import Rig, children, eventually, missing, status


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.clean()


class TestProcessOne:
    """As the first process of a container."""

    INSIDE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")

    @pytest.fixture(autouse=True)
    def permitted(self) -> None:
        try:
            tried = subprocess.run([*self.INSIDE, "true"], capture_output=True, text=True)
        except FileNotFoundError:
            missing("unshare is not installed")
        if tried.returncode:
            missing(f"no PID namespace can be made here: {tried.stderr.strip()}")

    def first(self, rig: Rig, *command: object, options: tuple[str, ...] = ("--wait", "1")) -> int:
        """Its number outside."""
        rig.start(*command, prefix=self.INSIDE, options=options)
        (pid,) = eventually(lambda: children(rig.pid))
        rig.hold(pid)
        return pid

    def ready(self, rig: Rig, generation: int = 1) -> None:
        """Numbers of the log are of the namespace."""
        wanted = re.compile(rf"^{generation} \d+ ready$", re.M)
        eventually(lambda: wanted.search(self.text(rig)), lambda: self.text(rig) + rig.errors())

    def text(self, rig: Rig) -> str:
        with suppress(FileNotFoundError):
            return (rig.folder / "log").read_text()
        return ""

    def test_it_needs_no_keeper_and_passes_signals_on(self, rig: Rig) -> None:
        first = self.first(rig, *rig.daemon("7"))
        self.ready(rig)
        assert re.search(r"^NSpid:\s+\d+\s+1$", status(first), re.M)
        assert re.search(r"^1 2 ready$", self.text(rig), re.M)
        for name in ("HUP", "USR1", "INT", "WINCH", "TERM"):
            os.kill(first, signal.Signals[f"SIG{name}"])
            eventually(lambda name=name: f" {name}\n" in self.text(rig))
        assert rig.end() == 7
        (rig.folder / "log").unlink()  # the numbers mean others here

    def test_a_signal_from_inside(self, rig: Rig) -> None:
        self.first(
            rig, "sh", "-c", "trap 'exit 5' TERM; kill -TERM 1; while :; do sleep 0.05; done"
        )
        assert rig.end() == 5

    def test_an_upgrade_is_followed(self, rig: Rig) -> None:
        first = self.first(rig, *rig.daemon("0,6"))
        self.ready(rig)
        old = children(first)
        os.kill(first, signal.SIGALRM)
        self.ready(rig, 2)
        (main,) = [pid for pid in old if b"daemon.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(main, signal.SIGTERM)
        eventually(lambda: "follows" in rig.errors(), rig.errors)
        os.kill(first, signal.SIGTERM)
        assert rig.end() == 6
        (rig.folder / "log").unlink()

    def test_everything_is_reaped(self, rig: Rig) -> None:
        script = "i=0; while test $i -lt 20; do setsid sh -c 'sleep 0.05 &'; i=$((i+1)); done;"
        script += f" echo > {rig.folder}/done; exec sleep 1000"
        first = self.first(rig, "sh", "-c", script)
        eventually((rig.folder / "done").exists)
        eventually(lambda: len(children(first)) == 1, lambda: str(children(first)))

    def test_killed_it_takes_everybody_along(self, rig: Rig) -> None:
        first = self.first(rig, *rig.daemon("ignore"))
        self.ready(rig)
        for pid in children(first):
            rig.hold(pid)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not rig.living())
        (rig.folder / "log").unlink()
