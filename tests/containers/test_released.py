"""A compose project in the release: what a deploy brings is what the new copy is made of."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import yaml

from .shop import PROGRAM, Shop

TOKEN = "xyzzy-token-1"


class Releases:
    """The project is below ``source``, and goes to ``live`` by a deploy."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.source, self.live = shop.folder / "source", shop.folder / "live"
        (self.source / "app").mkdir(parents=True)
        shutil.copy(PROGRAM, self.source / "app" / "program.py")
        del shop.compose["directory"]
        shop.compose["project"] = "shop"
        shop.settings["release"] = {"directory": str(self.source), "to": str(self.live)}
        self.write()

    def write(self, **environment: str) -> None:
        """Both files, with the project where a deploy looks for it."""
        self.shop.write(**environment)
        (self.shop.folder / "compose.yaml").rename(self.source / "compose.yaml")

    def deploy(self, version: str, check: int = 0) -> str:
        self.write(VERSION=version)
        return self.shop.run("deploy", "--yes", "--reason", version, check=check)

    def version(self) -> str:
        """What the one container that runs was told to be."""
        (one,) = self.shop.ids()
        told = self.inside(one, "/bin/cat", "/proc/1/environ").split("\0")
        return dict(word.split("=", 1) for word in told if word)["VERSION"]

    def live_project(self) -> Any:
        """The service as the live release has it."""
        text = (self.live / "current" / "compose.yaml").read_text()
        return yaml.safe_load(text)["services"]["web"]

    def inside(self, container: str, *words: str) -> str:
        return self.shop.docker("exec", container, *words)


@pytest.fixture
def releases(shop: Shop) -> Releases:
    return Releases(shop)


def test_each_release_brings_its_project_and_a_rollback_the_one_before(releases: Releases) -> None:
    shop = releases.shop
    releases.deploy("1")
    assert releases.version() == "1"
    releases.deploy("2")
    assert releases.version() == "2"
    assert "othing to do" in shop.run("deploy", "--yes")
    shop.run("restart", "web", "--yes", "--reason", "anew")
    assert releases.version() == "2"
    shop.run("rollback", "web", "--yes", "--reason", "back")
    assert releases.version() == "1"
    assert releases.live_project()["environment"]["VERSION"] == "1"
    assert len(shop.containers()) == 1


def test_what_the_new_release_has_copied_in_is_copied_in(releases: Releases) -> None:
    """Compose does that when it starts a container; the release before had nothing of the kind."""
    shop = releases.shop
    releases.deploy("1")
    shop.service["configs"] = ["banner"]
    shop.more = {"configs": {"banner": {"content": TOKEN}}}
    releases.deploy("2")
    (one,) = shop.ids()
    assert releases.inside(one, "/bin/cat", "/banner") == TOKEN
    assert shop.label(one, "gapless.copied") == '["/banner"]'


def test_a_release_that_cannot_be_twice_is_refused_before_anything_is_changed(
    releases: Releases,
) -> None:
    shop = releases.shop
    releases.deploy("1")
    before = shop.ids()
    shop.service["container_name"] = "web"
    releases.write(VERSION="2")
    assert "its compose project comes with the release" in shop.run("plan", "deploy", "web")
    told = releases.deploy("2", check=4)
    assert "container_name: web can be but once" in told
    assert "before anything of web that runs was changed" in told
    assert shop.ids() == before
    assert releases.version() == "1"
    assert releases.live_project()["environment"]["VERSION"] == "1"


def test_a_release_that_mends_its_project_is_not_refused_for_the_one_before(
    releases: Releases,
) -> None:
    shop = releases.shop
    shop.compose["shared"] = ["data"]
    shop.service["volumes"] = [*shop.service["volumes"], "data:/data"]
    shop.more = {"volumes": {"data": {}}}
    releases.deploy("1")
    del shop.compose["shared"]
    told = releases.deploy("1b", check=4)
    assert "both copies would write to data" in told
    shop.service["volumes"] = shop.service["volumes"][:1]
    shop.more = {}
    releases.deploy("2")
    assert releases.version() == "2"
