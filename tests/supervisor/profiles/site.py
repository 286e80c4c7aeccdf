"""A run file of a page, run and flipped by the real command line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gapless.supervisor import processes, rundir
from tests.supervisor.rig import LIMIT, Asked, until

GAPLESS = Path(sys.executable).with_name("gapless")
MARK = b"PROFILE_FOLDER="


class Site:
    """One supervised server."""

    def __init__(self, folder: Path, run_file: Path, variables: Mapping[str, str]) -> None:
        self.folder, self.run_file = folder, run_file
        self.environment = {
            **os.environ,
            "PROFILE_FOLDER": f"{folder}",
            **variables,
        }
        self.copies: set[int] = set()
        """Every copy there ever was leads a session."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Until it serves."""
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                [GAPLESS, "run", "-c", self.run_file], cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        until(self._serves, "the first copy")

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output()
        told = self.status()
        return bool(told and told["active"] and told["state"] == "idle")

    def gapless(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another call of the command line."""
        return subprocess.run(
            [GAPLESS, *words], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    def flip(self) -> subprocess.CompletedProcess[str]:
        """And wait for the outcome."""
        return self.gapless("flip", self.run_file.stem)

    def status(self) -> dict[str, Any]:
        """{} while it cannot be asked."""
        with contextlib.suppress(LookupError, OSError, AssertionError):
            connected = rundir.connect(self.run_file.stem)
            connected.sendall(b'{"verb": "status"}\n')
            told = Asked(connected).reply()
            copies = [told["active"], told["new"], *told["draining"]]
            self.copies |= {copy["pid"] for copy in copies if copy and copy["pid"]}
            return told
        return {}

    def drained(self) -> None:
        """Until no old copy is left."""
        until(lambda: (told := self.status()) and not told["draining"], "the old copies' end")

    def end(self) -> int:
        """TERM to the supervisor; its exit code."""
        assert self.process is not None
        self.status()
        self.process.terminate()
        return self.process.wait(LIMIT)

    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    def left(self) -> list[int]:
        """Living processes that it or its copies started; some write over their environment."""
        ours = MARK + os.fsencode(self.folder)
        return [
            pid
            for pid in processes.everybody()
            if processes.session(pid) in self.copies or _has(pid, ours)
        ]

    def close(self) -> None:
        """End what a failed test left."""
        if self.process is not None and self.process.poll() is None:
            self.status()
            self.process.kill()
            self.process.wait(LIMIT)
        for pid in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _has(pid: int, variable: bytes) -> bool:
    with contextlib.suppress(OSError):
        return variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False
