"""The shop as a systemd service on a host of the lab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .host import LabHost

SOURCE = Path(__file__).parent / "app" / "shop.py"


def shop_unit(
    service: str, host: str, port: int, *, program: str, config: str, notify: bool = True
) -> str:
    """The text of its unit: `program` runs with the settings in the file `config`.

    With `notify` a start is over when the service says so; without, as soon as it was forked.
    """
    return f"""\
[Unit]
Description={service} of the lab

[Service]
Type={"notify" if notify else "simple"}
ExecStart=/usr/bin/python3 {program}
ExecReload=/bin/kill -HUP $MAINPID
Environment=SERVICE={service} HOST={host} PORT={port} SHOP_CONFIG={config}
TimeoutStartSec=10
TimeoutStopSec=20

[Install]
WantedBy=multi-user.target
"""


def install_shop(
    host: LabHost,
    *,
    service: str = "shop-api",
    port: int = 3001,
    settings: Mapping[str, str | float] | None = None,
    notify: bool = True,
    start: bool = True,
) -> str:
    """Install the shop in /srv/SERVICE of `host` and have it run; returns its URL.

    `settings` (VERSION, BEHAVIOUR, ...) go to /srv/SERVICE/release.env: write another one with
    `release_shop` to deploy another version. The unit is SERVICE.service, enabled.
    """
    program, config = f"/srv/{service}/shop.py", f"/srv/{service}/release.env"
    unit = shop_unit(service, host.address, port, program=program, config=config, notify=notify)
    host.put_file(program, SOURCE.read_bytes(), mode="755")
    release_shop(host, service=service, settings=settings or {"VERSION": "1"})
    host.install_unit(f"{service}.service", unit)
    host.run(["systemctl", "enable", "--quiet", *(["--now"] if start else []), service])
    return f"http://{host.address}:{port}"


def release_shop(
    host: LabHost, *, service: str = "shop-api", settings: Mapping[str, str | float]
) -> None:
    """Put another release in its place; it counts from the next restart (or reload) on."""
    lines = [f"{key}={value}\n" for key, value in settings.items()]
    host.put_file(f"/srv/{service}/release.env", "".join(lines))
