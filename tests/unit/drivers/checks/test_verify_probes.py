"""Endpoints and descriptions become questions; kinds with numbers become sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.project import ProjectConfig
from gapless.config.verify import VerifyConfig
from gapless.drivers import registry
from gapless.drivers.checks.probes import build_probes
from gapless.drivers.transports.base import Probe
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import UsageError
from gapless.model import Instance


def built(check: dict[str, Any]) -> tuple[Probe, ...]:
    config = VerifyConfig.model_validate(check)
    return build_probes([config], Instance("shop", "web1.example"), address="10.0.0.1")


def test_each_endpoint_is_a_question() -> None:
    body = '{"a": "{name}"}'
    first, second = built(
        {
            "endpoints": {
                "base": "http://{address}:80",
                "ask": [
                    {"url": "/a", "method": "POST", "body": body, "secrets": {"X": "env:Y"}},
                    "https://{host}/b",
                ],
            },
            "from": "controller",
            "answer": "2s",
        }
    )
    assert (first.name, first.kind, first.answer) == ("endpoint", "http", 2.0)
    assert first.spec["url"] == "http://10.0.0.1:80/a"
    assert (first.spec["send"], first.spec["secrets"]) == ('{"a": "web1"}', {"X": "env:Y"})
    assert first.spec["from"] == second.spec["from"] == "controller"
    assert second.spec["url"] == "https://web1.example/b"
    assert "send" not in second.spec


def test_a_description_is_one_question(tmp_path: Path) -> None:
    (probe,) = built({"openapi": "http://{host}:7231/?spec", "timeout": "40s", "answer": "3s"})
    assert (probe.kind, probe.answer, probe.spec["each"]) == ("openapi", 40.0, 3.0)
    assert probe.spec["spec"] == "http://web1.example:7231/?spec"
    file = tmp_path / "api.yaml"
    file.write_text("paths:\n  /a: {get: {x-since: 2026-01-01}}\n")
    (probe,) = built({"openapi": {"spec": str(file), "base": "http://{host}:1"}})
    assert probe.spec["document"] == {"paths": {"/a": {"get": {"x-since": "2026-01-01"}}}}
    assert probe.spec["base"] == "http://web1.example:1"


@pytest.mark.parametrize("text", [None, "a: [", "text", "paths: 7"])
def test_a_file_that_is_no_description_is_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "api.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match="OpenAPI description"):
        built({"openapi": {"spec": str(file), "base": "http://{host}:1"}})


def test_every_kind_of_rate_has_a_driver() -> None:
    verify = [
        {"http": "http://localhost/"},
        {"logs": {"patterns": {"cassandra": "NoHost"}, "alpha": 0.01}},
        {"logs": {"level": "none", "patterns": {"disk": "full"}}},
        {"prometheus": {"url": "http://p", "errors": "a_total"}},
        {"graphite": {"url": "http://g", "errors": "a"}},
        {"elasticsearch": {"url": "http://e", "errors": "a", "alive": "b"}},
        {"loki": {"url": "http://l", "errors": "{}"}},
        {"balancer_errors": {}},
    ]
    service = {"on": ["web1"], "systemd": "shop", "verify": verify}
    config = ProjectConfig.model_validate(
        {"project": "shop", "hosts": {"web1": {}}, "services": {"shop": service}}
    )
    rates = ProjectAssembly(config, LoopClock()).rates("shop")
    assert [source.name for _, source in rates] == [
        "logs (error)",
        "logs (cassandra)",
        "logs (disk)",
        "prometheus",
        "graphite",
        "elasticsearch",
        "loki",
        "balancer errors",
    ]
    assert [judge.alpha for judge, _ in rates][:3] == [0.01, 0.01, 0.001]
    kinds = {entry.kind for entry in config.services["shop"].verify if entry.judge}
    assert kinds == set(registry.RATES)
