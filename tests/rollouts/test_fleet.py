"""Twenty systemd hosts in three groups behind a pair of HAProxies, changed under load."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from demo.shop import API_PORT, install_api
from tests.lab import Lab, LabHost
from tests.lab.haproxy import HAProxy, HAProxySettings
from tests.lab.load import Load
from tests.rollouts.site import Site

pytestmark = [pytest.mark.timeout(400), pytest.mark.alone]
APPS = 20
RATE = 50
"""Requests per second to each front door, new connections and kept alive: 200 in all."""
DOOR = 8080
SOCKET = "/run/haproxy/admin.sock"
GROUPS = {"first": range(2), "second": range(2, 10), "third": range(10, APPS)}

CONFIG = """\
project: site
hosts:
{machines}
defaults:
  soak: {soak}
  health: {{retries: 1, retry_delay: 300ms, interval: 300ms, timeout: 10s}}
balancers:
  edge: {{haproxy: {{socket: {socket}, backend: shop, on: [balancers]}}}}
services:
  api:
    on: [first, second, third]
    systemd: shop-api.service
    health: {{http: "http://{{address}}:{port}/health", expect: {{json: {{status: healthy}}}}}}
    balancer: edge
    release: {{directory: release, to: /srv/shop-api, keep: 2}}
    rollout:
      canary: 1
      max_unavailable: 25%
      groups:
        - {{group: first, batch: 1}}
        - {{group: second, batch: 50%}}
        - {{group: third, batch: 5}}
{verify}"""


class Balancer(HAProxy):
    """HAProxy on a host of the lab, under its systemd."""

    def __init__(self, host: LabHost, servers: dict[str, str]) -> None:
        super().__init__(
            Path(SOCKET).parent,
            servers,
            address=host.address,
            port=DOOR,
            settings=HAProxySettings(),
        )
        self.host = host

    def install(self) -> None:
        """Write its configuration and start it."""
        self.host.put_file("/etc/haproxy/haproxy.cfg", self.render())
        self.host.run(["systemctl", "restart", "haproxy"])


@pytest.fixture(scope="module")
def big_lab(lab: Lab) -> Iterator[Lab]:
    """A lab of its own beside the small one, only for this module."""
    with Lab(APPS + 2) as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, big_lab: Lab) -> Site:
    """Version 1 on every host, brought by hand, behind both balancers."""
    apps, pair = big_lab.hosts[:APPS], big_lab.hosts[APPS:]
    with ThreadPoolExecutor(6) as several:
        list(several.map(install, apps))
    servers = {host.name: f"{host.address}:{API_PORT}" for host in apps}
    balancers = [Balancer(host, servers) for host in pair]
    for balancer in balancers:
        balancer.install()
    site = Site(tmp_path, apps, balancers[0])
    (tmp_path / "doors").write_text("\n".join(balancer.url for balancer in balancers))
    configure(site, big_lab)
    return site


def install(host: LabHost) -> None:
    """Version 1 of the API, whatever an earlier test left."""
    install_api(host)
    host.run(["systemctl", "restart", "shop-api"])


def errs(host: LabHost) -> None:
    """Version 1 errs as it usually does."""
    host.put_file("/srv/shop-api/releases/v1/release.env", "VERSION=1\nERRORS=0.005\n")
    host.run(["systemctl", "reload-or-restart", "shop-api"])


def configure(site: Site, lab: Lab, *, soak: str = "500ms", verify: str = "") -> None:
    """gapless.yaml for the whole fleet."""
    places = {lab.hosts[n].name: group for group, numbers in GROUPS.items() for n in numbers}
    machines = "\n".join(
        f"  {host.name}: {{address: {host.address}, port: {host.port}, user: deploy,"
        f" key: {lab.keys.client}, known_hosts: {lab.keys.known_hosts},"
        f" groups: [{places.get(host.name, 'balancers')}]}}"
        for host in lab.hosts
    )
    text = CONFIG.format(
        machines=machines, soak=soak, socket=SOCKET, port=API_PORT,
        verify=f"    verify: {verify}\n" if verify else "",
    )  # fmt: skip
    (site.folder / "gapless.yaml").write_text(text)


def doors(site: Site) -> list[str]:
    return (site.folder / "doors").read_text().split()


def test_a_deploy_under_load_loses_nothing(fleet: Site) -> None:
    fleet.new_release(VERSION="2")
    with contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(Load(door, rate=RATE, keep_alive=kept))
            for door in doors(fleet)
            for kept in (False, True)
        ]
        fleet.run("deploy", "--yes", check=0, timeout=240)
    assert [load.report.failed for load in loads] == [0, 0, 0, 0], [
        load.report.errors for load in loads
    ]
    assert all(load.report.sent > 200 for load in loads)
    assert set(fleet.versions().values()) == {"2"}
    order = [e["host"] for e in fleet.events() if e["type"] == "instance.done"][-APPS:]
    names = [host.name for host in fleet.hosts]
    assert set(order[:2]) == set(names[:2]), "the first group is done before the second"
    assert set(order[2:10]) == set(names[2:10])


def test_a_release_with_more_errors_is_caught_on_the_canary(fleet: Site, big_lab: Lab) -> None:
    """0.5 % before, 20 % after, at about one request a second on each instance."""
    with ThreadPoolExecutor(6) as several:
        list(several.map(errs, fleet.hosts))
    configure(fleet, big_lab, soak="45s", verify="{balancer_errors: {interval: 1s}}")
    fleet.new_release(VERSION="2", ERRORS="0.2")
    before = fleet.invocations()
    with contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(Load(door, rate=APPS / 2, keep_alive=False))
            for door in doors(fleet)
        ]
        done = fleet.run("deploy", "--yes", check=4, timeout=240)
    assert all(load.report.sent > 50 for load in loads)
    assert set(fleet.versions().values()) == {"1"}
    after = fleet.invocations()
    touched = [name for name in before if before[name] != after[name]]
    assert touched == [fleet.hosts[0].name], "at most the canary ever served it"
    assert "requests failed" in done.stdout + done.stderr
    assert seconds_to_find(fleet) <= 60


def seconds_to_find(fleet: Site) -> float:
    """From the canary's admit to the verdict."""
    at = {
        (event["type"], event["step"]): datetime.fromisoformat(event["ts"])
        for event in reversed(fleet.events())
        if event.get("host") == fleet.hosts[0].name and "step" in event
    }
    return (at["step.failed", "soak"] - at["step.succeeded", "admit"]).total_seconds()
