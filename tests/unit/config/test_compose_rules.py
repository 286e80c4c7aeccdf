"""A service of a compose project: where it is, how it is called, which strategies there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.source import load_config
from tests.unit.config.shop import problems

SHOP = """\
project: shop
hosts: {app1: {}}
services:
  web:
    on: [app1]
    compose: /srv/shop
    health: {http: "http://{address}:8080/health"}
"""
RELEASE = "    release: {directory: web, to: /srv/web}\n"


def test_a_folder_is_enough_and_it_is_started_first(tmp_path: Path) -> None:
    file = tmp_path / "gapless.yaml"
    file.write_text(SHOP)
    web = load_config(file).project.services["web"]
    assert (web.compose_folder, web.strategy) == ("/srv/shop", "start-first")


@pytest.mark.parametrize(
    ("folder", "inside"),
    [("/srv/web/current", "."), ("/srv/web/current/a/../b", "b"), ("/srv/web", None)],
)
def test_a_project_is_in_the_release_or_beside_it(
    tmp_path: Path, folder: str, inside: str | None
) -> None:
    file = tmp_path / "gapless.yaml"
    there = SHOP.replace("/srv/shop", f"{{directory: {folder}, project: shop}}")
    file.write_text(there + RELEASE + "    config: [{file: web.env, to: /srv/shop/.env}]\n")
    (tmp_path / "web").mkdir()
    (tmp_path / "web.env").write_text("A=1\n")
    assert load_config(file).project.services["web"].compose_inside == inside


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        (SHOP.replace("compose: /srv/shop", "compose: {service: web}"), "where the project is"),
        (SHOP.replace("compose: /srv/shop", "compose: {service: web}") + RELEASE, "its name"),
        (SHOP + "    rollout: {strategy: rolling}\n", "reach: host"),
        (SHOP.replace("{address}", "localhost"), "ask it at its own: {address}"),
        (SHOP.replace("/srv/shop", "srv/shop"), "directory"),
        (SHOP.replace("/srv/shop", "/srv/web/current/app") + RELEASE, "its name"),
        (SHOP + "    config: [{file: new.yml, to: /srv/shop/compose.yml}]\n", "bring its .env"),
    ],
    ids=[
        *("nowhere", "each release another name", "another address", "either answers", "relative"),
        *("in the release", "asked too early"),
    ],
)
def test_what_could_not_work_is_told(tmp_path: Path, changed: str, wanted: str) -> None:
    assert wanted in "\n".join(problems(tmp_path, changed))
