"""The example bot on a real host, rolled while events come: nothing sits in front of it, and every
event has one effect."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gapless
from tests.lab import Lab, LabHost
from tests.rollouts.site import Site, kill

pytestmark = pytest.mark.timeout(300)

SLOTS = ("a", "b")
HOME, LIBRARY, FEED = "/srv/bot", "/srv/library", "/srv/gateway"
CONFIG = """\
project: site
hosts:
  {name}: {{address: {address}, port: {port}, user: deploy, key: {key}, known_hosts: {known},
    reconnect: 20s}}
defaults: {{soak: 1s}}
services:
  bot:
    on: [{name}]
    systemd: bot@{{slot}}
    handover: {{skew: 300ms, stable: 300ms, deadline: 10s, ready: 20s, {more}}}
    release: {{directory: release, to: {home}, keep: 2}}
"""
BOT = """\
[Unit]
Description=bot of the lab

[Service]
ExecStart=/usr/bin/python3 {home}/current/bot.py
Environment=PYTHONPATH={library}
EnvironmentFile={feed}/gateway.env
User=bot
Restart=always
RestartSec=200ms
TimeoutStopSec=20

[Install]
WantedBy=multi-user.target
"""
GATEWAY = """\
[Service]
Type=exec
ExecStart=/usr/bin/python3 {feed}/bot_gateway.py {feed}
Environment=PYTHONPATH={library}
"""


class Feed:
    """What the gateway of a host has counted."""

    def __init__(self, host: LabHost) -> None:
        self._host = host
        self._first = 0

    def begin(self, copy: str) -> None:
        """What comes from now on counts: this copy handles it."""
        wait_until(lambda: copy in self.told()["copies"])
        self._first = self.told()["events"]

    def told(self) -> dict[str, Any]:
        done = self._host.run(["cat", f"{FEED}/told.json"])
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def lost_and_doubled(self) -> tuple[list[int], list[int]]:
        """Of the events from the beginning up to now, when nothing is in work any more."""
        last = self.told()["events"]
        wait_until(lambda: self.told()["events"] > last + 50)
        told = self.told()
        lost = [number for number in told["undone"] if self._first <= number < last]
        return lost, [number for number in told["doubled"] if number >= self._first]


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def site(tmp_path: Path, lab: Lab, host: LabHost) -> Iterator[Site]:
    """The bot in slot a, gapless.yaml, a gateway that sends 50 events a second."""
    _install(host)
    yield _site(tmp_path, lab, host)


def _site(folder: Path, lab: Lab, host: LabHost, more: str = "") -> Site:
    text = CONFIG.format(
        name=host.name, address=host.address, port=host.port, key=lab.keys.client,
        known=lab.keys.known_hosts, home=HOME, more=more,
    )  # fmt: skip
    (folder / "gapless.yaml").write_text(text)
    made = Site(folder, [host], None)  # type: ignore[arg-type]  # there is no proxy
    new_bot(made, "1")
    return made


def new_bot(site: Site, version: str, flaw: str = "") -> None:
    """Another release: the example, with a line that makes it another one."""
    release = site.folder / "release"
    if release.exists():
        release.rename(site.folder / f"release-{time.monotonic_ns()}")
    release.mkdir()
    bot = Path(__file__).parents[2] / "examples" / "handover-bot" / "bot.py"
    (release / "bot.py").write_text(
        f"{bot.read_text()}\n# version {version}\n".replace(*_flaw(flaw))
    )


def _flaw(flaw: str) -> tuple[str, str]:
    """What of the program is replaced by what."""
    flaws = {
        "": ("\0", ""),
        "never ready": ("self.unit.connected()", "pass"),
        "exits": (
            "async def main() -> None:\n",
            "async def main() -> None:\n    raise SystemExit(3)\n",
        ),
    }
    return flaws[flaw]


def _install(host: LabHost) -> None:
    host.run(["useradd", "--system", "bot"], check=False)
    package = Path(gapless.__file__).parent
    for file in (package / "__init__.py", package / "clock.py"):
        host.put_file(f"{LIBRARY}/gapless/{file.name}", file.read_bytes(), mode="644")
    for part in ("handover", "handover_kit"):
        for file in sorted((package / part).rglob("*.py")):
            path = file.relative_to(package)
            host.put_file(f"{LIBRARY}/gapless/{path}", file.read_bytes(), mode="644")
    feed = Path(__file__).with_name("bot_gateway.py")
    host.put_file(f"{FEED}/bot_gateway.py", feed.read_bytes(), mode="644")
    bot = Path(__file__).parents[2] / "examples" / "handover-bot" / "bot.py"
    host.put_file(f"{HOME}/releases/v1/bot.py", bot.read_bytes(), mode="644")
    host.run(["ln", "-sfn", "releases/v1", f"{HOME}/current"])
    host.install_unit("gateway.service", GATEWAY.format(feed=FEED, library=LIBRARY), start=True)
    wait_until(lambda: host.run(["test", "-e", f"{FEED}/told.json"], check=False).returncode == 0)
    host.install_unit("bot@.service", BOT.format(home=HOME, feed=FEED, library=LIBRARY))


def adopt(site: Site) -> None:
    """As docs/how-to/handover-deploy.md says of a program that runs already."""
    host = site.hosts[0]
    own = (
        "[Service]\nEnvironment=HANDOVER_DIR=/var/lib/gapless-handover/site.bot HANDOVER_ID=bot-a\n"
    )
    host.put_file("/etc/systemd/system/bot@a.service.d/handover.conf", own)
    host.run(["install", "-d", "-o", "bot", "/var/lib/gapless-handover/site.bot"])
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "enable", "--quiet", "bot@a"])
    host.run(["systemctl", "restart", "bot@a"])


def copies(site: Site) -> dict[str, str]:
    """What runs in each slot: its InvocationID; slots in which nothing runs are left out."""
    host, names = site.hosts[0], ("ActiveState", "InvocationID")
    seen = {slot: host.show(f"bot@{slot}", *names) for slot in SLOTS}
    return {s: one["InvocationID"] for s, one in seen.items() if one["ActiveState"] == "active"}


def lasting(site: Site) -> list[str]:
    """Slots that a reboot would start."""
    asked = (["systemctl", "is-enabled", "--quiet", f"bot@{slot}"] for slot in SLOTS)
    said = [site.hosts[0].run(list(argv), check=False).returncode for argv in asked]
    return [slot for slot, code in zip(SLOTS, said, strict=True) if code == 0]


def state(site: Site) -> dict[str, Any]:
    """``state.json``; as it would begin where nobody has written one."""
    file = "/var/lib/gapless-handover/site.bot/state.json"
    done = site.hosts[0].run(["cat", file], check=False)
    found: dict[str, Any] = {"phase": "done", "lock": False}
    return found if done.returncode else {**found, **json.loads(done.stdout)}


@pytest.mark.alone
def test_the_bot_is_adopted_rolled_and_rolled_back_while_events_come(site: Site) -> None:
    host = site.hosts[0]
    host.run(["systemctl", "enable", "--quiet", "--now", "bot@a"])
    refused = site.run("restart", "--yes")
    assert refused.returncode != 0
    assert (
        "does not answer in /var/lib/gapless-handover/site.bot" in refused.stdout + refused.stderr
    )
    adopt(site)
    feed = Feed(host)
    feed.begin("bot-a")
    for slot in ("b", "a"):
        site.run("restart", "--yes", check=0)
        assert list(copies(site)) == lasting(site) == [slot]
    new_bot(site, "2")
    site.run("deploy", "--yes", check=0)
    site.run("rollback", "bot", "--yes", check=0)
    assert list(copies(site)) == lasting(site) == ["a"]
    assert (state(site)["phase"], state(site)["lock"]) == ("done", False)
    assert feed.lost_and_doubled() == ([], [])
    assert len(feed.told()["copies"]) == 6  # each of them has handled events


@pytest.mark.parametrize("flaw", ["never ready", "exits"])
def test_a_bad_release_never_touches_the_copy_that_serves(site: Site, flaw: str) -> None:
    adopt(site)
    feed = Feed(site.hosts[0])
    feed.begin("bot-a")
    before = copies(site)
    text = (site.folder / "gapless.yaml").read_text().replace("ready: 20s", "ready: 3s")
    (site.folder / "gapless.yaml").write_text(text)
    new_bot(site, "2", flaw)
    done = site.run("deploy", "--yes", check=4)
    assert copies(site) == before, done.stdout + done.stderr
    assert (state(site)["phase"], state(site)["lock"], lasting(site)) == ("done", False, ["a"])
    assert feed.lost_and_doubled() == ([], [])


@pytest.mark.parametrize("verb", ["resume", "abort"])
@pytest.mark.parametrize("step", ["switch", "admit", "drain", "retire"])
def test_a_controller_killed_at_any_step_leaves_one_copy(site: Site, step: str, verb: str) -> None:
    adopt(site)
    feed = Feed(site.hosts[0])
    feed.begin("bot-a")
    new_bot(site, "2")
    process = site.start("deploy", "--yes")
    site.wait_for_new("step.started", step=step, seconds=120)
    kill(process)
    site.run(verb, check=0 if verb == "resume" else 4)
    assert list(copies(site)) == lasting(site) == (["b"] if verb == "resume" else ["a"])
    assert (state(site)["phase"], state(site)["lock"]) == ("done", False)
    assert feed.lost_and_doubled() == ([], [])
