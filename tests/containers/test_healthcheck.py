"""Where health: asks nothing, a container's own HEALTHCHECK is asked, and not at its interval."""

from __future__ import annotations

import time
from typing import Any

from tests.lab.load import Load

from . import image
from .shop import Shop

WEB = "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health', timeout=2)"
SELDOM = 300
"""Seconds between two questions of the engine itself."""


def checked(shop: Shop, *test: str, **more: Any) -> None:
    shop.settings["health"] = []
    shop.service["healthcheck"] = {"test": ["CMD", *test], "interval": f"{SELDOM}s", **more}
    shop.write()


def test_readiness_never_waits_for_the_interval_of_the_engine(shop: Shop) -> None:
    proxy = shop.behind_haproxy()
    checked(shop, image.PYTHON, "-c", WEB)
    began = time.monotonic()
    shop.run("deploy", "--yes", "--reason", "first")
    with Load(proxy.url, rate=50, keep_alive=False) as load:
        shop.write(VERSION="2", START="2")
        shop.run("deploy", "--yes", "--reason", "second")
    assert time.monotonic() - began < SELDOM
    assert shop.answer() == "2"
    shop.lost_nothing(load)
    status = "{{.State.Health.Status}}"
    assert shop.docker("inspect", "--format", status, shop.ids()[0]) == "starting"
    assert "HEALTHCHECK" not in shop.run("plan", "restart", "web")


def test_a_copy_whose_test_fails_is_taken_back_with_its_answer(shop: Shop) -> None:
    checked(shop, image.PYTHON, "-c", WEB)
    shop.run("deploy", "--yes", "--reason", "first")
    before = shop.ids()
    shop.settings["health"] = {"timeout": "10s"}  # its test starts a Python, on a busy machine too
    shop.write(ILL="yes")
    told = shop.run("deploy", "--yes", "--reason", "second", check=4)
    assert "HEALTHCHECK of shop-web-2 → exit 1" in told.replace("\n", " "), told
    assert shop.ids() == before


def test_a_test_that_hangs_is_killed_and_says_so(shop: Shop) -> None:
    shop.settings["soak"] = "0s"
    checked(shop, "/bin/sleep", "1000", timeout="1s")
    shop.settings["health"] = {"timeout": "2s"}
    shop.service["labels"] = {"first": "yes"}
    shop.write()
    shop.up()
    told = shop.run("restart", "web", "--yes", "--reason", "again", check=3)
    assert "no answer within 1 s" in told, told
    inside = shop.docker("top", "shop-web-1")
    assert "sleep" not in inside, inside


def test_without_any_check_plan_and_result_say_so(shop: Shop) -> None:
    shop.settings["health"] = []
    shop.write()
    shop.run("deploy", "--yes", "--reason", "first")
    shop.write(VERSION="2")
    for args in (("plan", "deploy", "web"), ("deploy", "--yes", "--reason", "second")):
        told = " ".join(shop.run(*args).split())
        assert "it cannot be told whether it is well: it has no HEALTHCHECK" in told, told
