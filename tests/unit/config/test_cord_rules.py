"""Who needs a cord, and who cannot have one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.shop import problems

SHOP = """\
project: shop
hosts: {app1: {}}
balancers:
  edge: {traefik_labels: {service: web-shop, server: "http://{address}:8080"}}
services:
  web:
    on: [app1]
    compose: {directory: /srv/shop, cord: 1s}
    health: {http: "http://{address}:8080/health"}
    balancer: edge
"""


def test_a_service_with_a_cord_is_fine(tmp_path: Path) -> None:
    assert problems(tmp_path, SHOP) == []


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (", cord: 1s", "", "write cord: 1s"),
        ("cord: 1s", "cord: 1s, reach: host", "knows containers by their own addresses"),
        (
            "compose: {directory: /srv/shop, cord: 1s}",
            "systemd: web.service",
            "Traefik finds containers by their labels, and this is none",
        ),
        ("cord: 1s", "cord: 0s", "cord: must be more than 0"),
    ],
)
def test_what_cannot_be(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    assert wanted in "\n".join(problems(tmp_path, SHOP.replace(old, new)))
