"""What can go wrong with containers: the old copy serves on, nothing is doubled, and it is told.

Each through the command line, on a real engine, with clients in between.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from gapless.drivers.runtimes.engine_script import script
from gapless.drivers.runtimes.engine_script.unfinished import Making
from gapless.hostside.container_engine import Engine as Asked
from tests.lab.load import Load

from . import image
from .engine import Engine
from .shop import Shop

RATE = 20
COMPOSED = [
    f"com.docker.compose.{said}" for said in ("project=shop", "service=web", "oneoff=False")
]


@pytest.fixture
def served(shop: Shop) -> Shop:
    """Version 1 answers through HAProxy."""
    patient(shop, "20s")
    shop.behind_haproxy()
    shop.run("deploy", "--yes", "--reason", "first")
    assert shop.answer() == "1"
    return shop


def patient(shop: Shop, timeout: str) -> None:
    """So long a copy has to become well."""
    shop.settings["health"] = {"http": "http://{address}:8080/health", "timeout": timeout}


@contextmanager
def nothing_changes(shop: Shop) -> Iterator[None]:
    """The same container serves all the time, alone."""
    before = shop.ids()
    assert shop.proxy is not None
    with Load(shop.proxy.url, rate=RATE) as load:
        yield
    shop.lost_nothing(load)
    assert shop.ids() == before
    assert len(shop.containers()) == 1, shop.containers()
    assert shop.answer() == "1"


def test_an_image_that_is_nowhere_is_named(served: Shop) -> None:
    served.service["image"] = f"{image.NAME}:none"
    served.write(VERSION="2")
    with nothing_changes(served):
        told = served.run("deploy", "--yes", "--reason", "x", check=4)
    assert f"{image.NAME}:none" in told


def test_one_that_is_never_healthy_goes_and_its_answer_is_told(served: Shop) -> None:
    patient(served, "4s")
    served.write(VERSION="2", ILL="yes")
    with nothing_changes(served):
        told = served.run("deploy", "--yes", "--reason", "x", check=4)
    assert "500" in told
    assert "version 2 starts" in told


def test_one_that_exits_at_once_goes_and_its_words_are_told(served: Shop) -> None:
    patient(served, "4s")
    served.write(VERSION="2", BROKEN="yes")
    with nothing_changes(served):
        told = served.run("deploy", "--yes", "--reason", "x", check=4)
    assert "cannot read its settings" in told


@pytest.mark.parametrize("restart", ["no", "always"])
def test_one_that_dies_while_it_is_watched_is_seen_at_once(served: Shop, restart: str) -> None:
    """Not at the end of the soak; one that its engine starts again is another one."""
    served.settings["soak"] = "100s"
    served.service["restart"] = restart
    served.write(VERSION="2")
    before = served.ids()
    with ThreadPoolExecutor() as pool:
        rollout = pool.submit(served.run, "deploy", "--yes", "--reason", "x", check=4)
        served.wait_for("step.started", "soak")
        (new,) = set(served.ids()) - set(before)
        ends = ("/usr/bin/python3", "-c", "import os; os.kill(1, 15)")
        served.docker("exec", "--detach", new, *ends)
        told = rollout.result(timeout=50)
    assert ("started anew" if restart == "always" else "exited with status 0") in told
    assert served.ids() == before
    assert served.answer() == "1"


def test_one_that_does_not_heed_its_signal_is_killed_and_that_is_told(served: Shop) -> None:
    served.compose["stop_timeout"] = "1s"
    served.write(VERSION="2", DEAF="yes")
    served.run("deploy", "--yes", "--reason", "deaf")
    served.write(VERSION="3")
    told = served.run("deploy", "--yes", "--reason", "x")
    assert "did not end within 1 s and was killed" in told
    assert served.answer() == "3"
    assert len(served.containers()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("import sys; print('queue is full'); sys.exit(3)", "ended with status 3: queue is full"),
        ("import time; time.sleep(60)", "did not end within 1 s and is not waited for"),
    ],
    ids=["fails", "hangs"],
)
def test_a_hook_that_goes_wrong_is_told_and_stops_nothing(
    served: Shop, words: str, told: str
) -> None:
    served.compose |= {"pre_stop": [image.PYTHON, "-c", words], "pre_stop_timeout": "1s"}
    served.write(VERSION="2")
    screen = served.run("deploy", "--yes", "--reason", "x")
    assert f"pre_stop of shop-web-1 {told}" in " ".join(screen.split())
    assert served.answer() == "2"
    (warned,) = served.events("instance.warned")
    assert told in warned.data["why"]


def test_what_a_person_created_and_never_started_is_left_alone(served: Shop) -> None:
    """One that we had compose create, and could not finish, is taken away by the next try."""
    served.up("--no-start", "--no-recreate", "--scale", "web=2")
    (theirs,) = [name for name in served.containers() if name.endswith(" created")]
    served.write(VERSION="2")
    served.run("deploy", "--yes", "--reason", "x")
    assert served.answer() == "2"
    assert theirs in served.containers()
    assert len(served.containers()) == 2
    served.docker("rm", theirs.split()[0])
    notes = Making(Asked(served.engine.socket), COMPOSED)
    notes.begin()
    served.up("--no-start", "--no-recreate", "--scale", "web=2")
    served.write(VERSION="3")
    served.run("deploy", "--yes", "--reason", "y")
    assert served.answer() == "3"
    assert len(served.containers()) == 1, served.containers()


def test_a_compose_file_that_is_none_is_refused_in_its_words(served: Shop) -> None:
    (served.folder / "compose.yaml").write_text("name: shop\nservices: {web: {imagee: x}}\n")
    with nothing_changes(served):
        told = served.run("deploy", "--yes", "--reason", "x", check=3)
    assert "imagee" in told


def test_a_full_disk_stops_it_before_anything_changes(served: Shop) -> None:
    served.write(VERSION="2")
    with full(served.folder / "host"), nothing_changes(served):
        told = served.run("deploy", "--yes", "--reason", "x", check=None)
    assert "No space left" in told
    served.run("deploy", "--yes", "--reason", "again")
    assert served.answer() == "2"


@pytest.fixture
def cramped(tmp_path: Path, engine: Engine) -> Iterator[Shop]:
    """Version 1 answers; the engine has a small disk of its own."""
    small = Engine(room="256m")
    try:
        small.start()
        shop = Shop(small, tmp_path / "cramped")
        patient(shop, "20s")
        try:
            shop.behind_haproxy()
            shop.run("deploy", "--yes", "--reason", "first")
            yield shop
        finally:
            shop.close()
    finally:
        small.close()


def test_a_full_disk_of_the_engine_is_named_and_leaves_the_old_copy(cramped: Shop) -> None:
    """What is there half made by then is ended all the same."""
    half = ("--name", "half", "--restart", "always", f"{image.NAME}:1", "/bin/sleep", "300")
    made = [cramped.docker("create", *half), cramped.docker("run", "--detach", *twin(half))]
    cramped.write(VERSION="2")
    ballast = cramped.engine.data / "ballast"
    fill(ballast)
    try:
        for one in made:
            end(cramped, one)
        with nothing_changes(cramped):
            told = cramped.run("deploy", "--yes", "--reason", "x", check=4)
    finally:
        ballast.unlink()
    assert "no space left" in told and "as it was" in told
    cramped.run("deploy", "--yes", "--reason", "again")
    assert cramped.answer() == "2"
    assert len(cramped.containers()) == 1


def twin(words: tuple[str, ...]) -> tuple[str, ...]:
    """The same under another name."""
    return tuple("twin" if word == "half" else word for word in words)


def end(shop: Shop, container: str) -> None:
    """As a host is told to end one."""
    argv = [sys.executable, "-", "end", shop.engine.socket, container, "1"]
    told = script("end").decode()
    done = subprocess.run(argv, input=told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """A folder on a file system that has no more room."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", str(folder)], check=True)
        fill(folder / "ballast")
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
        aside.rename(folder)


