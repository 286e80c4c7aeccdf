"""The demo's two tiers: a store on one host, and an API on all of them behind HAProxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab import LabHost
from tests.lab.keys import Keys
from tests.lab.shop import SOURCE, install_shop, shop_unit

API_PORT = 3001
STORE_PORT = 3100


def build_release(folder: Path, settings: Mapping[str, str]) -> Path:
    """A release: the program and its settings, as a directory."""
    folder.mkdir(parents=True)
    (folder / "shop.py").write_bytes(SOURCE.read_bytes())
    (folder / "release.env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    return folder


def install_tiers(hosts: Sequence[LabHost]) -> None:
    """Version 1 everywhere, running."""
    install_shop(hosts[0], service="shop-store", port=STORE_PORT, settings={"VERSION": "1"})
    for host in hosts:
        install_api(host)


def install_api(host: LabHost) -> None:
    """The API as gapless keeps it: release folders and a link to the current one."""
    release = "/srv/shop-api/releases/v1"
    host.put_file(f"{release}/shop.py", SOURCE.read_bytes(), mode="755")
    host.put_file(f"{release}/release.env", "VERSION=1\n")
    host.run(["ln", "-sfn", "releases/v1", "/srv/shop-api/current"])
    program, config = "/srv/shop-api/current/shop.py", "/srv/shop-api/current/release.env"
    unit = shop_unit("shop-api", host.address, API_PORT, program=program, config=config)
    host.install_unit("shop-api.service", unit)
    host.run(["systemctl", "enable", "--quiet", "--now", "shop-api"])


def write_config(
    folder: Path, hosts: Sequence[LabHost], keys: Keys, haproxy_socket: Path, url: str
) -> Path:
    """The demo's gapless.yaml; everything the tool needs to know is in it."""
    machines = "\n".join(
        f"  {host.name}: {{address: {host.address}, port: {host.port}, user: deploy, "
        f"key: {keys.client}, known_hosts: {keys.known_hosts}, groups: [web]}}"
        for host in hosts
    )
    text = f"""\
project: demo
hosts:
{machines}
defaults:
  soak: 3s
  health: {{retries: 1, retry_delay: 500ms, interval: 500ms, timeout: 10s}}
balancers:
  edge:
    haproxy: {{socket: {haproxy_socket}, backend: shop}}
services:
  shop.store:
    on: [{hosts[0].name}]
    systemd: shop-store.service
    health:
      http: "http://{{address}}:{STORE_PORT}/health"
      expect: {{json: {{status: healthy}}}}
  shop.api:
    on: [web]
    systemd: shop-api.service
    after: [shop.store]
    health:
      http: "http://{{address}}:{API_PORT}/health"
      expect: {{json: {{status: healthy}}}}
    balancer: edge
    release: {{directory: release, to: /srv/shop-api}}
    rollout: {{canary: 1, batch: 1}}
prove: {{url: "{url}", rate: 50}}
"""
    path = folder / "gapless.yaml"
    path.write_text(text)
    return path
