"""Three instances of a service on one host: replaced one by one, and always exactly three."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.load import Load

from .shop import Shop

RATE = 40

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def three(shop: Shop) -> Shop:
    """The project says three."""
    shop.service["deploy"] = {"replicas": 3}
    shop.compose["replicas"] = 3
    shop.settings["rollout"] = {"batch": 1}
    shop.settings["health"] = {"http": "http://{address}:8080/health", "timeout": "30s"}
    shop.nodes = ["app1"]
    shop.write()
    return shop


@pytest.fixture
def served(three: Shop) -> Shop:
    """Version 1 answers through HAProxy."""
    three.behind_haproxy()
    three.run("deploy", "--yes", "--reason", "first")
    assert versions(three) == {"1": 3}
    return three


def versions(shop: Shop) -> Counter[str]:
    """How many containers run each, each in a place of its own."""
    found = [shop.docker("inspect", "--format", "{{.Config.Env}}", one) for one in shop.ids()]
    assert len(shop.containers()) == len(found), shop.containers()
    return Counter(one.partition("VERSION=")[2].split()[0].rstrip("]") for one in found)


def places(shop: Shop) -> list[str]:
    """Which of the instances each container is of."""
    return sorted(shop.label(one, "gapless.number").strip() for one in shop.ids())


@contextmanager
def counted(shop: Shop) -> Iterator[list[int]]:
    """How many containers ran, looked at all the time."""
    seen, over = [0], threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.append(len(shop.ids()))

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def test_one_more_at_a_time_and_nothing_is_lost(served: Shop) -> None:
    assert served.proxy is not None
    with counted(served) as seen, Load(served.proxy.url, rate=RATE, keep_alive=False) as load:
        served.write(VERSION="2")
        served.run("deploy", "--yes", "--reason", "second")
        assert versions(served) == {"2": 3}
        served.run("rollback", "web", "--yes", "--reason", "back")
    assert load.report.sent > 200
    served.lost_nothing(load)
    assert max(seen) == 4
    assert versions(served) == {"1": 3}
    assert places(served) == ["1", "2", "3"]
    assert len(served.proxy.status()) == 0


def test_two_at_a_time_are_made_one_after_another(served: Shop) -> None:
    served.settings["rollout"] = {"batch": 3}
    served.write(VERSION="2")
    with counted(served) as seen:
        served.run("deploy", "--yes", "--reason", "second")
    assert max(seen) <= 6
    assert versions(served) == {"2": 3}
    assert places(served) == ["1", "2", "3"]
    before = served.ids()
    served.up()  # as a person might
    assert served.ids() == before


def test_those_of_compose_are_taken_over_and_one_is_meant_by_its_number(three: Shop) -> None:
    three.up()
    before = set(three.ids())
    three.write(VERSION="2")
    three.run("deploy", "--yes", "--hosts", "app1/2", "--reason", "one")
    assert len(before & set(three.ids())) == 2
    assert versions(three) == {"1": 2, "2": 1}
    assert places(three) == ["", "", "2"]
    three.run("deploy", "--yes", "--reason", "all")
    assert versions(three) == {"2": 3}
    assert places(three) == ["1", "2", "3"]


def test_one_that_is_missing_is_made_and_one_too_many_is_refused_by_name(three: Shop) -> None:
    three.run("deploy", "--yes", "--reason", "first")
    gone = next(one for one in three.ids() if three.label(one, "gapless.number").strip() == "2")
    others = set(three.ids()) - {gone}
    three.docker("rm", "--force", gone)
    three.run("deploy", "--yes", "--reason", "again")
    assert others < set(three.ids())
    assert places(three) == ["1", "2", "3"]
    three.up("--no-recreate", "--scale", "web=4")
    three.write(VERSION="2")
    told = three.run("deploy", "--yes", "--reason", "too many", check=3)
    assert "shop-web-4 besides the 3" in told
    assert versions(three) == {"1": 4}


def test_a_project_that_means_another_number_is_refused(three: Shop) -> None:
    three.up()
    three.service["deploy"] = {"replicas": 2}
    three.write(VERSION="2")
    told = three.run("deploy", "--yes", "--reason", "not the same", check=3)
    assert "2 replicas" in told
    assert "compose: {replicas: 2}" in told


@pytest.mark.parametrize("step", ["switch", "retire"])
def test_three_are_left_of_one_version_when_the_controller_was_killed(
    served: Shop, step: str
) -> None:
    """In the middle of the second of them; abort and resume find the same."""
    assert served.proxy is not None
    with Load(served.proxy.url, rate=RATE, keep_alive=False) as load:
        for command, status, version in (("abort", 4, "1"), ("resume", 0, "2")):
            served.write(VERSION="2")
            controller = served.start("deploy", "--yes", "--reason", "second")
            try:
                served.wait_for("step.started", step, "app1/2", seconds=200)
            finally:
                controller.kill()
                controller.wait()
            told = served.run(command, check=status)
            assert versions(served) == {version: 3}, told
            assert places(served) == ["1", "2", "3"]
    served.lost_nothing(load)
