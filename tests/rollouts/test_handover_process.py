"""Two supervised processes that hand over to each other: a bot with nothing in front of it is
deployed while events come, and each has one effect. Needs no root, no systemd, no other host."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gapless.engine.sqlite_journal import SqliteJournal
from tests.handover.shared import Shared
from tests.rollouts.site import kill
from tests.unit.handover.site import PROGRAM

pytestmark = pytest.mark.timeout(300)

GAPLESS = str(Path(sys.executable).with_name("gapless"))
RATE, SKEW, WORK = 25, 50, 2
CONFIG = """\
project: site
hosts:
  app1: {{transport: local, sudo: false, python: {python}, state_dir: {state}}}
services:
  bot:
    on: [app1]
    process:
      gapless: {gapless}
      name: bot-{{slot}}
      command: {python} program.py asyncio {level} {rate} {skew} {work}
      ready: {{notify: true}}
      start_timeout: 10s
      settle: 100ms
    handover: {{directory: {shared}, skew: 200ms, joint: 500ms, stable: 200ms, deadline: 5s,
      ready: 10s}}
    soak: 300ms
    release: {{directory: release, to: {home}}}
"""


class Bot:
    """``folder`` holds everything: also the host's state, supervisors, and what copies share."""

    def __init__(self, folder: Path, level: str) -> None:
        self.folder = folder
        self.shared = Shared(folder / "shared", level, RATE)
        self.env = {
            **os.environ, "GAPLESS_RUN_DIR": f"{folder}/run", "GAPLESS_STATE": f"{folder}/state",
            "NO_COLOR": "1",
        }  # fmt: skip
        text = CONFIG.format(
            python=sys.executable, state=folder / "host", gapless=GAPLESS, level=level, rate=RATE,
            skew=SKEW, work=WORK, shared=self.shared.folder, home=folder / "srv",
        )  # fmt: skip
        (folder / "gapless.yaml").write_text(text)

    def publish(self, version: str, program: str = "") -> None:
        """What the next deploy brings."""
        release = self.folder / "release"
        release.mkdir(exist_ok=True)
        (release / "program.py").write_text(program or PROGRAM.read_text())
        (release / "version").write_text(version)

    def gapless(self, *words: str, code: int) -> str:
        """Its screen. Asserts the exit code."""
        done = subprocess.run(
            [GAPLESS, *words], cwd=self.folder, env=self.env, text=True, timeout=180, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{self.logs()}"
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The command, and it goes on running."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            [GAPLESS, *words], cwd=self.folder, env=self.env, text=True, stdin=quiet, stdout=quiet,
            stderr=quiet,
        )  # fmt: skip

    def logs(self) -> str:
        """What the copies wrote."""
        there = sorted((self.folder / "host/processes").glob("*.log"))
        return "\n".join(f"{one.name}: {one.read_text()[-3000:]}" for one in there)

    def slots(self) -> list[str]:
        """Those with a supervisor."""
        asked = ([GAPLESS, "run", "status", f"bot-{slot}", "--json"] for slot in "ab")
        codes = [
            subprocess.run(argv, env=self.env, capture_output=True, timeout=30).returncode
            for argv in asked
        ]
        return [slot for slot, code in zip("ab", codes, strict=True) if code == 0]

    def files(self) -> list[str]:
        """What could start a copy, and with what."""
        there = (self.folder / "host/processes").iterdir()
        return sorted(one.name for one in there if one.suffix in (".json", ".env"))

    def close(self) -> None:
        for slot in "ab":
            subprocess.run(
                [GAPLESS, "run", "stop", f"bot-{slot}"], env=self.env, capture_output=True,
                timeout=60, check=False,
            )  # fmt: skip


