from __future__ import annotations

from typing import Any

import pytest

from gapless.config.health import HealthConfig
from gapless.drivers.checks.probes import build_probes
from gapless.drivers.transports.base import Probe
from gapless.errors import UsageError
from gapless.model import Instance


def built(*checks: dict[str, Any], host: str = "web1.shop.example") -> tuple[Probe, ...]:
    return build_probes(
        [HealthConfig.model_validate(check) for check in checks],
        Instance("shop.api", host),
        address="10.0.0.1",
        release="v2",
    )


def test_http_with_every_line_of_expect() -> None:
    (probe,) = built(
        {
            "http": {
                "url": "https://{address}:8443/health?of={instance}",
                "headers": {"X-Host": "{name}"},
                "unix": "/run/{service}.sock",
                "tls": "insecure",
                "server_name": "shop.example",
                "expect": {
                    "status": ["2xx", 304],
                    "headers": {"X-Version": "v"},
                    "body": "ok",
                    "json": {"version": "{release}", "parts": [{"host": "{host}"}], "up": True},
                    "path": {"/a": "{release}"},
                },
            },
            "answer": "2s",
        }
    )
    assert (probe.name, probe.kind, probe.answer) == ("http", "http", 2.0)
    assert probe.spec == {
        "url": "https://10.0.0.1:8443/health?of=shop.api@web1.shop.example",
        "method": "GET",
        "headers": {"X-Host": "web1"},
        "unix": "/run/shop.api.sock",
        "insecure": True,
        "server_name": "shop.example",
        "expect": {
            "status": ["2xx", "304"],
            "headers": {"X-Version": "v"},
            "body": "ok",
            "json": {"version": "v2", "parts": [{"host": "web1.shop.example"}], "up": True},
            "path": {"/a": "v2"},
        },
    }


def test_the_short_form_means_the_same() -> None:
    short = built({"http": "http://{host}/", "expect": {"json": {"status": "healthy"}}})
    long = built({"http": {"url": "http://{host}/", "expect": {"json": {"status": "healthy"}}}})
    assert short == long


@pytest.mark.parametrize(
    ("check", "spec"),
    [
        ({"tcp": "{address}:5432"}, {"host": "10.0.0.1", "port": 5432}),
        ({"tcp": "[::1]:5432"}, {"host": "::1", "port": 5432}),
        ({"unix": "/run/{service}.sock"}, {"path": "/run/shop.api.sock"}),
        ({"command": "pg_isready -h {host}"}, {"argv": ["pg_isready", "-h", "web1.shop.example"]}),
        ({"command": ["ls", "a b"], "output": "x{2}"}, {"argv": ["ls", "a b"], "output": "x{2}"}),
    ],
)
def test_the_other_kinds(check: dict[str, Any], spec: dict[str, Any]) -> None:
    (probe,) = built(check)
    assert probe.kind == next(iter(check))
    assert probe.spec == spec


def test_a_check_of_the_state_alone_asks_nothing_more() -> None:
    assert built({"timeout": "5s"}) == ()


def test_an_unknown_placeholder_is_told_with_a_guess() -> None:
    with pytest.raises(UsageError, match=r"\{hots\}") as caught:
        built({"http": "http://{hots}/"})
    assert "{host}" in caught.value.evidence


def test_who_asks_travels_with_the_question() -> None:
    there, here = built({"tcp": "a:1"}, {"tcp": "a:1", "from": "controller"})
    assert "from" not in there.spec
    assert here.spec["from"] == "controller"
