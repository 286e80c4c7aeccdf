"""The demo's two tiers on this machine: a store, and an API that asks it."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

SERVICE = Path(__file__).with_name("service.py")
NAMES = ("shop.store", "shop.api")
CONFIG = """\
project: demo
hosts:
  here: {{transport: local, sudo: false, state_dir: {folder}/host}}
defaults:
  soak: 500ms
services:
  shop.store:
    on: here
    process:
      command: python3 service.py store
      directory: {folder}/releases/{store}
      listen: 127.0.0.1:{store_port}
      ready: {{http: "probe:/health", body: '"healthy"', timeout: 1s}}
      start_timeout: 3s
      settle: 500ms
    health: {{http: "http://127.0.0.1:{store_port}/health", expect: {{json: {{status: healthy}}}}}}
  shop.api:
    on: here
    after: shop.store
    process:
      command: python3 service.py api
      directory: {folder}/releases/{api}
      environment: {{STORE: "http://127.0.0.1:{store_port}/"}}
      listen: 127.0.0.1:{api_port}
      ready: {{http: "probe:/health", body: '"healthy"', timeout: 1s}}
      start_timeout: 3s
      settle: 500ms
    health: {{http: "http://127.0.0.1:{api_port}/health", expect: {{json: {{status: healthy}}}}}}
prove: {{url: "http://127.0.0.1:{api_port}/", rate: 100}}
"""


@dataclass
class Tiers:
    """Everything lies in ``folder``, and goes with it."""

    folder: Path
    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(NAMES, "1"))

    def __post_init__(self) -> None:
        self._ports = (_free_port(), _free_port())
        self.publish("1")
        self.write()

    @property
    def url(self) -> str:
        """The front door."""
        return f"http://127.0.0.1:{self._ports[1]}/"

    def publish(self, version: str, behaviour: str = "ok") -> None:
        """A release: the program and what it is."""
        release = self.folder / "releases" / version
        release.mkdir(parents=True)
        shutil.copy(SERVICE, release)
        (release / "release.env").write_text(f"VERSION={version}\nBEHAVIOUR={behaviour}\n")

    def choose(self, name: str, version: str) -> None:
        """What gapless.yaml says is to run."""
        self.versions[name] = version
        self.write()

    def write(self) -> None:
        """gapless.yaml as it is now."""
        store, api = (self.versions[name] for name in NAMES)
        store_port, api_port = self._ports
        (self.folder / "gapless.yaml").write_text(
            CONFIG.format(
                folder=self.folder, store=store, api=api, store_port=store_port, api_port=api_port
            )
        )


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
