"""Who else replaces a container of a compose project: both behind Traefik, which reads labels."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.containers.shop import Shop
from tests.ports import free_port

SCRIPT = os.environ.get("DOCKER_ROLLOUT", "")

_CONFIG = """\
entryPoints: {{web: {{address: "127.0.0.1:{door}"}}, traefik: {{address: "127.0.0.1:{api}"}}}}
api: {{insecure: true}}
ping: {{}}
providers: {{docker: {{endpoint: "unix://{socket}", exposedByDefault: false}}}}
"""


class LabelledTraefik:
    """Traefik with its docker provider, as it is after installation."""

    def __init__(self, shop: Shop) -> None:
        self._folder = shop.folder / "traefik"
        self._socket = shop.engine.socket
        self._door, self._api = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its front door."""
        return f"http://127.0.0.1:{self._door}"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        config = self._folder / "traefik.yaml"
        config.write_text(_CONFIG.format(door=self._door, api=self._api, socket=self._socket))
        with (self._folder / "log").open("wb") as log:
            argv = [str(traefik()), "--configFile", str(config)]
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        self._await(time.monotonic() + 20)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _await(self, deadline: float) -> None:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._api}/ping", timeout=2).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def traefik() -> str | None:
    """The program, where there is one."""
    beside = Path(sys.executable).with_name("traefik")
    return str(beside) if beside.exists() else shutil.which("traefik")


def compose_up(shop: Shop) -> None:
    """The old one stops before the new one starts."""
    shop.up()


def docker_rollout(shop: Shop) -> None:
    """Without hook."""
    shop.docker("rollout", "web")


def install(shop: Shop) -> None:
    """The script as a plugin of this engine's client."""
    plugin = shop.engine.folder / "client" / "cli-plugins" / "docker-rollout"
    if not plugin.exists():
        shutil.copy(SCRIPT, plugin)
        plugin.chmod(0o755)


def peers() -> dict[str, Callable[[Shop], None]]:
    """Those that can be run here."""
    known = {"docker compose up -d": compose_up}
    return {**known, "docker-rollout": docker_rollout} if SCRIPT else known
