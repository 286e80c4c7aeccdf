"""The shop, HAProxy and the load generator: each must show a gap where there is one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .haproxy import HAProxy
from .host import LabHost
from .lab import Lab, in_parallel
from .load import Load
from .shop import install_shop, release_shop


@pytest.fixture
def shops(pair: list[LabHost]) -> list[LabHost]:
    """Two hosts on which the shop runs."""
    in_parallel(install_shop, pair)
    return pair


@pytest.fixture
def door(lab: Lab, shops: list[LabHost]) -> Iterator[HAProxy]:
    """A HAProxy in front of them, both up."""
    with lab.haproxy({host.name: f"{host.address}:3001" for host in shops}) as haproxy:
        haproxy.wait_up()
        yield haproxy


def ask(host: LabHost, url: str) -> str:
    """Body and status of a GET from the host itself, once anything listens there."""
    curl = ["curl", "--silent", "--write-out", "%{http_code}", url]
    for _ in range(50):
        answer = host.run(curl, check=False)
        if answer.returncode == 0:
            return answer.stdout
    raise AssertionError(f"nobody listens at {url}")


def restart(host: LabHost) -> None:
    host.run(["systemctl", "restart", "shop-api"])


@pytest.mark.alone
@pytest.mark.parametrize("keep_alive", [False, True])
def test_undisturbed_traffic_loses_nothing(door: HAProxy, keep_alive: bool) -> None:
    with Load(f"{door.url}/", rate=100, keep_alive=keep_alive) as load:
        time.sleep(2)
    assert load.report.failed == 0, load.report
    assert load.report.sent == pytest.approx(200, abs=15)
    assert load.report.longest_silence < 0.5
    assert load.report.versions == {"1": load.report.sent}


@pytest.mark.alone
def test_a_bare_restart_loses_requests(shops: list[LabHost]) -> None:
    with Load(f"http://{shops[0].address}:3001/", rate=200) as load:
        time.sleep(0.5)
        restart(shops[0])
        time.sleep(0.5)
    assert load.report.failed > 0, load.report
    assert load.report.longest_silence > 0.02


def test_a_drained_restart_loses_none_and_brings_the_new_version(
    door: HAProxy, shops: list[LabHost]
) -> None:
    with Load(f"{door.url}/", rate=100, keep_alive=True) as load:
        for host in shops:
            release_shop(host, settings={"VERSION": "2"})
            door.command(f"set server shop/{host.name} state drain")
            time.sleep(0.5)
            restart(host)
            door.command(f"set server shop/{host.name} state ready")
            door.wait_up(host.name)
    assert load.report.failed == 0, load.report
    assert set(load.report.versions) == {"1", "2"}
    assert door.status() == {"h1": "UP", "h2": "UP"}


def test_haproxy_notices_a_dead_server_and_survives_a_reload(
    door: HAProxy, shops: list[LabHost]
) -> None:
    shops[0].run(["systemctl", "stop", "shop-api"])
    time.sleep(1)
    assert door.status()["h1"].startswith("DOWN")
    with Load(f"{door.url}/", rate=100) as load:
        door.reload()
        time.sleep(0.3)
    assert {"1"} == set(load.report.versions)


@pytest.mark.alone
def test_a_request_in_flight_survives_sigterm(shops: list[LabHost]) -> None:
    with Load(f"http://{shops[0].address}:3001/slow?seconds=1", rate=5) as load:
        time.sleep(0.5)
        sent_before = time.monotonic() - 0.05
        restart(shops[0])
    assert load.report.between(0, sent_before).failed == 0, load.report


@pytest.mark.parametrize(
    ("behaviour", "health"), [("never_ready", "503"), ("unhealthy", "200"), ("errors", "200")]
)
def test_bad_releases_are_bad(host: LabHost, behaviour: str, health: str) -> None:
    url = install_shop(host, settings={"VERSION": "2", "BEHAVIOUR": behaviour}, notify=False)
    answer = ask(host, f"{url}/health")
    assert answer.endswith(health)
    assert ('"healthy"' in answer) is (behaviour == "errors")


def test_a_crashing_release_crashes_after_it_was_ready(host: LabHost) -> None:
    install_shop(host, settings={"BEHAVIOUR": "crash_after", "CRASH_AFTER": 1})
    assert host.show("shop-api", "ActiveState") == {"ActiveState": "active"}
    time.sleep(1.5)
    assert host.show("shop-api", "ActiveState") == {"ActiveState": "failed"}
    assert "this release crashes" in host.journal("shop-api")


def test_a_reload_changes_the_version_and_not_the_process(host: LabHost) -> None:
    url = install_shop(host)
    before = host.show("shop-api", "InvocationID", "MainPID")
    release_shop(host, settings={"VERSION": "2"})
    host.run(["systemctl", "reload", "shop-api"])
    assert '"version": "2"' in host.run(["curl", "--silent", f"{url}/health"]).stdout
    assert host.show("shop-api", "InvocationID", "MainPID") == before
