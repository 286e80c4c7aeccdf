# ruff: noqa: E501 - one line a case
"""Placeholders that nothing fills in are refused, wherever something is filled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.shop import problems

HEAD = """\
project: shop
hosts: {h1: , h2: }
services:
  api:
    on: [h1, h2]
"""
KNOWN = "{host}, {name}, {service}, {address}, {number}"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("process: {command: [x, '{adress}']}", ["command: unknown placeholder {adress} — known here: {slot}"]),
        ("process: {command: 'x {host} {a} ${host}'}", ["command: unknown placeholder {host} — known here: {slot}"]),
        ("process: {command: [x, '{sloot}']}", ["command: unknown placeholder {sloot} — in the place of {slot} or {slot:ONE|OTHER}"]),
        ("process: {command: x, ready: {command: 'y {adress}'}}", ["command: unknown placeholder {adress} — known here: {slot}"]),
        ("process: {command: 'x {slot} {slot:1|2} {user_id}'}", []),
        ("docker: {image: x, options: ['-p={hosst}:1']}", ["options: unknown placeholder {hosst} — known here: {slot}"]),
        ("compose: {directory: /srv/c, environment: {PORT: '80{numbr}', A: '{json}'}}", ["PORT: unknown placeholder {numbr} — did you mean '{number}'?"]),
        ("systemd: a\n    cluster: {etcd: {url: 'http://{adress}:1'}}", ["url: unknown placeholder {adress} — did you mean '{address}'?"]),
        ("systemd: a\n    cluster: {etcd: {url: 'http://{slot}:1'}}", ["url: unknown placeholder {slot} — known here: " + KNOWN]),
        ("systemd: a\n    cluster: {etcd: {url: 'http://{whatever}:1'}}", ["url: unknown placeholder {whatever} — known here: " + KNOWN]),
        ("systemd: a\n    cluster: {nats: {monitor: 'http://{hosst}:1', address: '{nam}:1'}}", ["monitor: unknown placeholder {hosst} — did you mean '{host}'?", "address: unknown placeholder {nam} — did you mean '{name}'?"]),
        ("systemd: a\n    cluster: {redis_sentinel: {master: m, address: '{adress}:1', sentinel: '{hosst}:2'}}", ["address: unknown placeholder {adress} — did you mean '{address}'?", "sentinel: unknown placeholder {hosst} — did you mean '{host}'?"]),
        ("systemd: a\n    cluster: {command: {topology: 'x {hosst} {json}', transfer: {run: 'y {grop} {to} {member}'}}}", ["topology: unknown placeholder {hosst} — did you mean '{host}'?", "run: unknown placeholder {grop} — did you mean '{group}'?"]),
        ("systemd: a\n    cluster: {http: {url: 'http://{host}:1', groups: {path: /}, canary: {path: '/{grup}', body: '{\"a\": {group}, {b}}'}}}", ["path: unknown placeholder {grup} — did you mean '{group}'?"]),
        ("systemd: a\n    cluster: {http: {url: 'http://{host}:1', groups: {path: /, id: '{topic}-{shard}'}}}", []),
    ],
)  # fmt: skip
def test_a_service(tmp_path: Path, lines: str, told: list[str]) -> None:
    found = problems(tmp_path, f"{HEAD}    {lines}\n")
    assert [one.split(": ", 1)[1] for one in found] == told


def test_the_client_of_a_cluster(tmp_path: Path) -> None:
    text = (
        HEAD
        + "    systemd: a\n    cluster: {http: {url: 'http://{host}:1', groups: {path: /}}}\n"
        + "prove: {workloads: {api: {addresses: ['http://{host}:1'], write: {path: '/{plce}'}, "
        + "read: {path: '/{place}?{position}&{other}'}}}}\n"
    )
    assert [one.split(": ", 1)[1] for one in problems(tmp_path, text)] == [
        "addresses: unknown placeholder {host} — nothing is filled in here",
        "path: unknown placeholder {plce} — did you mean '{place}'?",
    ]


@pytest.mark.parametrize(
    "balancer",
    [
        "nginx: {include: /x, upstream: u, server: '{adress}:1'}",
        "envoy: {file: /x.yaml, cluster: c, server: '{adress}:1'}",
        "traefik: {file: /x.yaml, service: s, server: 'http://{adress}:1'}",
    ],
)
def test_the_name_of_a_server(tmp_path: Path, balancer: str) -> None:
    text = f"{HEAD}    systemd: a\nbalancers: {{lb: {{{balancer}}}}}\n"
    (told,) = problems(tmp_path, text)
    assert "server: unknown placeholder {adress} — did you mean '{address}'?" in told
