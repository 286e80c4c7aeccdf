"""An unmodified compose project is rolled on a real engine behind a real HAProxy."""

from __future__ import annotations

import time

import pytest

from tests.lab.load import Load

from .shop import Shop

RATE = 50
"""Requests per second of each kind: new connections and kept alive, 100 in all."""


@pytest.fixture
def served(shop: Shop) -> Shop:
    """Version 1 answers through HAProxy."""
    shop.behind_haproxy()
    shop.run("deploy", "--yes", "--reason", "first")
    assert shop.answer() == "1"
    return shop


def test_a_deploy_and_its_rollback_lose_nothing(served: Shop) -> None:
    assert served.containers() == ["shop-web-1 running"]
    assert served.proxy is not None
    with (
        Load(served.proxy.url, rate=RATE, keep_alive=False) as new,
        Load(served.proxy.url, rate=RATE, keep_alive=True) as kept,
    ):
        served.write(VERSION="2")
        began = time.monotonic()
        served.run("deploy", "--yes", "--reason", "second")
        print(f"deploy {time.monotonic() - began:.1f} s")
        assert served.answer() == "2"
        served.run("rollback", "web", "--yes", "--reason", "back")
        assert served.answer() == "1"
        served.run("restart", "web", "--yes", "--reason", "again")
    assert new.report.sent > 200
    assert (new.report.failed, kept.report.failed) == (0, 0), (
        new.report.errors[:5],
        kept.report.errors[:5],
    )
    print(new.report.sent + kept.report.sent, "requests")
    assert len(served.containers()) == 1
    assert list(served.proxy.status()) == []


def test_nothing_to_do_is_exit_0_and_touches_nothing(served: Shop) -> None:
    before = served.ids()
    told = served.run("deploy", "--yes")
    assert served.ids() == before
    assert "othing to do" in told


def test_a_new_copy_that_fails_is_removed_and_its_last_words_are_told(served: Shop) -> None:
    before = served.ids()
    served.write(VERSION="2", BROKEN="yes")
    assert served.proxy is not None
    with Load(served.proxy.url, rate=RATE, keep_alive=False) as load:
        told = served.run("deploy", "--yes", "--reason", "bad", check=4)
    served.lost_nothing(load)
    assert "cannot read its settings" in told
    assert served.ids() == before
    assert served.containers() == ["shop-web-1 running"]