@pytest.fixture
def bot(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bot]:
    """Version 1 runs in slot a."""
    made = Bot(tmp_path, getattr(request, "param", "transactional"))
    made.publish("1")
    try:
        made.gapless("deploy", "--yes", code=0)
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("bot", ["transactional", "idempotent-key"], indirect=True)
def test_a_bot_is_deployed_and_rolled_back_and_every_event_has_one_effect(bot: Bot) -> None:
    assert (bot.slots(), bot.files()) == (["a"], ["bot-a.env", "bot-a.json"])
    assert list(bot.shared.living()) == ["bot-a-1"]
    bot.publish("2")
    bot.gapless("deploy", "--yes", code=0)
    assert (bot.slots(), bot.files()) == (["b"], ["bot-b.env", "bot-b.json"])
    assert {name: one["state"] for name, one in bot.shared.living().items()} == {
        "bot-b-2": "ACTIVE"
    }
    assert (bot.shared.state["phase"], bot.shared.state["lock"]) == ("done", False)
    bot.gapless("rollback", "bot", "--yes", code=0)
    assert (bot.slots(), list(bot.shared.living())) == (["a"], ["bot-a-3"])
    assert bot.shared.lost_and_doubled() == ([], [])
    assert bot.gapless("plan", "deploy", "--exit-code", code=10)
    bot.gapless("doctor", code=0)


def test_a_release_that_never_comes_up_leaves_the_active_copy_alone(bot: Bot) -> None:
    pid = bot.shared.living()["bot-a-1"]["pid"]
    bot.publish("2", "raise SystemExit('no token')\n")
    told = bot.gapless("deploy", "--yes", code=4)
    assert "no token" in told
    assert {name: one["pid"] for name, one in bot.shared.living().items()} == {"bot-a-1": pid}
    assert (bot.slots(), bot.files()) == (["a"], ["bot-a.env", "bot-a.json"])
    assert bot.shared.state["lock"] is False
    assert bot.shared.lost_and_doubled() == ([], [])


@pytest.mark.parametrize("verb", ["resume", "abort"])
@pytest.mark.parametrize("step", ["switch", "admit", "drain", "retire"])
def test_a_controller_killed_leaves_one_active_copy(bot: Bot, step: str, verb: str) -> None:
    bot.publish("2")
    controller = bot.start("deploy", "--yes")
    try:
        bot.shared.until(lambda: _reached(bot, step), step)
    finally:
        kill(controller)
    told = bot.gapless(verb, code={"resume": 0, "abort": 4}[verb])
    (only,) = bot.shared.living().values()
    assert only["state"] == "ACTIVE", told
    assert len(bot.slots()) == 1
    assert (bot.folder / "srv/current/version").read_text() == ("2" if verb == "resume" else "1")
    assert (bot.shared.state["phase"], bot.shared.state["lock"]) == ("done", False)
    assert bot.shared.lost_and_doubled() == ([], [])


def _reached(bot: Bot, step: str) -> bool:
    with contextlib.closing(SqliteJournal(bot.folder / "state/site")) as journal:
        return any(
            (event.type, event.step) == ("step.started", step)
            for rollout in journal.rollouts(5, unfinished=True)
            for event in journal.events(rollout.id)
        )


def _keeps(bot: Bot, name: str) -> bool:
    """Long enough that what the other one has at work came to it as well."""
    status = bot.shared.living().get(name, {})
    return status.get("state") == "ACTIVE" or status.get("buffered", 0) >= RATE // 2


def test_a_copy_that_is_killed_while_the_other_waits_is_taken_over_from(bot: Bot) -> None:
    """The new copy becomes the active one by itself; the rollout goes on or goes back, and one is
    left."""
    bot.publish("2")
    controller = bot.start("deploy", "--yes")
    bot.shared.until(lambda: _keeps(bot, "bot-b-2"), "a second copy that keeps what comes")
    os.kill(bot.shared.living()["bot-a-1"]["pid"], signal.SIGKILL)
    controller.wait(150)
    assert bot.shared.active()
    assert bot.shared.lost_and_doubled() == ([], [])
