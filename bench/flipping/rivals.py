"""The others, each as its own documents say it is to be used.

gunicorn, uvicorn and granian come from PyPI into the same environment as the other peers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.flipping.target import Target
from bench.loopback import peers

PACKAGES = ("gunicorn>=23", "uvicorn>=0.51", "granian>=2.5")


@cache
def install() -> str:
    """Put the servers into the environment of the peers; why that is not possible, or ""."""
    tools = peers.folder() / "bin"
    if all((tools / name).exists() for name in ("gunicorn", "uvicorn", "granian")):
        return ""
    try:
        if not (tools / "pip").exists():
            subprocess.run([sys.executable, "-m", "venv", str(peers.folder())], check=True)
        pip = [str(tools / "pip"), "install", "-q", *PACKAGES]
        subprocess.run(pip, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return str(getattr(error, "stderr", "") or error).strip().splitlines()[-1]
    return ""


class StartServer(Target):
    """Server::Starter; waits a second before it counts a new copy as good."""

    name = "start_server HUP"

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which("start_server") else "needs Debian's libserver-starter-perl"

    def command(self) -> list[str]:
        place = ["--port", self.address] if self.port else ["--path", self.address]
        return ["start_server", *place, "--", *self.serve("--from", "server-starter")]


class _FromPyPI(Target):
    @classmethod
    def missing(cls) -> str:
        return install()

    def tool(self, name: str) -> str:
        return str(peers.folder() / "bin" / name)


class Gunicorn(_FromPyPI):
    """Two workers of eight threads, which keep connections alive."""

    name = "gunicorn HUP"

    def command(self) -> list[str]:
        place = self.address if self.port else f"unix:{self.address}"
        shape = ["--workers", "2", "--worker-class", "gthread", "--threads", "8"]
        return [self.tool("gunicorn"), *shape, "--bind", place, "bench.flipping.app:wsgi()"]


class Uvicorn(_FromPyPI):
    """Two workers, restarted one after the other."""

    name = "uvicorn HUP"

    def command(self) -> list[str]:
        place = ["--port", str(self.port)] if self.port else ["--uds", self.address]
        quiet = ["--no-access-log", "--lifespan", "on"]
        app = "bench.flipping.app:asgi"
        return [self.tool("uvicorn"), "--workers", "2", *quiet, *place, app]


class Granian(_FromPyPI):
    """Two workers, restarted one after the other."""

    name = "granian HUP"

    def command(self) -> list[str]:
        place = ["--port", str(self.port)] if self.port else ["--uds", self.address]
        shape = ["--interface", "asgi", "--workers", "2"]
        return [self.tool("granian"), *shape, *place, "bench.flipping.app:asgi"]


_PSFLIP = """\
cmd: [sh, -c, 'rm -f ready.$0; exec "$@" --ready-file ready.$0', '{{{{ AB "a" "b" }}}}', {words}]
pidfile: psflip.pid
healthcheck: {{command: {{cmd: [test, -e, 'ready.{{{{ AB "a" "b" }}}}'], interval: 50ms}}}}
"""


class Psflip(Target):
    """The program shares its port, or renames its path over the old one's."""

    name = "psflip HUP"

    @classmethod
    def missing(cls) -> str:
        return "" if os.environ.get("PSFLIP") else "PSFLIP names no binary"

    def command(self) -> list[str]:
        shared = ["--bind", self.address, "--reuseport"] if self.port else ["--unix", self.address]
        words = ", ".join(f"'{word}'" for word in self.serve(*shared))
        (self.folder / "psflip.yaml").write_text(_PSFLIP.format(words=words))
        # an absolute path to its configuration is taken as relative
        line = f'cd "{self.folder}" && exec "$PSFLIP" -c psflip.yaml'
        return ["sh", "-c", line]

    @property
    def pid(self) -> int:
        """It changes with each flip."""
        try:
            return int((self.folder / "psflip.pid").read_text())
        except (OSError, ValueError):
            return super().pid

    def stop(self) -> None:
        last = Path(f"/proc/{self.pid}/cmdline")
        if last.exists() and b"psflip.yaml" in last.read_bytes():
            os.kill(self.pid, signal.SIGTERM)
        super().stop()


RIVALS: tuple[type[Target], ...] = (StartServer, Gunicorn, Uvicorn, Granian, Psflip)