def fill(ballast: Path) -> None:
    """Until there is no more room."""
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(1024))


def test_a_foreign_container_with_the_name_of_the_next_is_left_alone(served: Shop) -> None:
    command = ("/bin/sleep", "300")
    foreign = served.docker("run", "--detach", "--name", "shop-web-2", f"{image.NAME}:1", *command)
    served.write(VERSION="2")
    try:
        told = served.run("deploy", "--yes", "--reason", "x", check=4)
        assert "shop-web-2" in told
        assert served.answer() == "1"
        assert sorted(served.containers()) == ["shop-web-1 running", "shop-web-2 running"]
        assert foreign[:12] in served.docker("ps", "--quiet")
    finally:
        served.docker("rm", "--force", foreign)
    served.run("deploy", "--yes", "--reason", "again")
    assert served.answer() == "2"


def test_a_container_that_says_it_is_ours_and_another_services_is_refused(served: Shop) -> None:
    project = "com.docker.compose."
    labels = {
        f"{project}project": "shop",
        f"{project}service": "web",
        f"{project}oneoff": "False",
        f"{project}container-number": "7",
        "gapless.service": "api",
        "gapless.slot": "b",
    }
    words = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
    run = ("run", "--detach", "--name", "stranger", *words, f"{image.NAME}:1")
    foreign = served.docker(*run, "/bin/sleep", "300")
    served.write(VERSION="2")
    try:
        told = served.run("deploy", "--yes", "--reason", "x", check=3)
        assert "stranger is of api" in told
        assert sorted(served.containers()) == ["shop-web-1 running", "stranger running"]
    finally:
        served.docker("rm", "--force", foreign)


def test_of_two_deploys_at_once_one_is_refused_and_the_other_goes_back(served: Shop) -> None:
    served.settings["soak"] = "90s"
    served.write(VERSION="2")
    with nothing_changes(served):
        first = served.start("deploy", "--yes", "--reason", "one")
        served.wait_for("step.started", "soak")
        told = served.run("deploy", "--yes", "--reason", "other", check=6)
        assert len(served.containers()) == 2
        served.run("abort", check=4)
        assert first.wait(60) == 4, told


def test_an_engine_that_is_started_anew_in_the_middle_leaves_one_copy(served: Shop) -> None:
    served.service["restart"] = "always"
    served.write()
    served.run("deploy", "--yes", "--reason", "always")
    served.write(VERSION="2", START="2")
    controller = served.start("deploy", "--yes", "--reason", "x")
    try:
        served.wait_for("step.started", "ready")
        served.engine.stop()
        served.engine.start()
        controller.wait(100)
    finally:
        controller.kill()
        controller.wait()
    assert controller.returncode in (0, 4, 5)
    if controller.returncode == 5:
        served.run("resume", check=None)
    assert len(served.containers()) == 1
    assert served.answer() == {0: "2", 4: "1"}.get(controller.returncode, served.answer())
    told = served.run("deploy", "--yes", "--reason", "again")
    assert len(served.containers()) == 1, told
    assert served.answer() == "2", told
