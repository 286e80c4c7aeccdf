"""``python -m docs.tutorial.prepare``: a shop on the lab's hosts, and its gapless.yaml."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from demo.shop import API_PORT, STORE_PORT, build_release, install_tiers
from tests.lab import Lab, LabHost
from tests.lab.keys import Keys
from tests.lab.shell import LabError

TEMPLATE = """\
project: shop
hosts:
{hosts}
defaults:
  soak: 3s
  health: {{timeout: 10s, interval: 1s, retries: 1, retry_delay: 1s}}
services:
  shop.store:
    on: h1
    systemd: shop-store.service
    health: {{http: "http://{{address}}:{store}/health"}}
  shop.api:
    on: web
    systemd: shop-api.service
    after: shop.store
    health: {{http: "http://{{address}}:{api}/health", expect: {{json: {{status: healthy}}}}}}
    release: {{directory: release, to: /srv/shop-api}}
    rollout: {{canary: 1}}
"""


def prepare(hosts: Sequence[LabHost], keys: Keys, folder: Path) -> None:
    """Install the shop on all hosts; write ``gapless.yaml`` and ``release`` into ``folder``."""
    install_tiers(hosts)
    lines = [
        f"  {host.name}: {{address: {host.address}, port: {host.port}, user: deploy, "
        f"key: {keys.client}, known_hosts: {keys.known_hosts}, groups: web}}"
        for host in hosts
    ]
    config = TEMPLATE.format(hosts="\n".join(lines), store=STORE_PORT, api=API_PORT)
    (folder / "gapless.yaml").write_text(config)
    build_release(folder / "release", {"VERSION": "2"})


def main() -> int:
    """Do it for the lab that is up, in the current folder."""
    try:
        lab = Lab.attach()
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    prepare(list(lab), lab.keys, Path.cwd())
    print("the shop runs on", ", ".join(host.name for host in lab))
    print("written: gapless.yaml release/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
