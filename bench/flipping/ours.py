"""``gapless run`` over the blocking program.

Started as what it becomes once its configuration is read, on Debian's Python where there is one;
flips are requested on the control socket, by the line that ``gapless flip`` sends.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.flipping.measuring import children
from bench.flipping.target import START_WITHIN, Stuck, Target, python
from bench.results import ROOT
from gapless.supervisor.spec import Listen, Ready, Spec

RESIDENT = ROOT / "src" / "gapless" / "supervisor" / "__main__.py"


class Gapless(Target):
    """The program says when it is ready, and nothing is waited for after that."""

    name = "gapless run"

    @classmethod
    def missing(cls) -> str:
        return "" if RESIDENT.exists() else "the supervisor is not there"

    @staticmethod
    def install() -> None:
        """As an installed one: with byte code. Compiling it would leave its memory larger."""
        argv = [python(), "-m", "compileall", "-q", str(ROOT / "src" / "gapless")]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)

    @property
    def environment(self) -> dict[str, str]:
        return {"GAPLESS_RUN_DIR": str(self.folder)}

    def spec(self) -> Spec:
        """What a configuration of these lines is compiled to."""
        address = f"tcp://{self.address}" if self.port else f"unix://{self.address}"
        return Spec(
            name="bench",
            command=tuple(self.serve("--notify")),
            listen=(Listen("http", address),),
            ready=Ready("notify"),
            start_timeout=START_WITHIN,
            settle=0.0,
            output="inherit",
        )

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        spec = os.memfd_create("spec")
        try:
            os.write(spec, self.spec().to_json().encode())
            return subprocess.Popen(
                [python(), "-I", "-S", str(RESIDENT), "--spec", str(spec)],
                cwd=ROOT, env={**os.environ, **self.environment}, pass_fds=(spec,),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(spec)

    @property
    def own(self) -> list[int]:
        """With the guard."""
        return [self.pid, *self._guards]

    def start(self) -> None:
        super().start()
        until = time.monotonic() + START_WITHIN
        while self.told("status", 5)["state"] != "idle":
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not become idle:\n{self.words()}")
            time.sleep(0.02)
        copies = self.times.serving()
        self._guards = [pid for pid in children(self.pid) if pid not in copies]

    def ask(self) -> None:
        self.told("flip", START_WITHIN + 5)

    def told(self, verb: str, seconds: float) -> Any:
        """The reply; raises Stuck when it says that something failed."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(seconds)
            control.connect(str(self.control))
            control.sendall(json.dumps({"verb": verb, "wait": True}).encode() + b"\n")
            line = control.makefile().readline()
        if not line:
            raise Stuck(f"no reply to {verb}: {self.words()}")
        reply = json.loads(line)
        if not reply.get("ok", True):
            raise Stuck(f"{reply['what']} {reply.get('evidence', '')}")
        return reply

    @property
    def control(self) -> Path:
        """Its socket."""
        return self.folder / "bench" / "control.sock"
