"""The first start, in whatever surroundings."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor import processes, rundir
from gapless.supervisor.spec import Listen
from tests.supervisor.configured import compiler, configure, configured
from tests.supervisor.rig import Rig, until

Web = Callable[..., Rig]


def test_a_first_listener_that_is_taken_is_a_failure(web: Web) -> None:
    rig = web()
    host, _, port = rig.address.rpartition(":")
    with socket.create_server((host, int(port))):
        rig.start(ready=False)
        assert rig.ended() == 3
    assert f"✗  cannot listen on {rig.spec.listen[0].address}" in rig.output()
    assert f"   next    ss -tulpn sport = :{port}\n" in rig.output()
    assert "\n\nNothing was changed.\n" in rig.output()


@pytest.mark.parametrize(
    ("address", "told", "following"),
    [
        ("tcp://192.0.2.1:8080", "Cannot assign requested address", "ip -brief address"),
        ("unix:///no/such/folder/web.sock", "No such file or directory", "mkdir /no/such/folder"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused(
    web: Web, address: str, told: str, following: str
) -> None:
    rig = web(listen=(Listen("http", address),)).start(ready=False)
    assert rig.ended() == 3
    assert f"✗  cannot listen on {address}" in rig.output()
    assert f"   answer  {told}\n   next    {following}\n" in rig.output()
    rig.nobody_left()


def test_a_run_folder_that_others_can_write_to_is_refused(web: Web, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o1777)
    rig = web().start(ready=False)
    assert rig.ended() == 3
    assert f"✗  {folder} can be written to by others" in rig.output()
    assert f"   answer  mode 1777\n   next    chmod go-w {folder}\n" in rig.output()


@pytest.mark.parametrize("below", ["", "/below"])
def test_a_run_folder_that_is_none_is_refused(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GAPLESS_RUN_DIR", f"{tmp_path}/file{below}")
    rig = web().start(ready=False)
    assert rig.ended() == 3
    told = "cannot be made" if below else "is not a folder"
    assert f"✗  {tmp_path}/file{below} {told}" in rig.output()
    rig.nobody_left()


@pytest.mark.parametrize("text", ["null", "5", "[1, 2]", '["{}", null]', "{", "[" * 5000])
def test_a_last_good_configuration_that_is_broken(web: Web, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "run" / "web"
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "run").chmod(0o700)
    (folder / rundir.LAST_GOOD).write_text(text)
    assert web().start().version() == "1"


def test_what_there_is_to_go_back_to_lives_through_a_stop(web: Web, tmp_path: Path) -> None:
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    wanted = configure(rig, settle=0.1)
    assert rig.flip()["ok"]
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    rig.spec = wanted
    rig.start(environment=compiler(tmp_path))
    assert rig.serves()["rollback_to"] == 0, "served before it was started"
    reply = rig.ask("rollback").reply()
    assert (reply["ok"], reply["settings_of"]) == (True, 0)


def test_streams_that_are_closed(web: Web) -> None:
    """Their numbers go to no socket, pipe or lock of ours."""
    rig = web().start(wrapper=("/bin/sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"))
    for number in "012":
        assert os.readlink(f"/proc/{rig.pid}/fd/{number}") == "/dev/null"
    rig.publish("2")
    assert rig.flip()["ok"]


def test_a_child_from_before_we_were_is_left_alone(web: Web, tmp_path: Path) -> None:
    """A shell started something, and then became us."""
    told = tmp_path / "pid"
    line = f'sleep 300 & echo $! > {told}; exec "$@"'
    rig = web("--child", "session").start(wrapper=("/bin/sh", "-c", line, "sh"))
    theirs = int(until(lambda: told.exists() and told.read_text().strip()))
    try:
        assert rig.flip()["ok"]
        until(lambda: not rig.serves()["draining"])
        assert processes.session(theirs) != -1
        rig.signal(signal.SIGTERM)
        assert rig.ended() == 0
        assert processes.session(theirs) != -1
    finally:
        os.kill(theirs, signal.SIGKILL)
