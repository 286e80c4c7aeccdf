# ruff: noqa: E501 - one line a case
"""What ``check`` tells of addresses without asking anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.addresses import CHECK_FIELDS, tcp_objection, url_objection
from gapless.config.health import HealthConfig
from gapless.drivers.checks.probes import build_probes
from gapless.model import Instance
from tests.unit.config.shop import problems, service


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"health": "{http: '127.0.1.1:3001/health'}"}, "8:20: http: '127.0.1.1:3001/health' has no scheme — write http://127.0.1.1:3001/health"),
        ({"health": "{http: 'ftp://a/'}"}, "8:20: http: 'ftp://a/' is not an http or https URL"),
        ({"health": "{http: 'http:///a'}"}, "8:20: http: 'http:///a' names no host"),
        ({"health": "{http: 'http://{host}:70000/'}"}, "8:20: http: there is no port 70000 in 'http://{host}:70000/' — a port is 1 to 65535"),
        ({"health": "{http: 'http://{host}:abc/'}"}, "8:20: http: 'abc' is not a port in 'http://{host}:abc/' — a port is 1 to 65535"),
        ({"health": "{http: 'http://{adress}/'}"}, "8:20: http: unknown placeholder {adress} — did you mean '{address}'?"),
        ({"health": "{http: {url: 'a:80', expect: {json: {v: '{relase}'}, body: 'a{x}', headers: {a: 'b{x}'}}}}"}, "8:26: http: 'a:80' has no scheme — write http://a:80|8:53: v: unknown placeholder {relase} — did you mean '{release}'?"),
        ({"health": "{http: {url: 'http://a/', secrets: {A: 'env:{x}'}, expect: {json: {body: '{relase}', d: {headers: '{hosst}', secrets: '{nam}'}}}}}"}, "8:86: body: unknown placeholder {relase} — did you mean '{release}'?|8:111: headers: unknown placeholder {hosst} — did you mean '{host}'?|8:131: secrets: unknown placeholder {nam} — did you mean '{name}'?"),
        ({"health": "{command: [check, '{hosst}']}"}, "8:31: command: unknown placeholder {hosst} — did you mean '{host}'?"),
        ({"health": "{tcp: 127.0.1.1}"}, "8:19: tcp: '127.0.1.1' has no port — write 127.0.1.1:PORT"),
        ({"health": "{tcp: 'a:99999'}"}, "8:19: tcp: there is no port 99999 in 'a:99999' — a port is 1 to 65535"),
        ({"health": "{tcp: 'a:http'}"}, "8:19: tcp: 'http' is not a port in 'a:http' — a port is 1 to 65535"),
        ({"health": "{tcp: 'http://a:1'}"}, "8:19: tcp: 'http://a:1' is a URL — write host:port"),
        ({"verify": "[{tcp: 'a:1'}, {http: 'a:1'}]"}, "8:35: http: 'a:1' has no scheme — write http://a:1"),
        ({"health": "{timeout: 0s}"}, "8:23: timeout: 0 leaves no time at all; write 500ms, 30s, 5m or 1h30m"),
        ({"health": "{interval: 0}"}, "8:24: interval: 0 leaves no time at all; write 500ms, 30s, 5m or 1h30m"),
    ],
)  # fmt: skip
def test_one_problem(tmp_path: Path, lines: dict[str, str], told: str) -> None:
    assert "|".join(problems(tmp_path, service(**lines))) == told


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "HTTPS://a:1/x?y",
        "http://[::1]:3001/",
        "http://[{address}]:80/",
        "http://{host}/",
    ],
)
def test_urls_that_can_be_asked(url: str) -> None:
    assert url_objection(url) is None


@pytest.mark.parametrize("address", ["a:1", "[::1]:65535", "{address}:80", "[{address}]:80", ":80"])
def test_addresses_that_can_be_asked(address: str) -> None:
    assert tcp_objection(address) is None


@pytest.mark.parametrize("bad", ["notaurl", "http://", "http://a:0/", "http://[::1", ""])
def test_urls_that_cannot_be_asked(bad: str) -> None:
    assert url_objection(bad) is not None


def test_prove_and_balancers_are_looked_at_too(tmp_path: Path) -> None:
    text = service() + (
        "prove: {url: '127.0.1.1:3001'}\n"
        "balancers:\n"
        "  a: {haproxy: {socket: 'lb1', backend: a, server: '{nam}'}}\n"
        "  b: {command: {drain: 'out {adress} {\"x\"}', admit: 'in {name} {print} ${hosts} ${nam}'}}\n"
    )
    assert problems(tmp_path, text) == [
        "8:14: url: '127.0.1.1:3001' has no scheme — write http://127.0.1.1:3001",
        "10:25: socket: 'lb1' has no port — write lb1:PORT",
        "10:52: server: unknown placeholder {nam} — did you mean '{name}'?",
        "11:24: drain: unknown placeholder {adress} — did you mean '{address}'?",
    ]


def test_a_haproxy_socket_is_a_path_or_host_and_port(tmp_path: Path) -> None:
    for socket in ("/run/haproxy.sock", "unix:/run/haproxy.sock", "lb1:9999"):
        text = service() + f"balancers: {{a: {{haproxy: {{socket: '{socket}', backend: a}}}}}}\n"
        assert problems(tmp_path, text) == []


def test_what_check_knows_is_what_probes_fill_in() -> None:
    every = " ".join(f"{{{field}}}" for field in CHECK_FIELDS)
    check = HealthConfig.model_validate({"command": f"echo {every}"})
    (probe,) = build_probes([check], Instance("api", "web1", "a"), address="::1", release="r1")
    assert "{" not in " ".join(probe.spec["argv"])
