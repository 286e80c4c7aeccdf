"""What people are told of containers: what runs, of which image, what is wrong with it, and what to
type next. Each command that is told is typed."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from . import image
from .plain import Plain
from .shop import Shop

NOTHING = "every instance is where it should be"
ONE, TWO = f"{image.NAME}:1", f"{image.NAME}:2"


def test_one_that_runs_and_gets_no_traffic_is_told_with_the_command_for_it(shop: Shop) -> None:
    shop.behind_haproxy()
    shop.up()
    for told in (shop.run("plan", "deploy", "web"), shop.run("deploy", "web", "--yes")):
        assert "edge has no member for it" in told
        assert "gapless admit web@app1" in told
        assert NOTHING not in told.replace("not every instance", "")
    shop.run("admit", "web@app1")
    assert shop.answer() == "1"
    assert NOTHING in shop.run("deploy", "web", "--yes")
    shop.run("drain", "web@app1", "--reason", "new disk")
    told = shop.run("deploy", "web", "--yes")
    assert "gets no traffic: drained by hand" in told
    assert "new disk" in told


def test_images_are_told_old_and_new(shop: Shop) -> None:
    moved = shop.engine.tag("2", "LABEL version=2")
    shop.up()
    assert ONE in shop.run("status")
    shop.service["image"] = TWO
    shop.write()
    assert f"{ONE} → {TWO}" in shop.run("plan", "deploy", "web")
    assert f"web  {TWO}: app1" in shop.run("deploy", "--yes")
    assert f"{TWO} → {ONE}" in shop.run("plan", "rollback", "web")
    now = shop.engine.tag("2", "LABEL version=3")
    told = shop.run("plan", "deploy", "web")
    assert f"{TWO}@{_short(moved)} → {TWO}@{_short(now)}" in told
    shop.write(VERSION="2")
    shop.run("deploy", "--yes")
    shop.write(VERSION="3")
    assert f"{TWO} with new settings" in shop.run("plan", "deploy", "web")


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]


@pytest.mark.parametrize(
    ("wrong", "what", "mend"),
    [
        (
            {"service": "wbe"},
            "has no service 'wbe', it has web — did you mean 'web'?",
            "web.compose",
        ),
        ({"directory": "/nowhere"}, "cannot enter the folder /nowhere", "web.compose.directory"),
        ({"socket": "/nowhere.sock"}, "no answer of the engine at /nowhere.sock", "compose.socket"),
        ({"engine": "dokcer"}, "there is no program dokcer", "web.compose.engine"),
    ],
)
def test_a_project_that_cannot_be_asked_is_told_once_and_where_to_mend_it(
    shop: Shop, wrong: dict[str, str], what: str, mend: str
) -> None:
    shop.compose |= wrong
    shop.write()
    for words, code in (("deploy", "--yes"), 3), (("doctor",), 3), (("plan", "deploy"), 0):
        told = shop.run(*words, check=code)
        screen = " ".join(re.split(r"\n\d\d:\d\d:", told)[0].split()).replace(" GL-202", "")
        assert screen.count(what) == 1, told
        assert mend in screen
        assert "GL-509" not in told


def test_an_engine_that_is_not_there_is_told_of_docker_as_well(plain: Plain) -> None:
    plain.docker_keys["socket"] = "/nowhere.sock"
    plain.write()
    told = " ".join(plain.run("deploy", "--yes", check=3).split())
    assert "docker --host unix:///nowhere.sock version on app1" in told
    assert "mend services.web.docker.socket in gapless.yaml" in told


def test_the_way_that_is_told_for_one_that_cannot_be_twice_is_a_way(shop: Shop) -> None:
    shop.service["volumes"].append("data:/data")
    shop.more = {"volumes": {"data": {}}}
    shop.write()
    shop.up()
    shop.write(VERSION="2")
    told = " ".join(shop.run("deploy", "--yes", check=3).split())
    assert "rollout: {strategy: rolling} and compose: {reach: host}" in told
    shop.settings |= {"rollout": {"strategy": "rolling"}, "health": {"command": "true"}}
    shop.compose["reach"] = "host"
    shop.write()
    assert "restored" not in shop.run("deploy", "--yes")
    assert "VERSION=2" in shop.docker("inspect", "--format", "{{.Config.Env}}", *shop.ids())


def test_one_that_was_killed_is_told_as_killed_and_none_is_said_to_serve(plain: Plain) -> None:
    plain.run("deploy", "--yes")
    pid = int(plain.docker("inspect", "--format", "{{.State.Pid}}", *plain.ids()))
    os.kill(pid, signal.SIGKILL)
    plain.docker("wait", "web-a")
    assert "with status 137 (killed)" in plain.run("status")
    told = plain.run("plan", "deploy")
    assert "does not run now" in told
    assert "serves all the while" not in told


def test_checks_that_nobody_asks_did_not_pass(plain: Plain) -> None:
    whole = plain._gapless
    plain._gapless = lambda: _without_health(whole())  # type: ignore[method-assign]
    plain.write()
    plain.run("deploy", "--yes")
    (row,) = [line for line in plain.run("status").splitlines() if line.startswith("web")]
    assert row.endswith("none")


def _without_health(whole: dict[str, object]) -> dict[str, object]:
    whole["services"]["web"].pop("health")  # type: ignore[index]
    return whole


def test_fewer_of_a_service_are_told_and_one_after_another_goes(shop: Shop) -> None:
    shop.behind_haproxy()
    _several(shop, 2)
    shop.run("deploy", "--yes")
    _several(shop, 1)
    told = " ".join(shop.run("deploy", "--yes").split())
    assert "besides it" in told
    told = " ".join(shop.run("doctor", check=3).split())
    found = re.search(
        r"replicas: 2 once more, (gapless drain web@HOST/2), (docker .*? rm --force \S+),", told
    )
    assert found is not None, told
    _several(shop, 2)
    shop.run(*found[1].replace("HOST", "app1").split()[1:])
    subprocess.run(found[2].split(), env=shop.engine.env, check=True)
    _several(shop, 1)
    assert NOTHING in shop.run("deploy", "--yes")
    assert len(shop.containers()) == 1
    assert shop.answer() == "1"


def _several(shop: Shop, number: int) -> None:
    shop.service["deploy"] = {"replicas": number}
    shop.compose["replicas"] = number
    shop.write()
