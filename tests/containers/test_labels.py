"""A project that has but Traefik's labels: drained by the health of its containers."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.load import Load

from .engine import Engine
from .fronts import LABELS, Labelled
from .plain import Plain
from .shop import INSIDE, Shop

RATE = 50


@pytest.fixture
def labelled(shop: Shop) -> Shop:
    """Version 1, made by compose alone, answers through Traefik."""
    shop.service["labels"] = LABELS
    shop.compose["cord"] = "500ms"
    shop.settings["health"] = {"http": f"http://{{address}}:{INSIDE}/health", "timeout": "40s"}
    shop.write()
    shop.up()
    shop.behind(Labelled(shop.folder / "front", shop.engine.socket))
    wait_for_answer(shop, "1")
    return shop


def wait_for_answer(shop: Shop, version: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if shop.answer() == version:
                return
        except urllib.error.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"nobody answers {version}")


@pytest.mark.timeout(300)  # three rollouts, each with a health check of its own to wait for
def test_from_the_second_rollout_on_nothing_is_lost(labelled: Shop) -> None:
    """The first one adopts the container that compose made, and says what that costs."""
    assert labelled.front is not None
    labelled.write(VERSION="2")
    told = " ".join(labelled.run("plan", "deploy").split())
    assert "its container has no cord yet" in told
    told = labelled.run("deploy", "--yes", "--reason", "first")
    assert "copy a stays in traffic until it ends (timed)" in " ".join(told.split())
    assert labelled.events("drain.confirmed") == [], "nobody saw it out"
    wait_for_answer(labelled, "2")
    with (
        Load(labelled.front.url, rate=RATE, keep_alive=False) as new,
        Load(labelled.front.url, rate=RATE, keep_alive=True) as kept,
    ):
        labelled.write(VERSION="3")
        told = " ".join(labelled.run("plan", "deploy").split())
        assert "inferred from Traefik's API" in told and "no cord" not in told
        labelled.run("deploy", "--yes", "--reason", "second")
        assert labelled.answer() == "3"
        before = labelled.ids()
        labelled.up()
        assert labelled.ids() == before, "compose believes in it, health check and all"
        labelled.run("rollback", "web", "--yes", "--reason", "back")
        assert labelled.answer() == "2"
    assert (new.report.failed, kept.report.failed) == (0, 0), (
        new.report.errors[:5],
        kept.report.errors[:5],
    )
    assert new.report.sent > 100
    assert len(labelled.containers()) == 1


def test_what_has_no_cord_cannot_be_drained_by_hand(labelled: Shop) -> None:
    told = labelled.run("drain", "web@app1", "--reason", "look at it", check=None)
    assert "it cannot be taken out of traffic" in told
    assert "shop-web-1, no health check, no cord" in " ".join(told.split())
    assert "Drained" not in told
    assert labelled.answer() == "1"
    assert labelled.events("drain.confirmed") == []
    assert "drained by hand" not in labelled.run("status")


@pytest.fixture
def plain(engine: Engine, tmp_path: Path) -> Iterator[Plain]:
    """The same without compose: version 2, which we made, answers through Traefik."""
    made = Plain(engine, tmp_path / "plain")
    made.options += ["--hostname", "kept", "--health-cmd", "exit 0", "--health-interval", "500ms"]
    made.options += [word for item in LABELS.items() for word in ("--label", "=".join(item))]
    made.docker_keys |= {"cord": "500ms", "adopt": "old-web"}
    made.write()
    made.run_by_hand("old-web")
    try:
        made.behind(Labelled(made.folder / "front", engine.socket))
        wait_for_answer(made, "1")
        made.write(VERSION="2")
        made.run("deploy", "--yes", "--reason", "first")
        wait_for_answer(made, "2")
        yield made
    finally:
        made.close()


@pytest.mark.timeout(300)  # as above
def test_a_container_without_compose_can_be_taken_out_and_loses_nothing(plain: Plain) -> None:
    assert plain.front is not None
    (first,) = plain.ids()
    check = plain.docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", first)
    assert "/.gapless-cord" in check and "exit 0" in check, check
    assert plain.docker("inspect", "--format", "{{.Config.Hostname}}", first) == "kept"
    with (
        Load(plain.front.url, rate=RATE, keep_alive=False) as new,
        Load(plain.front.url, rate=RATE, keep_alive=True) as kept,
    ):
        plain.write(VERSION="3")
        told = " ".join(plain.run("plan", "deploy").split())
        assert "inferred from Traefik's API" in told and "no cord" not in told
        plain.run("deploy", "--yes", "--reason", "second")
        assert plain.answer() == "3"
        plain.run("rollback", "web", "--yes", "--reason", "back")
        assert plain.answer() == "2"
    failed = (*new.report.errors[:3], *kept.report.errors[:3])
    assert (new.report.failed, kept.report.failed) == (0, 0), failed
    assert new.report.sent > 100
    assert len(plain.containers()) == 1
