"""The same web program as a container of an image, without compose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import image
from .engine import Engine
from .shop import PROGRAM, Shop

NETWORK = "plain"


class Plain(Shop):
    """``options`` are those of docker create; settings of the program are in a file."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.options = [
            *("--network", NETWORK, "--env-file", str(folder / "program.env")),
            *("--volume", f"{folder / 'app'}:/app:ro"),
        ]
        self.docker_keys: dict[str, Any] = {}
        super().__init__(engine, folder)
        self.patience = "30s"
        engine.docker("network", "create", NETWORK)

    @property
    def command(self) -> list[str]:
        """With which the program is started."""
        return [image.PYTHON, f"/app/{PROGRAM.name}"]

    def write(self, **environment: str) -> None:
        """The file with its settings, and gapless.yaml."""
        super().write(**environment)
        lines = (f"{name}={value}\n" for name, value in self.service["environment"].items())
        (self.folder / "program.env").write_text("".join(lines))

    def run_by_hand(self, name: str, *options: str) -> str:
        """As its owner did before; its id."""
        words = ("run", "--detach", "--name", name, *self.options, *options)
        return self.docker(*words, f"{image.NAME}:1", *self.command)

    def _gapless(self) -> dict[str, Any]:
        whole = super()._gapless()
        web = whole["services"]["web"]
        del web["compose"]
        web["docker"] = {
            "image": f"{image.NAME}:1",
            "options": self.options,
            "command": self.command,
            "socket": self.engine.socket,
            **self.docker_keys,
        }
        return whole
