"""What the tests of other flippers ask, asked of this one."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gapless.supervisor.spec import Listen, Ready, Stop
from tests.supervisor.pidwatch_rig import children
from tests.supervisor.rig import PROGRAMS, Rig, serve, until
from tests.supervisor.test_hygiene import facts, facts_of
from tests.supervisor.test_upgrade import installed, upgrade

Web = Callable[..., Rig]


@pytest.mark.parametrize("stage", ["checking", "settling"])
def test_a_stop_ends_a_flip_that_is_under_way(web: Web, stage: str) -> None:
    rig = web(settle=6.0).start(ready=False)
    until(rig.active, limit=30)
    rig.publish("2", "hang" if stage == "checking" else "")
    asked = rig.ask("flip")
    until(lambda: rig.status()["state"] == stage)  # type: ignore[index]
    rig.signal(signal.SIGTERM)
    reply = asked.reply()
    assert (reply["ok"], reply["what"]) == (False, "it is being stopped")
    assert rig.ended() == 0
    rig.nobody_left()


def test_a_stop_before_anything_is_ready(web: Web) -> None:
    rig = web()
    rig.publish("1", "never-ready")
    rig.start(ready=False)
    until(lambda: _answers(rig))
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    rig.nobody_left()


def test_a_stop_by_the_control_socket(web: Web) -> None:
    rig = web().start()
    assert rig.ask("stop").reply()["ok"]
    assert rig.ended() == 0
    rig.nobody_left()


def test_a_pidfile_without_a_folder_is_written_when_it_serves(web: Web, tmp_path: Path) -> None:
    rig = web(pidfile="web.pid")
    rig.publish("1", "slow-start:0.5")
    rig.start(ready=False, cwd=tmp_path)
    until(lambda: rig.status())
    assert not (tmp_path / "web.pid").exists()
    until((tmp_path / "web.pid").exists)
    assert (tmp_path / "web.pid").read_text() == f"{rig.pid}\n"
    rig.signal(signal.SIGTERM)
    rig.ended()
    assert not (tmp_path / "web.pid").exists()


def test_a_pidfile_is_never_read(web: Web, tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("1\n")
    rig = web(pidfile=str(tmp_path / "pid")).start()
    assert (tmp_path / "pid").read_text() == f"{rig.pid}\n"


def test_a_unix_path_stays_over_flips_and_goes_at_the_end(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    rig = web(listen=(Listen("http", f"unix://{path}"),)).start()
    inode = path.stat().st_ino
    assert rig.flip()["ok"]
    assert path.stat().st_ino == inode
    rig.signal(signal.SIGTERM)
    rig.ended()
    assert not path.exists()


def test_a_unix_path_that_a_dead_one_left_is_taken(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    rig = web(listen=(Listen("http", f"unix://{path}"),)).start()
    rig.signal(signal.SIGKILL)
    rig.ended()
    assert path.exists()
    rig.start()
    assert rig.active()


def test_a_unix_path_that_somebody_listens_on_is_refused(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        rig = web(listen=(Listen("http", f"unix://{path}"),)).start(ready=False)
        assert rig.ended() == 3
        assert f"cannot listen on unix://{path}" in rig.output()
        assert "Address already in use" in rig.output()
        assert path.exists()


def test_listeners_come_and_go_with_the_configuration(web: Web, tmp_path: Path) -> None:
    """A flip that fails leaves the old ones as they were."""
    gone, come = tmp_path / "gone.sock", tmp_path / "come.sock"
    file = tmp_path / "web.yaml"

    def configure(path: Path, behaviour: str = "") -> None:
        words = [*serve("--notify"), *(["--behaviour", behaviour] if behaviour else [])]
        file.write_text(
            f"name: web\ncommand: {words}\nlisten: unix://{path}\n"
            "ready: {notify: true}\nsettle: 100ms\n"
        )

    configure(gone)
    rig = web(
        source=str(file), inputs=((str(file), 0, 0),), listen=(Listen("a", f"unix://{gone}"),)
    ).start()
    configure(come, "import-error")
    assert rig.flip()["code"] == 4
    assert gone.exists()
    configure(come)
    assert rig.flip()["ok"]
    assert come.exists()
    until(lambda: not gone.exists())


def test_a_removed_variable_is_gone_in_the_next_copy(web: Web, tmp_path: Path) -> None:
    """Environment files are read anew for each flip."""
    file, variables = tmp_path / "web.yaml", tmp_path / "variables"
    variables.write_text("COLOUR=blue\nSHAPE=round\n")
    words = (*serve()[:3], str(PROGRAMS / "facts.py"), str(tmp_path / "facts-{generation}"))
    file.write_text(
        f"name: web\ncommand: {list(words)}\n"
        f"env_files: [{variables}]\nready: {{alive: 200ms}}\nsettle: 0s\n"
    )
    rig = web(
        source=str(file), inputs=((str(file), 0, 0),), listen=(), command=words,
        ready=Ready("alive", after=0.1),
    )  # fmt: skip
    rig.start()
    for text in ("COLOUR=red\nSHAPE=round\n", "SHAPE=square\n"):
        assert rig.flip()["ok"]
        variables.write_text(text)
    assert rig.flip()["ok"]
    assert facts(tmp_path, 2)["environment"]["COLOUR"] == "blue"
    assert facts(tmp_path, 3)["environment"]["COLOUR"] == "red"
    assert "COLOUR" not in facts(tmp_path, 4)["environment"]
    assert facts(tmp_path, 4)["environment"]["SHAPE"] == "square"


def test_datagrams(web: Web) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    rig = web(listen=(Listen("u", f"udp://127.0.0.1:{port}"),)).start()
    rig.publish("2")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(10)
        client.send(b"?")
        assert client.recv(100).split()[2] == b"1"
        assert rig.flip()["ok"]
        until(lambda: not rig.serves()["draining"])
        client.send(b"?")
        assert client.recv(100).split()[2] == b"2"


@pytest.mark.parametrize("starter", ["server-starter", "einhorn"])
def test_programs_made_for_other_starters(web: Web, starter: str) -> None:
    rig = web("--from", starter, starters=(starter,)).start()
    assert rig.version() == "1"
    assert rig.flip()["ok"]
    assert rig.version() == "1"


def test_environment_and_descriptors_over_an_upgrade(web: Web, tmp_path: Path) -> None:
    rig, folder = installed(web, tmp_path, settle=0.0, environment={"COLOUR": "blue"})
    command = facts_of(web, tmp_path).spec.command
    rig.spec = replace(rig.spec, command=command)
    rig.start()
    upgrade(folder, 1)
    assert rig.flip()["ok"]
    first, second = facts(tmp_path, 1), facts(tmp_path, 2)
    assert first["environment"].keys() == second["environment"].keys()
    assert [fd["fd"] for fd in first["fds"]] == [fd["fd"] for fd in second["fds"]]


def test_a_copy_that_dies_while_we_replace_ourselves(web: Web, tmp_path: Path) -> None:
    """The new code hears of it: the flip that is due begins all the same."""
    rig, folder = installed(web, tmp_path, settle=0.0)
    rig.start()
    upgrade(folder, 1)
    old, before = rig.active(), set(children(rig.pid))
    asked = rig.ask("flip")
    until(lambda: set(children(rig.pid)) - before, "the trial of the new code")
    os.kill(old, signal.SIGKILL)
    assert asked.reply()["ok"]
    assert rig.version() == "1"


def test_copies_up_to_the_cap(web: Web) -> None:
    """Ten flips one after the other while connections are held: never more than may."""
    rig = web("--linger", "60", settle=0.0, max_draining=2, stop=Stop(timeout=0.3)).start()
    host, _, port = rig.address.rpartition(":")
    held, most = [], 0
    for _ in range(10):
        one = socket.create_connection((host, int(port)), timeout=10)
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(4096)
        held.append(one)
        assert rig.flip()["ok"]
        most = max(most, len(rig.status()["draining"]))  # type: ignore[index]
    assert most == 2


def _answers(rig: Rig) -> bool:
    try:
        return bool(rig.get("/health"))
    except OSError:
        return False
