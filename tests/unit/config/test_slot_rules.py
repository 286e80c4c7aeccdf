"""Two copies of one instance: who can have them, and what has to differ between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.source import load_config
from tests.unit.config.shop import problems

PAIR = """\
project: shop
hosts: {web1: {}, web2: {}}
balancers:
  edge: {haproxy: {socket: /run/haproxy.sock, backend: shop, server: "{host}-{slot}"}}
services:
  api:
    on: [web1, web2]
    systemd: api@{slot}
    health: {http: "http://{address}:{slot:3001|3002}/health"}
    balancer: edge
"""


def strategy(folder: Path, text: str) -> str:
    file = folder / "gapless.yaml"
    file.write_text(text)
    return load_config(file).project.services["api"].strategy


def test_a_pair_is_started_first_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert strategy(tmp_path, PAIR) == "start-first"
    assert strategy(tmp_path, PAIR + "    rollout: {strategy: rolling}\n") == "rolling"
    one = PAIR.replace("api@{slot}", "api").replace("{slot:3001|3002}", "3001")
    one = one.replace("{host}-{slot}", "{host}")
    assert strategy(tmp_path, one) == "rolling"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{slot:3001|3002}", "3001", "is the same for both copies"),
        ("{host}-{slot}", "{host}", "both copies of api@web1 would be 'web1' of edge"),
        ("api@{slot}", "api", "{slot} means nothing here"),
        ("systemd: api@{slot}", "systemd: {unit: 'api@{slot}', reload: try}", "keeps the copy"),
        ("balancer: edge", "rollout: {strategy: blue-green}", "there is no traffic to switch"),
        (
            "balancer: edge",
            "balancer: edge\n    rollout: {strategy: blue-green, canary: 1}",
            "blue-green switches all instances at once",
        ),
        ("balancer: edge", "rollout: {park: 5m}", "only blue-green keeps an old set"),
        (
            "balancer: edge",
            "balancer: edge\n    verify: [{prometheus: {url: 'http://p:9090',"
            " errors: 'e{instance=\"{address}:{slot}\"}'}}]",
            "a count is of both copies",
        ),
        ("{slot:3001|3002}", "{slot:3001|300x}", "is not a port"),
        ("api@{slot}", "'api {slot}'", "is not the name of a unit"),
    ],
)
def test_what_cannot_be(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in PAIR
    assert any(said in line for line in problems(tmp_path, PAIR.replace(old, new, 1)))


def test_start_first_needs_two_copies(tmp_path: Path) -> None:
    text = PAIR.replace("api@{slot}", "api").replace("{slot:3001|3002}", "3001")
    text += "    rollout: {strategy: start-first}\n"
    assert any("there is but one copy" in line for line in problems(tmp_path, text))


def test_one_file_cannot_be_two_units(tmp_path: Path) -> None:
    (tmp_path / "api.service").write_text("[Service]\nExecStart=/bin/true\n")
    for unit, fine in (("api@{slot}", True), ("api-{slot}", False)):
        systemd = f"systemd: {{unit: '{unit}', file: api.service}}"
        found = problems(tmp_path, PAIR.replace("systemd: api@{slot}", systemd))
        assert any("cannot be both units" in line for line in found) is not fine


PROCESS = "process: {name: 'api-{slot}', command: /srv/api, ready: {notify: true}}"


def test_a_process_with_a_slot_in_its_name_is_a_pair(tmp_path: Path) -> None:
    text = PAIR.replace("systemd: api@{slot}", PROCESS)
    assert strategy(tmp_path, text) == "start-first"
    assert strategy(tmp_path, text + "    rollout: {strategy: blue-green}\n") == "blue-green"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("api-{slot}", "api", "write it as a pair: process: {name: app-{slot}}"),
        ("{notify: true}", "{notify: true}, listen: 3001", "is the same for both"),
        ("{notify: true}", "{tcp: '127.0.0.1:3001'}", "is answered by the old copy, too"),
        ("{slot:3001|3002}", "3001", "is the same for both copies"),
    ],
)
def test_what_two_processes_cannot_share(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = PAIR.replace("systemd: api@{slot}", PROCESS) + "    rollout: {strategy: start-first}\n"
    assert not problems(tmp_path, text)
    assert old in text
    assert any(said in line for line in problems(tmp_path, text.replace(old, new, 1)))
