"""Several instances of a service on one host: what has to differ, and what they cannot share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.shop import problems

CONTAINERS = """\
project: shop
hosts: {app1: {}}
services:
  web:
    on: [app1]
    compose: {directory: /srv/shop, replicas: 2}
    health: {http: "http://{address}:8080/health"}
"""
PUBLISHED = """\
project: shop
hosts: {app1: {}}
services:
  web:
    on: [app1]
    compose:
      directory: /srv/shop
      replicas: 2
      reach: host
      environment: {WEB_PORT: "80{number}{slot:1|2}"}
    health: {http: "http://{address}:80{number}{slot:1|2}/health"}
"""
UNITS = """\
project: shop
hosts: {app1: {}}
services:
  web:
    on: [app1]
    systemd: {unit: "web@{number}{slot}", replicas: 2}
    health: {http: "http://{address}:80{number}{slot:1|2}/health"}
"""
BALANCED = """\
    balancer: edge
balancers:
  edge: {haproxy: {socket: /run/x.sock, backend: b, server: "{name}"}}
"""


LOGS = "    verify: [{logs: {}}, {logs: {files: ['/var/log/web-{number}.log']}}]\n"


@pytest.mark.parametrize("right", [CONTAINERS, PUBLISHED, UNITS, UNITS + LOGS])
def test_what_tells_them_apart_is_enough(tmp_path: Path, right: str) -> None:
    assert not problems(tmp_path, right)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        (UNITS.replace("{number}{slot}", "{slot}"), "would be one unit"),
        (UNITS.replace("80{number}", "80"), "is the same for all 2 of a host"),
        (PUBLISHED.replace('WEB_PORT: "80{number}', 'WEB_PORT: "80'), "ports of its own"),
        (CONTAINERS.replace("{address}", "localhost"), "is the same for all 2 of a host"),
        (CONTAINERS.replace("replicas: 2", "replicas: 0"), "replicas"),
        (UNITS + "    release: {directory: web, to: /srv/web}\n", "release: the 2 instances"),
        (UNITS.replace("replicas: 2", "replicas: 2, file: web.service"), "file: the 2 instances"),
        (CONTAINERS + "    verify: [{logs: {files: [/var/log/web.log]}}]\n", "logs: counts all 2"),
        (CONTAINERS + BALANCED, "which of several on a host it is"),
    ],
)
def test_what_could_not_work_is_told(tmp_path: Path, changed: str, wanted: str) -> None:
    assert wanted in "\n".join(problems(tmp_path, changed))
