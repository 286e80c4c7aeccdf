"""Services that are processes gapless supervises: flips, and what is left when they fail."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.load import loading
from tests.supervisor.rig import until

from .processes import API, STORE, Processes

pytestmark = pytest.mark.real


@pytest.fixture
def tiers(tmp_path: Path) -> Iterator[Processes]:
    """Both run release 1."""
    made = Processes(tmp_path)
    try:
        yield made.deployed()
    finally:
        made.close()


def test_a_restart_in_dependency_order_loses_nothing(tiers: Processes) -> None:
    """Both are new, none was out, and no request was lost."""
    before = {name: tiers.active(name) for name in (STORE, API)}
    with loading(tiers.address(STORE), rate=100, connect="both") as load:
        report = tiers.report("restart", "--yes", "--prove", "--reason", "test", code=0)
        result = load.end()
    assert result.failures == 0, result
    assert report["gap"]["failed"] == 0
    assert report["gap"]["sent"] > 50
    began = {row["service"]: row["since"] for row in tiers.report("status", code=0)}
    assert began[STORE] < began[API]
    for name in (STORE, API):
        assert tiers.status(name)["flips"] == 1
        assert tiers.active(name) != before[name]


@pytest.mark.parametrize(
    ("behaviour", "what"),
    [
        ("import-error", "it ended with status 1 before it was ready"),
        ("crash-in-settle:0.1", "it ended with status 1 while it settled"),
        ("never-ready", "not ready after 5 s"),
    ],
)
def test_a_release_that_fails_never_touches_the_old_copy(
    tiers: Processes, behaviour: str, what: str
) -> None:
    """The same process serves on, under load, and nothing of the new one is left."""
    old, live, count = tiers.active(API), tiers.live(API), len(tiers.everybody())
    tiers.publish(API, "2", behaviour)
    with loading(tiers.address(API), rate=100) as load:
        told = tiers.gapless("deploy", API, "--yes", "--progress=quiet", code=4)
        assert load.end().failures == 0
    assert f"not flipped: {what}" in told
    assert f"pid {old} was not touched and serves on" in told
    assert "generation 1 serves" not in told, "the log is of the new copy"
    if behaviour != "never-ready":
        assert "log" in told
        assert "Error" in told or "cannot work" in told
    assert tiers.active(API) == old
    assert tiers.version(API) == "1"
    assert tiers.live(API) == live
    until(lambda: len(tiers.everybody()) == count, "the end of the new copy")
    assert not list((tiers.folder / "srv/api/releases").glob("*.incoming"))
    tiers.publish(API, "3")
    tiers.gapless("deploy", API, "--yes", code=0)
    assert tiers.version(API) == "3"


def test_a_release_that_passes_and_is_sick_goes_back_by_a_flip(tiers: Processes) -> None:
    """The supervisor asks less than the project does: it flips, and flips back."""
    tiers.write(more='environment: {XX: "1"}')
    config = tiers.folder / "gapless.yaml"
    text = config.read_text()
    sick = f'http: "http://127.0.0.1:{tiers.ports[API]}/"'
    healthy = f'http: "http://127.0.0.1:{tiers.ports[API]}/health"'
    config.write_text(text.replace(healthy, f"{sick}, expect: {{body: ' 1\\n'}}"))
    tiers.publish(API, "2")
    with loading(tiers.address(API), rate=100) as load:
        told = tiers.gapless("deploy", API, "--yes", code=4)
        assert load.end().failures == 0
    assert "the old version is restored and checked" in told
    assert tiers.version(API) == "1"
    assert tiers.status(API)["flips"] == 2
    assert "XX" not in (tiers.folder / "host/processes/shop.api.json").read_text()


def test_a_release_that_dies_in_the_soak_is_told_with_its_last_words(tiers: Processes) -> None:
    """Its supervisor ended with it, so the old release is started anew."""
    config = tiers.folder / "gapless.yaml"
    config.write_text(config.read_text().replace("soak: 300ms", "soak: 3s"))
    tiers.publish(API, "2", "crash-in-settle:2")
    told = tiers.gapless("deploy", API, "--yes", "--progress=quiet", code=4)
    assert "did not stay up for 3 s" in told
    assert "log gapless run shop.api: generation 2 serves" in told
    assert "cannot work" in told
    assert "generation 1 serves" not in told
    assert tiers.version(API) == "1"


def test_a_controller_killed_in_the_switch_is_resumed_with_one_flip(tmp_path: Path) -> None:
    tiers = Processes(tmp_path, settle="1500ms")
    try:
        tiers.deployed()
        tiers.publish(API, "2")
        controller = tiers.begin("deploy", API, "--yes")
        until(lambda: tiers.status(API)["new"], "a new copy")
        controller.send_signal(signal.SIGKILL)
        controller.communicate()
        tiers.gapless("resume", code=0)
        status = tiers.status(API)
        assert (status["flips"], status["failed"]) == (1, 0)
        assert tiers.version(API) == "2"
    finally:
        tiers.close()


def test_a_controller_killed_in_a_switch_that_fails_is_aborted(tmp_path: Path) -> None:
    """The old copy is the same from beginning to end."""
    tiers = Processes(tmp_path, settle="1500ms")
    try:
        old = tiers.deployed().active(API)
        tiers.publish(API, "2", "crash-in-settle:1")
        controller = tiers.begin("deploy", API, "--yes")
        until(lambda: tiers.status(API)["new"], "a new copy")
        controller.send_signal(signal.SIGKILL)
        controller.communicate()
        tiers.gapless("abort", code=4)
        assert tiers.active(API) == old
        assert tiers.status(API)["flips"] == 0
    finally:
        tiers.close()


def test_a_supervisor_killed_in_the_switch_is_started_with_what_was_there(tmp_path: Path) -> None:
    """With it go both copies: nothing is left to keep, so the old one is started anew."""
    tiers = Processes(tmp_path, settle="1500ms")
    try:
        live, count = tiers.deployed().live(API), len(tiers.everybody())
        tiers.publish(API, "2")
        controller = tiers.begin("deploy", API, "--yes", "--progress=quiet")
        until(lambda: tiers.status(API)["new"], "a new copy")
        os.kill(tiers.status(API)["pid"], signal.SIGKILL)
        told = " ".join(controller.communicate()[0].split())
        assert controller.returncode == 4, told
        assert "not flipped: the supervisor ended before it answered" in told
        assert "no new copy was started" not in told
        assert tiers.version(API) == "1"
        assert tiers.live(API) == live
        until(lambda: len(tiers.everybody()) == count, "the end of the others")
    finally:
        tiers.close()


def test_what_cannot_be_started_is_told_by_its_reason(tiers: Processes) -> None:
    """Not by the commands that were to start it, nor by what an earlier start had printed."""
    tiers.gapless("run", "stop", API, code=0)
    with socket.create_server(("127.0.0.1", tiers.ports[API])):
        words = ("restart", API, "--yes", "--progress=quiet", "--force", "--reason", "test")
        told = tiers.gapless(*words, code=5)
    assert f"not started: cannot listen on tcp://{tiers.address(API)}" in told
    assert "Address already in use" in told
    assert "setsid" not in told
    assert "serves, process" not in told
    assert f"gapless run -c {tiers.folder}/host/processes/shop.api.json" in told
    tiers.gapless(*words, code=0)
    assert tiers.version(API) == "1"


def test_a_rollout_is_aborted_from_elsewhere(tiers: Processes) -> None:
    """Both tiers go back, the one that depends on the other first, and nothing is lost."""
    tiers.soak = "4s"  # longer than the other command takes to start on a busy machine
    tiers.write()
    for name in (STORE, API):
        tiers.publish(name, "2")
    with loading(tiers.address(API), rate=100) as load:
        controller = tiers.begin("deploy", "--yes", "--progress=plain")
        until(lambda: tiers.version(API) == "2", "the last tier to be new")
        tiers.gapless("abort", code=4)
        told = controller.communicate()[0]
        assert load.end().failures == 0
    assert controller.returncode == 4, told
    backs = [told.index(f"going back  here {name}") for name in (API, STORE)]
    assert backs == sorted(backs)
    assert [tiers.version(name) for name in (STORE, API)] == ["1", "1"]


def test_a_forced_plan_does_not_promise_what_does_not_run(tiers: Processes) -> None:
    told = tiers.gapless("plan", "restart", API, code=0)
    assert "restart, serves all the while, about" in told
    tiers.gapless("run", "stop", API, code=0)
    assert "refused as things are" in tiers.gapless("plan", "restart", API, code=0)
    told = tiers.gapless("plan", "restart", API, "--force", "--reason", "test", code=0)
    assert "restart, does not run now, about" in told
    assert "at any moment shop.api is down, as now" in told


def test_a_rollback_by_hand_brings_release_and_settings_back(tiers: Processes) -> None:
    before = tiers.live(API)
    tiers.publish(API, "2")
    tiers.write(more='environment: {XX: "1"}')
    tiers.gapless("deploy", API, "--yes", code=0)
    with loading(tiers.address(API), rate=100) as load:
        tiers.gapless("rollback", "--yes", code=0)
        assert load.end().failures == 0
    assert tiers.version(API) == "1"
    assert tiers.live(API) == before
    assert "XX" not in (tiers.folder / "host/processes/shop.api.json").read_text()
    environment = Path(f"/proc/{tiers.active(API)}/environ").read_bytes()
    assert b"XX=1" not in environment


def test_settings_alone_are_deployed(tiers: Processes) -> None:
    """A deploy of the same release flips when the process section changed, else does nothing."""
    told = tiers.gapless("deploy", "--yes", code=0)
    assert tiers.status(API)["flips"] == 0, told
    tiers.write(more='environment: {XX: "1"}')
    tiers.gapless("deploy", API, "--yes", code=0)
    assert tiers.status(API)["flips"] == 1
    assert b"XX=1" in Path(f"/proc/{tiers.active(API)}/environ").read_bytes()
    assert tiers.status(STORE)["flips"] == 0


def test_a_supervisor_that_was_killed_is_told_and_started(tiers: Processes) -> None:
    os.kill(tiers.status(API)["pid"], signal.SIGKILL)
    until(lambda: not tiers.status(API), "its end")
    told = tiers.gapless("status", code=0)
    assert "shop.api here failed" in told
    assert "its supervisor was killed, and the program with it" in told
    told = tiers.gapless("restart", API, "--yes", code=3)
    assert "failed: its supervisor was killed" in told
    tiers.gapless("restart", API, "--yes", "--force", "--reason", "it died", code=0)
    assert tiers.version(API) == "1"


def test_a_stopped_process_leaves_nothing(tiers: Processes) -> None:
    for name in (API, STORE):
        assert f"Stopped {name}" in tiers.gapless("run", "stop", name, code=0)
    until(lambda: not tiers.everybody(), "the end of all")
    assert "shop.api here stopped" in tiers.gapless("status", code=0)


def test_a_first_deploy_that_fails_is_removed(tmp_path: Path) -> None:
    tiers = Processes(tmp_path)
    try:
        tiers.publish(API, "1", "import-error")
        told = tiers.gapless("deploy", "--yes", "--on-failure", "rollback", code=4)
        assert "ModuleNotFoundError" in told
        assert tiers.status(API) == {}
        assert not (tiers.folder / "host/processes/shop.api.json").exists()
    finally:
        tiers.close()


def test_a_host_without_gapless_is_told_how_to_get_it(tiers: Processes) -> None:
    tiers.write(gapless="/no/such/gapless")
    told = tiers.gapless("doctor", code=3)
    assert "/no/such/gapless: program not found on this host" in told
    assert "python3 -m pip install gapless" in told
    tiers.gapless("restart", API, "--yes", code=3)
    assert tiers.status(API)["flips"] == 0


def test_a_process_started_by_hand_is_not_taken_over(tiers: Processes) -> None:
    """A flip of it would not read the run file that a deploy brings."""
    tiers.gapless("run", "stop", API, code=0)
    file = tiers.folder / "mine.json"
    file.write_text((tiers.folder / "host/processes/shop.api.json").read_text())
    mine = tiers.begin("run", "-c", str(file))
    until(lambda: tiers.status(API).get("active"), "it serves")
    told = tiers.gapless("doctor", code=3)
    assert f"it was started from {file}, not by a deploy" in told
    assert "gapless run stop shop.api, then gapless deploy" in told
    mine.terminate()
    mine.communicate()
