"""The demo's two tiers on this machine: a store, and an API that asks it.

Both ways of handing over are shown. The copies of the store share one listening socket. The API
listens on a port of its own in each slot, behind the proxy: what has not settled gets no request.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from demo import ports

SERVICE = Path(__file__).with_name("service.py")
NAMES = ("shop.store", "shop.api")
PORTS = ("store_port", "api_port", "port_a", "port_b")
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
      command: "python3 service.py api {{slot:{port_a}|{port_b}}}"
      directory: {folder}/releases/{api}
      environment: {{STORE: "http://127.0.0.1:{store_port}/"}}
      proxy: {{listen: "127.0.0.1:{api_port}", to: "127.0.0.1:{{slot:{port_a}|{port_b}}}"}}
      ready: {{http: "127.0.0.1:{{slot:{port_a}|{port_b}}}/health", body: '"healthy"', timeout: 1s}}
      start_timeout: 3s
      settle: 500ms
    health: {{http: "http://127.0.0.1:{api_port}/health", expect: {{json: {{status: healthy}}}}}}
prove: {{url: "http://127.0.0.1:{api_port}/", rate: 100}}
"""


@dataclass
class Tiers:
    """Everything lies in ``folder``, and goes with it."""

    folder: Path
    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(NAMES, "v1"))

    def __post_init__(self) -> None:
        self.publish("v1")
        self.move()

    @property
    def url(self) -> str:
        """The front door."""
        return f"http://127.0.0.1:{self._ports['api_port']}/"

    @property
    def displaced(self) -> bool:
        """Whether somebody else took one of the ports; nothing of ours may run."""
        return any(ports.taken(port) for port in self._ports.values())

    def move(self) -> None:
        """To ports that are free now, and from the beginning."""
        for part in ("host", "run", "state"):
            shutil.rmtree(self.folder / part, ignore_errors=True)
        self._ports = dict(zip(PORTS, ports.free(len(PORTS)), strict=True))
        self.write()

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
        text = CONFIG.format(folder=self.folder, store=store, api=api, **self._ports)
        (self.folder / "gapless.yaml").write_text(text)
