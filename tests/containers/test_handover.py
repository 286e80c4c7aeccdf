"""A bot in a container, made by an unmodified compose project: its copies hand over to each other,
and the engine starts nothing again that has ended."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gapless
from gapless.drivers.runtimes.engine_script import script
from tests.handover.shared import Shared
from tests.unit.handover.site import PROGRAM

from . import image
from .engine import Engine
from .shop import Shop

RATE, SKEW, WORK = 25, 50, 2
HERE = Path(gapless.__file__).parent


class Bot(Shop):
    """The service is called web in the project, and here."""

    def __init__(self, engine: Engine, folder: Path, level: str) -> None:
        self.shared = Shared(folder.parent / "shared", level, RATE)
        super().__init__(engine, folder)
        library = folder / "app" / "lib" / "gapless"
        shutil.copytree(HERE / "handover", library / "handover")
        shutil.copy(HERE / "__init__.py", library)
        shutil.copy(PROGRAM, folder / "app" / "bot.py")
        words = [level, *map(str, (RATE, SKEW, WORK))]
        self.service["command"] = [image.PYTHON, "/app/bot.py", "asyncio", *words]
        self.service["restart"] = "always"
        self.write(PYTHONPATH="/app/lib", VERSION="1")

    def _gapless(self) -> dict[str, Any]:
        handover = {
            "directory": str(self.shared.folder), "skew": "200ms", "joint": "500ms",
            "stable": "200ms", "deadline": "5s", "ready": "20s",
        }  # fmt: skip
        host = {"transport": "local", "sudo": False, "python": sys.executable}
        host["state_dir"] = str(self.folder / "host")
        web = {"on": ["app1"], "compose": self.compose, "handover": handover, "soak": "300ms"}
        return {"project": "site", "hosts": {"app1": host}, "services": {"web": web}}

    def told(self, container: str, what: str) -> str:
        """Of the engine."""
        return self.docker("inspect", "--format", what, container)


@pytest.fixture
def bot(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bot]:
    """Version 1 is the active copy."""
    made = Bot(engine, tmp_path / "shop", getattr(request, "param", "transactional"))
    try:
        made.run("deploy", "--yes", "--reason", "first")
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("bot", ["transactional", "idempotent-key"], indirect=True)
def test_a_bot_is_deployed_and_rolled_back_and_every_event_has_one_effect(bot: Bot) -> None:
    assert bot.shared.active() == "web-a-1"
    bot.write(VERSION="2")
    bot.run("deploy", "--yes", "--reason", "second")
    assert bot.shared.active() == "web-b-2"
    assert "othing to do" in bot.run("deploy", "--yes")  # compose's own hash is as it was
    (container,) = bot.ids()
    assert bot.told(container, "{{.HostConfig.RestartPolicy.Name}}") == "always"
    bot.run("rollback", "web", "--yes", "--reason", "back")
    assert bot.shared.active() == "web-a-3"
    (container,) = bot.ids()
    assert "VERSION=1" in bot.told(container, "{{.Config.Env}}")
    assert len(bot.containers()) == 1
    assert bot.shared.lost_and_doubled() == ([], [])
    assert (bot.shared.state["phase"], bot.shared.state["lock"]) == ("done", False)
    assert not list(bot.shared.folder.glob(".restart-*"))


@pytest.mark.parametrize(
    ("step", "verb", "version"),
    [("admit", "abort", "1"), ("drain", "resume", "2"), ("drain", "abort", "1"),
     ("retire", "resume", "2")],
)  # fmt: skip
def test_a_controller_killed_leaves_one_active_copy(
    bot: Bot, step: str, verb: str, version: str
) -> None:
    bot.write(VERSION="2")
    controller = bot.start("deploy", "--yes", "--reason", "second")
    try:
        bot.wait_for("step.started", step, seconds=150.0)
    finally:
        controller.kill()
        controller.wait()
    bot.run(verb, check={"abort": 4, "resume": 0}[verb])
    assert bot.shared.active()
    (container,) = bot.ids()
    assert f"VERSION={version}" in bot.told(container, "{{.Config.Env}}")
    assert bot.told(container, "{{.HostConfig.RestartPolicy.Name}}") == "always"
    assert bot.shared.lost_and_doubled() == ([], [])


def test_an_old_container_that_is_revived_is_obsolete(bot: Bot) -> None:
    (old,) = bot.ids()
    env = json.loads(bot.told(old, "{{json .Config.Env}}"))
    bot.write(VERSION="2")
    bot.run("deploy", "--yes", "--reason", "second")
    given = [word for variable in env for word in ("--env", variable)]
    folder = f"{bot.shared.folder}:{bot.shared.folder}"
    words = bot.service["command"]
    bot.docker(
        "run", "--detach", "--name", "revived", "--restart", "always", "--network", "none",
        *given, "--volume", folder, "--volume", f"{bot.folder}/app:/app:ro", f"{image.NAME}:1",
        *words,
    )  # fmt: skip
    bot.shared.until(lambda: int(bot.told("revived", "{{.RestartCount}}")) > 1, "two restarts")
    # while it runs once more the engine tells 0
    bot.shared.until(lambda: bot.told("revived", "{{.State.ExitCode}}") == "75", "status 75")
    assert bot.shared.active() == "web-b-2"
    assert bot.shared.lost_and_doubled() == ([], [])
    bot.docker("rm", "--force", "revived")


def test_what_the_engine_does_at_its_end_is_taken_away_and_given_back(bot: Bot) -> None:
    (container,) = bot.ids()

    def order(verb: str, code: int = 0) -> str:
        argv = [sys.executable, "-I", "-S", "-", verb, bot.engine.socket, container]
        told = script(verb).decode()
        done = subprocess.run(
            argv, input=told, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        return bot.told(container, "{{.HostConfig.RestartPolicy.Name}}")

    def kept() -> list[Path]:
        return list(bot.shared.folder.glob(".restart-*"))

    assert order("rearm") == "always"
    assert [order("disarm"), order("disarm")] == ["no", "no"]
    (file,) = kept()
    before = file.read_text()
    file.write_text('{"Name": "--privileged"}')
    assert order("rearm", 1) == "no"  # the program may have written that
    file.write_text(before)
    assert order("rearm") == "always"
    assert not kept()
