"""Which value of a variable a template finds, and what the file may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.source import check_config
from gapless.config.template_names import names_for, references_for
from tests.unit.drivers.config_files.site import project

HEAD = """\
project: shop
hosts: {web1: {}, web2: {}}
services:
  api:
    on: [web1, web2]
    systemd: api.service
"""


@pytest.mark.parametrize(
    ("service", "host", "level"),
    [
        ("api", "web1", "host"),
        ("api", "web2.shop.example", "web"),
        ("store", "web1", "service"),
        ("store", "web2.shop.example", "service"),
    ],
)
def test_the_special_wins_over_the_general(
    tmp_path: Path, service: str, host: str, level: str
) -> None:
    names = names_for(project(tmp_path).project, service, host, "r1")
    assert names["level"] == level
    assert names["from_all"] == 1


def test_a_later_group_of_the_host_wins_and_replaces_whole(tmp_path: Path) -> None:
    config = project(tmp_path).project
    assert names_for(config, "api", "web1", "")["ports"] == {"https": 443}
    assert names_for(config, "api", "web2.shop.example", "")["ports"] == {"http": 80}


def test_an_environment_merges_each_place_before(tmp_path: Path) -> None:
    config = project(tmp_path, environment="staging").project
    names = names_for(config, "api", "web2.shop.example", "")
    assert names["level"] == "all", "null took the group's away, and all comes after the project"
    assert config.variables["ports"] == {"http": 8080, "ssh": 22}
    assert config.variables["level"] == "staging"


def test_facts(tmp_path: Path) -> None:
    names = names_for(project(tmp_path, environment="staging").project, "api", "web1", "r1")
    facts = ("project", "environment", "service", "host", "name", "address", "zone", "release")
    assert [names[fact] for fact in facts] == [
        "shop", "staging", "api", "web1", "web1", "web1", "a", "r1",
    ]  # fmt: skip
    assert names["groups"] == ["web", "fast"]
    other = names_for(project(tmp_path).project, "api", "web2.shop.example", "")
    assert [other[fact] for fact in ("environment", "name", "address", "zone", "release")] == [
        "", "web2", "10.0.0.2", "", "",
    ]  # fmt: skip


def test_secrets_have_the_same_order(tmp_path: Path) -> None:
    config = project(tmp_path).project
    assert references_for(config, "api", "web1") == {"db": "env:WEB_DB", "other": "env:OTHER"}
    assert references_for(config, "store", "web1")["db"] == "env:STORE_DB"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("variables: {host: a}", "7:13: host: is known to every template already"),
        ("variables: {a-b: a}", "7:13: a-b: cannot be a name in templates: letters, digits and _"),
        ("variables: {if: a}", "7:13: if: cannot be a name in templates: it is a word of their"),
        ("variables: {a: 1, 1x: 2}", "7:19: 1x: cannot be a name in templates: it begins with a"),
        ("secrets: {1x: 'env:A'}", "7:11: 1x: cannot be a name in templates: it begins with a"),
        (
            "    variables: {1x: a}",
            "7:17: 1x: cannot be a name in templates: it begins with a digit",
        ),
        ("groups: {all: {variables: {1x: a}}}", "7:28: 1x: cannot be a name in templates"),
        ("environments: {a: {variables: {1x: a}}}", "7:32: 1x: cannot be a name in templates"),
        ("secrets: {db: hunter2}", "a secret is a reference"),
        ("groups: {wbe: {}}", "7:10: no host is in group 'wbe'"),
        ("    config: [{to: /etc/a}]", "7:14: config: give exactly one of template, file"),
        ("    config: [{file: a, template: b, to: /etc/a}]", "give exactly one of template, file"),
        ("    config: [{file: a, to: etc/a}]", "7:28: to: 'etc/a' must be an absolute path"),
        ("    config: [{file: a, to: /etc/a/}]", "must be the plain path of a file — write /etc/a"),
        ("    config: [{file: a, to: //etc/../a}]", "must be the plain path of a file — write /a"),
        ("    config: [{file: a, to: '/etc/{host}'}]", "{host} would be part of the name"),
        ("    config: [{file: a, to: /proc/sys/a}]", "to: '/proc/sys/a' is the kernel's"),
        ("    config: [{file: a, to: /var/lib/gapless/a}]", "is in the state of gapless"),
        ("    config: [{file: a, to: /etc/a, mode: 9}]", "write permission bits in octal"),
        ("    config: [{file: a, to: /etc/a, mode: 4755}]", "write permission bits in octal"),
        ("    config: [{file: a, to: /etc/a, validate: true /etc/a}]", "{file} is nowhere"),
        (
            "    config: [{file: a, to: /etc/a}, {file: b, to: /etc/a}]",
            "to: two entries would write /etc/a on one machine",
        ),
        (
            "    config: [{file: a, to: /srv/api/current/a}]\n"
            "    release: {directory: a, to: /srv/api}",
            "is inside the release's folder /srv/api",
        ),
        (
            "    config: [{file: a, to: /etc/a}]\n"
            "  store: {on: [web1], systemd: s, config: [{file: a, to: /etc/a}]}",
            "8:58: to: 'api' and 'store' would write /etc/a on one machine",
        ),
    ],
)
def test_what_cannot_be(tmp_path: Path, more: str, told: str) -> None:
    file = tmp_path / "gapless.yaml"
    file.write_text(f"{HEAD}{more}\n")
    problems = [str(problem).removeprefix(f"{file}:") for problem in check_config(file)]
    assert any(told in problem for problem in problems), problems


def test_a_mode_survives_the_plan(tmp_path: Path) -> None:
    config = project(tmp_path, "[{file: a, to: /etc/a, mode: 0640}]").project.services["api"]
    data = config.model_dump(mode="json", by_alias=True)
    assert data["config"][0]["mode"] == "0640"
    assert type(config).model_validate(data).config == config.config
