"""What verify takes, and what it refuses, each at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gapless.config.definitions import from_definitions, to_definitions
from gapless.config.slow_patterns import trap
from gapless.config.source import check_config, load_config
from gapless.config.verify import VerifyConfig
from gapless.plans import Plan

LEVEL = {
    "url": "http://p:9090",
    "query": 'chronik_produce_latency_seconds{quantile="0.99",instance="{address}:1"}',
    "most": 0.1,
}
PROMETHEUS = {"url": "http://p:9090/", "errors": 'errors_total{instance="{address}:1"}'}


def file(folder: Path, verify: Any, **service: Any) -> Path:
    whole = {
        "project": "shop",
        "hosts": {"web1": {}},
        "balancers": {"edge": {"haproxy": {"socket": "/run/h.sock", "backend": "shop"}}},
        "services": {"api": {"on": ["web1"], "systemd": "api", "verify": verify, **service}},
    }
    path = folder / "gapless.yaml"
    path.write_text(yaml.safe_dump(whole), "utf-8")
    return path


def told(folder: Path, verify: Any, **service: Any) -> list[str]:
    return [str(problem) for problem in check_config(file(folder, verify, **service))]


GOOD: list[dict[str, Any]] = [
    {"http": "http://localhost:1/"},
    {
        "endpoints": [
            "http://{host}:1/a",
            {"url": "http://{host}:1/b", "method": "POST", "body": "{}"},
        ]
    },
    {"endpoints": {"base": "http://{host}:1/", "ask": ["/a", "/b"]}, "retries": 1},
    {"openapi": "http://{host}:7231/?spec"},
    {"openapi": {"spec": "api.yaml", "base": "http://{host}:1", "secrets": {"A": "env:B"}}},
    {"level": {**LEVEL, "times": 2, "floor": 0.01, "secrets": {"Authorization": "env:TOKEN"}}},
    {"logs": {"patterns": {"cassandra": "NoHostAvailable|([a-z]+[.])*Timeout"}, "alpha": 0.01}},
    {"logs": {"files": ["/var/log/{service}/*.log"], "level": "warning", "ignore": ["harmless"]}},
    {"prometheus": PROMETHEUS},
    {"graphite": {"url": "https://g", "errors": "shop.{name}.5xx", "baseline": "20m"}},
    {"elasticsearch": {"url": "http://e:9200", "errors": "host:{name}", "alive": "*"}},
    {"loki": {"url": "http://l:3100", "errors": '{host="{name}"} |= "ERROR"'}},
    {"balancer_errors": {}},
    {"balancer_errors": "edge"},
]


def test_every_kind_is_taken_and_travels_in_a_plan(tmp_path: Path) -> None:
    path = file(tmp_path, GOOD, balancer="edge")
    assert [str(problem) for problem in check_config(path)] == []
    loaded = load_config(path)
    definitions = to_definitions(loaded, ["api"])
    plan = type("P", (), {"definitions": definitions})()
    again: Plan = plan  # type: ignore[assignment]
    verify = from_definitions(again).services["api"].verify
    assert verify == loaded.project.services["api"].verify
    assert [entry.kind for entry in verify][:3] == ["", "endpoints", "endpoints"]
    assert [entry.judge is not None for entry in verify] == [False] * 6 + [True] * 8
    assert verify[2].endpoints is not None
    assert [check.url for check in verify[2].endpoints.checks] == [
        "http://{host}:1/a",
        "http://{host}:1/b",
    ]
    assert verify[4].openapi is not None
    assert verify[4].openapi.spec == str(tmp_path / "api.yaml")
    assert verify[4].secret_references == ("env:B",)
    assert verify[5].secret_references == ("env:TOKEN",)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"http": "http://a/", "logs": {}}, "http and logs are two checks"),
        ({"logs": {}, "loki": {"url": "http://l", "errors": "{}"}}, "logs and loki are two checks"),
        ({"endpoints": ["/a"]}, "'/a' is a path; give base"),
        ({"endpoints": []}, "endpoints asks nothing"),
        ({"endpoints": ["localhost/a"]}, "has no scheme"),
        ({"endpoints": ["http://{hst}/a"]}, "unknown placeholder {hst}"),
        ({"endpoints": ["http://u:pw@h/a"]}, "the URL holds a password"),
        ({"openapi": "api.yaml"}, "a file does not say where to ask"),
        ({"logs": {"level": "none"}}, "counts nothing"),
        ({"logs": {"patterns": {"a": "("}}}, "is not a regular expression"),
        ({"logs": {"patterns": {"a": "(a+)+"}}}, "may take for ever on one line: (a+)+"),
        ({"logs": {"files": ["a.log"]}}, "must be an absolute path"),
        ({"logs": {"unit": "a.service", "files": ["/a"]}}, "two logs"),
        ({"prometheus": {**PROMETHEUS, "errors": "rate(a[5m])"}}, "is not a counter"),
        (
            {"prometheus": {**PROMETHEUS, "errors": 'a{i="{adress}"}'}},
            "unknown placeholder {adress}",
        ),
        ({"prometheus": {**PROMETHEUS, "url": "p:9090"}}, "write http(s)://"),
        ({"prometheus": {**PROMETHEUS, "url": "http://u:pw@p"}}, "the URL holds a password"),
        (
            {"prometheus": {**PROMETHEUS, "headers": {"A": "b"}, "secrets": {"a": "env:B"}}},
            "a is given in headers and in secrets",
        ),
        ({"level": {"url": "http://p", "query": "lag"}}, "give most, times, or both"),
        ({"level": {**LEVEL, "floor": 0.01}}, "give times, too"),
        ({"level": {**LEVEL, "times": 2, "floor": 7}}, "floor is above most"),
        ({"level": {**LEVEL, "times": 0.5}}, "times: must be 1.0 or more"),
        ({"level": {**LEVEL, "query": 'a{i="{adress}"}'}}, "unknown placeholder {adress}"),
        ({"level": {**LEVEL, "url": "http://u:pw@p"}}, "the URL holds a password"),
        ({"level": {**LEVEL, "extend": "1h"}}, "defaults.host_deadline ends all steps"),
        ({"level": LEVEL, "logs": {}}, "level and logs are two checks"),
        ({"elasticsearch": {"url": "http://e", "errors": "x"}}, "give total or alive"),
        ({"balancer_errors": {}}, "the service has no balancer"),
        ({"promtheus": PROMETHEUS}, "did you mean"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    problems = told(tmp_path, entry)
    assert any(said in problem for problem in problems), problems


def test_a_service_without_a_unit_says_which_log(tmp_path: Path) -> None:
    command = {"start": "a", "stop": "b", "status": "c"}
    problems = told(tmp_path, {"logs": {}}, systemd=None, command=command)
    assert any("has no unit of its own" in problem for problem in problems), problems


def test_a_strange_balancer_is_told(tmp_path: Path) -> None:
    problems = told(tmp_path, {"balancer_errors": "edgy"}, balancer="edge")
    assert any("'edgy' is not a balancer of the service" in problem for problem in problems)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(?:x+|y)*", r"(\w+\s?)+$", "((a+))*", "(?P<x>.*)*", "(a*){2,}", "(a+?)+"],
)
def test_a_repetition_of_nothing_but_repetitions_is_a_trap(pattern: str) -> None:
    assert trap(pattern)
    with pytest.raises(ValueError, match="may take for ever"):
        VerifyConfig.model_validate({"logs": {"patterns": {"a": pattern}}})


@pytest.mark.parametrize(
    "pattern",
    [r"([a-z]+\.)*Exception", "(ab)+c+", "[a+]+", r"\(a+\)+", "(a|b)+", "(a+b)?", "a{2,}", "(a+)?"],
)
def test_what_has_something_between_is_none(pattern: str) -> None:
    assert not trap(pattern)
