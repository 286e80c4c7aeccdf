"""A service of this machine whose releases come from a repository and have a build: the real
command, real git, real files."""

from __future__ import annotations

import contextlib
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapless.cli.main import run
from tests.simulation.faults.local import CTL
from tests.unit.drivers.releases.sources import commit, make

CONFIG = """\
project: loud
hosts:
  here: {{transport: local, state_dir: {folder}/host, sudo: false}}
services:
  api:
    on: [here]
    command: {{start: {ctl} start, stop: {ctl} stop, status: {ctl} status}}
    soak: 100ms
    health: {{command: test -e {folder}/srv/current/app, timeout: 5s, retries: 0}}
    release:
      git: shop.git
      ref: main
      fetch: controller
      to: {folder}/srv
      build: {{run: sh build.sh, key: lock, keep: deps}}
"""


@dataclass
class GitLocal:
    """``tree`` is what is committed next; ``edit`` changes the configuration."""

    folder: Path

    def __post_init__(self) -> None:
        self.repository = make(self.folder / "shop.git")
        self.tree = self.folder / "tree"
        self.tree.mkdir()
        (self.tree / "lock").write_text("lock 1")
        (self.tree / "build.sh").write_text(
            f"mkdir deps; cp lock deps/lock; echo built >> {self.folder}/log\n"
        )
        (self.folder / "ctl").write_text(f'cd "{self.folder}"\n{CTL}')
        (self.folder / "running").write_text("1\n")
        first = self.folder / "srv" / "releases" / "first"
        first.mkdir(parents=True)
        (first / "app").write_text("0")
        (self.folder / "srv" / "current").symlink_to("releases/first")
        text = CONFIG.format(folder=self.folder, ctl=f"sh {self.folder}/ctl")
        (self.folder / "gapless.yaml").write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Change the configuration."""
        file = self.folder / "gapless.yaml"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def commit(self, content: str) -> str:
        """A commit whose ``app`` is ``content``."""
        (self.tree / "app").write_text(content)
        return commit(self.tree, self.repository, f"app {content}")

    def gapless(self, *words: str, code: int) -> str:
        """Run the command; what it printed, both ways. Asserts the exit code."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            ended = run(words)
        told = out.getvalue() + err.getvalue()
        assert ended == code, f"exit {ended}\n{told}"
        return told

    def live(self) -> dict[str, str]:
        """Content of what is live, by name."""
        current = self.folder / "srv" / "current"
        names = ("app", "deps/lock")
        return {name: (current / name).read_text() for name in names if (current / name).exists()}

    def builds(self) -> int:
        """How often the build really ran."""
        log = self.folder / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def note(self) -> dict[str, Any]:
        """What the host has written down of the live release."""
        current = (self.folder / "srv" / "current").resolve()
        told: dict[str, Any] = json.loads((current.parent / f".{current.name}.json").read_text())
        return told

    def untouched(self) -> bool:
        """Whether nobody ever was on the host."""
        host = self.folder / "host"
        return not host.exists() and self.live() == {"app": "0"}
