"""Three real copies of a service on this machine behind a real HAProxy, and the real command line.

Each copy has an address of its own and a "host" that is a state folder. A test can stop the world
for a moment while a copy is being replaced, and do to HAProxy what it likes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.haproxy import HAProxy, HAProxySettings
from tests.ports import free_port
from tests.supervisor.rig import serve, until

HOSTS = {"h1": "127.0.91.1", "h2": "127.0.91.2", "h3": "127.0.91.3"}
CTL = """\
runs() { [ -e run/$1 ] && kill -0 $(cat run/$1) 2> /dev/null; }
case $1 in
  start) runs $2 && exit 0
    setsid $PROGRAM --bind $3 < /dev/null >> log 2>&1 &
    echo $! > run/$2 ;;
  stop) if [ -e hold.$2 ]; then : > held; while [ -e hold.$2 ]; do sleep 0.02; done; fi
    runs $2 && kill $(cat run/$2)
    while runs $2; do sleep 0.02; done
    rm -f run/$2 ;;
  status) runs $2 && cat run/$2 ;;
esac
"""
CONFIG = """\
project: pool
hosts:
{hosts}
balancers:
  edge:
    haproxy: {{socket: {folder}/lb/admin.sock, backend: shop}}
    drain_timeout: 3s
    admit_timeout: 5s
services:
  api:
    on: [h1, h2, h3]
    command:
      start: sh {folder}/ctl start {{name}} {{address}}:{port}
      stop: sh {folder}/ctl stop {{name}}
      status: sh {folder}/ctl status {{name}}
      timeout: 20s
    soak: 100ms
    health: {{http: "http://{{address}}:{port}/health", timeout: 5s, interval: 50ms}}
    balancer: edge
"""


@dataclass
class Proxied:
    """``folder`` holds gapless.yaml, what runs, and HAProxy with its socket."""

    folder: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        program = f"PROGRAM='{' '.join(serve('--linger', '0.1'))}'"
        (self.folder / "ctl").write_text(f'cd "{self.folder}" || exit 9\n{program}\n{CTL}')
        (self.folder / "run").mkdir()
        place = "transport: local, sudo: false"
        lines = [
            f"  {name}: {{{place}, address: {address}, state_dir: {self.folder}/hosts/{name}}}"
            for name, address in HOSTS.items()
        ]
        text = CONFIG.format(folder=self.folder, hosts="\n".join(lines), port=self.port)
        (self.folder / "gapless.yaml").write_text(text)
        servers = {name: f"{address}:{self.port}" for name, address in HOSTS.items()}
        settings = HAProxySettings(check=50)
        self.haproxy = HAProxy(self.folder / "lb", servers, settings=settings)
        self._liar: socket.socket | None = None

    def start(self) -> None:
        """All three run and are up."""
        for name, address in HOSTS.items():
            argv = ["sh", f"{self.folder}/ctl", "start", name, f"{address}:{self.port}"]
            subprocess.run(argv, check=True)
        self.haproxy.start()
        self.haproxy.wait_up()

    def end(self) -> None:
        """Nothing is left."""
        (self.folder / "hold.h2").unlink(missing_ok=True)
        self.haproxy.stop()
        if self._liar is not None:
            self._liar.close()
        for name in self.copies():
            with suppress(ProcessLookupError):
                os.kill(self.copies()[name], signal.SIGKILL)

    def copies(self) -> dict[str, int]:
        """The process number of each copy that was started and not stopped."""
        files = sorted((self.folder / "run").iterdir())
        return {file.name: int(file.read_text()) for file in files}

    def gapless(self, *words: str, code: int, meanwhile: Callable[[], None] | None = None) -> str:
        """Run ``gapless``; its screen as one line. ``meanwhile`` is done right before h2, out of
        traffic, is stopped."""
        hold = self.folder / "hold.h2"
        if meanwhile is not None:
            hold.touch()
        environment = {**os.environ, "GAPLESS_STATE": f"{self.folder}/state", "NO_COLOR": "1"}
        program = "import sys; from gapless.cli.main import run; sys.exit(run())"
        running = subprocess.Popen(
            [sys.executable, "-c", program, *words], cwd=self.folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            if meanwhile is not None:
                held = self.folder / "held"
                until(lambda: held.exists() or running.poll() is not None, "h2 is to be stopped")
                meanwhile()
                hold.unlink()
            told, _ = running.communicate(timeout=60)
        finally:
            hold.unlink(missing_ok=True)
            running.kill()
            running.wait()
        assert running.returncode == code, f"exit {running.returncode}\n{told}"
        return " ".join(told.split())

    def restart_haproxy(self) -> None:
        """Another process, which knows nothing of what the first one was told."""
        self.haproxy.stop()
        self.haproxy.start()

    def lie(self) -> None:
        """Somebody else answers on HAProxy's socket."""
        self.haproxy.stop()
        self.haproxy.socket.unlink(missing_ok=True)
        self._liar = socket.socket(socket.AF_UNIX)
        self._liar.bind(str(self.haproxy.socket))
        self._liar.listen()
        threading.Thread(target=self._answer, args=(self._liar,), daemon=True).start()

    def tell_the_truth(self) -> None:
        """HAProxy is back."""
        if self._liar is not None:
            self._liar.close()
            self._liar = None
        self.haproxy.socket.unlink(missing_ok=True)
        self.haproxy.start()
        self.haproxy.wait_up()

    @staticmethod
    def _answer(liar: socket.socket) -> None:
        with suppress(OSError):
            while True:
                asked, _ = liar.accept()
                with asked, suppress(OSError):
                    asked.recv(4096)
                    asked.sendall(b"xyzzy\n\n")
