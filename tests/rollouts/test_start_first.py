"""One instance on one real host: the new copy serves before the old one is stopped, so that even a
single instance is replaced without losing a request."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from demo.shop import build_release
from tests.lab import Lab, LabHost
from tests.lab.load import Load
from tests.lab.shop import shop_unit
from tests.rollouts.site import Site, kill

SLOTS = ("a", "b")
PORTS = {"a": 3001, "b": 3002}
HOME = "/srv/shop-api"
CONFIG = """\
project: site
hosts:
  {name}: {{address: {address}, port: {port}, user: deploy, key: {key}, known_hosts: {known},
    reconnect: 20s}}
defaults:
  soak: 1s
  health: {{retries: 1, retry_delay: 300ms, interval: 300ms, timeout: 6s}}
balancers:
  edge: {{haproxy: {{socket: {socket}, backend: shop, server: "{{name}}-{{slot}}"}}}}
services:
  api:
    on: [{name}]
    systemd: shop-api@{{slot}}
    health:
      http: "http://{{address}}:{{slot:3001|3002}}/health"
      expect: {{json: {{status: healthy}}}}
    balancer: edge
    release: {{directory: release, to: {home}, keep: 2}}
"""


@pytest.fixture
def site(tmp_path: Path, lab: Lab, host: LabHost) -> Iterator[Site]:
    """Version 1 in slot a, HAProxy that knows both slots, gapless.yaml."""
    _install(host, build_release(tmp_path / "first", {"VERSION": "1"}))
    proxy = lab.haproxy({f"{host.name}-{s}": f"{host.address}:{PORTS[s]}" for s in SLOTS})
    proxy.start()
    proxy.wait_up(f"{host.name}-a")
    text = CONFIG.format(
        name=host.name, address=host.address, port=host.port, key=lab.keys.client,
        known=lab.keys.known_hosts, socket=proxy.socket, home=HOME,
    )  # fmt: skip
    (tmp_path / "gapless.yaml").write_text(text)
    made = Site(tmp_path, [host], proxy)
    made.new_release(VERSION="1")
    yield made
    proxy.stop()


def _install(host: LabHost, release: Path) -> None:
    for file in release.iterdir():
        host.put_file(f"{HOME}/releases/v1/{file.name}", file.read_bytes(), mode="755")
    host.run(["ln", "-sfn", "releases/v1", f"{HOME}/current"])
    program, config = f"{HOME}/current/shop.py", f"{HOME}/current/release.env"
    unit = shop_unit("shop-api", host.address, 0, program=program, config=config)
    own = unit.replace("TimeoutStartSec", f"EnvironmentFile={HOME}/%i.env\nTimeoutStartSec")
    for slot in SLOTS:
        host.put_file(f"{HOME}/{slot}.env", f"PORT={PORTS[slot]}\n")
    host.install_unit("shop-api@.service", own)
    host.run(["systemctl", "enable", "--quiet", "--now", "shop-api@a"])


def copies(site: Site) -> dict[str, str]:
    """What runs in each slot: its InvocationID; slots in which nothing runs are left out."""
    host, names = site.hosts[0], ("ActiveState", "InvocationID")
    seen = {slot: host.show(f"shop-api@{slot}", *names) for slot in SLOTS}
    return {s: one["InvocationID"] for s, one in seen.items() if one["ActiveState"] == "active"}


def lasting(site: Site) -> list[str]:
    """Slots that a reboot would start."""
    asked = (["systemctl", "is-enabled", "--quiet", f"shop-api@{slot}"] for slot in SLOTS)
    said = [site.hosts[0].run(list(argv), check=False).returncode for argv in asked]
    return [slot for slot, code in zip(SLOTS, said, strict=True) if code == 0]


def test_a_single_instance_is_replaced_under_load_and_nothing_is_lost(site: Site) -> None:
    with (
        Load(site.proxy.url, rate=50, keep_alive=False) as new,
        Load(site.proxy.url, rate=50, keep_alive=True) as kept,
    ):
        for slot in ("b", "a"):
            site.run("restart", "--yes", check=0)
            assert list(copies(site)) == lasting(site) == [slot]
        site.new_release(VERSION="2")
        site.run("deploy", "--yes", check=0)
        site.run("rollback", "api", "--yes", check=0)
        assert list(copies(site)) == lasting(site) == ["a"]
    assert new.report.sent > 100
    assert (new.report.failed, kept.report.failed) == (0, 0), (
        new.report.errors,
        kept.report.errors,
    )


@pytest.mark.parametrize("behaviour", ["unhealthy", "exit_at_start", "crash_after"])
def test_a_bad_release_never_touches_the_copy_that_serves(site: Site, behaviour: str) -> None:
    before = copies(site)
    site.new_release(VERSION="2", BEHAVIOUR=behaviour, CRASH_AFTER="0.5")
    with Load(site.proxy.url, rate=50, keep_alive=False) as new:
        done = site.run("deploy", "--yes", check=4)
    assert copies(site) == before, done.stdout + done.stderr
    assert lasting(site) == ["a"]
    if behaviour != "crash_after":  # that one had passed its gate, and was in traffic
        assert new.report.failed == 0, new.report.errors


@pytest.mark.alone
def test_an_abort_does_not_wait_for_the_clients_of_the_old_copy(site: Site) -> None:
    """Its slowest one is answered all the same, by the copy that goes on."""
    before = copies(site)
    site.new_release(VERSION="2")
    with (
        Load(site.proxy.url, rate=50, keep_alive=False) as load,
        ThreadPoolExecutor() as pool,
    ):
        slow = pool.submit(_answer, f"{site.proxy.url}/slow?seconds=14")
        process = site.start("deploy", "--yes")
        site.wait_for_new("step.started", step="drain")
        asked = time.monotonic()
        site.run("abort", "--reason", "not today")
        assert process.wait(40) == 4
        took = time.monotonic() - asked
        assert slow.result()["version"] == "1"
    assert took < 7, took
    assert load.report.failed == 0, load.report.errors
    assert copies(site) == before and lasting(site) == ["a"]


def _answer(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=40) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


@pytest.mark.parametrize("verb", ["resume", "abort"])
@pytest.mark.parametrize("step", ["switch", "drain", "retire"])
def test_a_controller_killed_at_any_step_leaves_one_copy(site: Site, step: str, verb: str) -> None:
    site.new_release(VERSION="2")
    process = site.start("deploy", "--yes")
    site.wait_for_new("step.started", step=step)
    kill(process)
    site.run(verb, check=0 if verb == "resume" else 4)
    assert list(copies(site)) == lasting(site) == (["b"] if verb == "resume" else ["a"])
