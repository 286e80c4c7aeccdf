"""One release is live in a folder, so nobody else has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.shop import problems

CONFIG = """\
project: shop
hosts:
  a: {{{a}}}
  b: {{{b}}}
services:
  api: {{on: [{on}], systemd: api, release: {{directory: ., to: /srv/api}}}}
  job: {{on: [{job}], systemd: job, release: {{directory: ., to: {to}}}}}
"""
HINT = "one release is live in a folder; give each service and host one of its own"


def told(folder: Path, **words: str) -> list[str]:
    usual = {"a": "", "b": "", "on": "a, b", "job": "a", "to": "/srv/job"}
    return problems(folder, CONFIG.format(**{**usual, **words}))


@pytest.mark.parametrize(
    ("hosts", "machine"),
    [
        ({"a": "transport: local", "b": "transport: local"}, "this machine"),
        ({"a": "address: 10.0.0.1", "b": "address: 10.0.0.1"}, "10.0.0.1"),
    ],
)
def test_two_names_of_one_machine(tmp_path: Path, hosts: dict[str, str], machine: str) -> None:
    (problem,) = told(tmp_path, **hosts)
    assert problem.endswith(f": to: a and b would share /srv/api on {machine} — {HINT}")
    assert problem.startswith("6:")


@pytest.mark.parametrize("to", ["/srv/api", "/srv//api/"])
def test_two_services_on_one_host(tmp_path: Path, to: str) -> None:
    (problem,) = told(tmp_path, to=to)
    assert problem.startswith("7:")
    assert problem.endswith(f": to: 'api' and 'job' would share /srv/api on a — {HINT}")


def test_each_has_its_own(tmp_path: Path) -> None:
    assert told(tmp_path) == []
    assert told(tmp_path, on="a", job="b", to="/srv/api") == []
    assert told(tmp_path, a="transport: local", b="address: 10.0.0.1") == []
