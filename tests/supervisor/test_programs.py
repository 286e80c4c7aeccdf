"""The programs that are supervised in tests do what their words say."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.starting import (
    FACTS,
    SERVE,
    address,
    dial,
    end,
    get,
    gone,
    hear,
    listener,
    program,
    refused,
    say,
    until,
)


@pytest.fixture
def shared() -> Iterator[socket.socket]:
    with listener() as one:
        yield one


def test_every_inherited_socket_is_served(shared: socket.socket, tmp_path: Path) -> None:
    with listener(str(tmp_path / "probe")) as probe:
        names = {"LISTEN_FDNAMES": "http:probe", "GAPLESS_GENERATION": "7", "VERSION": "v2"}
        with program(SERVE, listeners=[shared, probe], environment=names) as serving:
            for one in (shared, probe):
                assert get(address(one)) == (200, f"{serving.pid} 7 v2")
                assert get(address(one), "/health") == (200, "ok")


def test_sockets_of_another_process_are_not_taken(shared: socket.socket) -> None:
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    with program(SERVE, environment=environment) as serving:
        assert serving.wait(10) == 1
        assert b"no listening socket" in serving.communicate()[1]


@pytest.mark.parametrize(
    ("giver", "environment"),
    [
        ("server-starter", {"SERVER_STARTER_PORT": "127.0.0.1:80=3"}),
        ("einhorn", {"EINHORN_FD_COUNT": "1", "EINHORN_FD_0": "3"}),
    ],
)
def test_sockets_of_other_starters(
    shared: socket.socket, giver: str, environment: dict[str, str]
) -> None:
    with program(SERVE, "--from", giver, listeners=[shared], environment=environment) as serving:
        assert get(address(shared))[1].startswith(f"{serving.pid} ")


def test_datagrams_are_answered() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as shared:
        shared.bind(("127.0.0.1", 0))
        with (
            program(SERVE, listeners=[shared]) as serving,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
        ):
            asker.settimeout(10)
            asker.sendto(b"who", shared.getsockname())
            assert asker.recv(100).split()[0] == str(serving.pid).encode()


def test_two_share_a_port_of_their_own() -> None:
    with listener() as found:
        place = address(found)
    flags = ("--bind", place, "--reuseport")
    with program(SERVE, *flags) as one, program(SERVE, *flags) as other:
        pids = {str(one.pid), str(other.pid)}
        seen: set[str] = set()

        def both() -> bool:
            if not refused(place):
                seen.add(get(place)[1].split()[0])
            return seen == pids

        until(both, "both answer")


def test_a_path_is_taken_over(tmp_path: Path) -> None:
    path = str(tmp_path / "http")
    with program(SERVE, "--unix", path) as one:
        until(lambda: not refused(path), "the first listens")
        assert get(path)[1].split()[0] == str(one.pid)
        with program(SERVE, "--unix", path) as other:
            until(lambda: get(path)[1].split()[0] == str(other.pid), "the second answers")


def test_one_request_at_a_time(shared: socket.socket) -> None:
    with program(SERVE, listeners=[shared]):
        get(address(shared))
        began = time.monotonic()
        with dial(address(shared)) as one, dial(address(shared)) as other:
            say(one, "/slow?200")
            say(other, "/slow?200")
            assert hear(one)[0] == hear(other)[0] == 200
        assert time.monotonic() - began >= 0.4


def test_connections_are_kept(shared: socket.socket) -> None:
    with program(SERVE, listeners=[shared]), dial(address(shared)) as link:
        for _ in range(3):
            say(link)
            assert hear(link)[0] == 200


def test_after_term_open_connections_are_answered_once(
    shared: socket.socket, tmp_path: Path
) -> None:
    times = tmp_path / "times"
    flags = ("--times", str(times), "--linger", "30")
    with (
        program(SERVE, *flags, listeners=[shared]) as serving,
        dial(address(shared)) as idle,
        dial(address(shared)) as silent,
    ):
        say(idle)
        assert hear(idle)[0] == 200
        until(lambda: get(address(shared))[0] == 200, "the silent one was accepted")
        serving.terminate()
        until(lambda: "term" in times.read_text(), "it heard")
        for link in (idle, silent):
            say(link)
            status, head, _ = hear(link)
            assert status == 200
            assert "Connection: close" in head
            assert link.recv(10) == b""
        assert serving.wait(10) == 0
    words = [line.split()[:2] for line in times.read_text().splitlines()]
    assert words == [[what, str(serving.pid)] for what in ("ready", "term", "end")]


def test_what_stays_silent_after_term_is_closed(shared: socket.socket) -> None:
    with (
        program(SERVE, "--linger", "0.1", listeners=[shared]) as serving,
        dial(address(shared)) as link,
    ):
        say(link)
        hear(link)
        serving.terminate()
        assert serving.wait(10) == 0
        assert link.recv(10) == b""


def test_what_was_not_accepted_is_left_to_others(shared: socket.socket) -> None:
    with program(SERVE, listeners=[shared]) as first:
        get(address(shared))
        first.terminate()
        first.wait(10)
    with dial(address(shared)) as waiting:
        say(waiting)
        with program(SERVE, listeners=[shared]) as second:
            assert hear(waiting)[2].split()[0] == str(second.pid)


@pytest.mark.parametrize("abstract", [True, False])
def test_ready_is_told(shared: socket.socket, tmp_path: Path, abstract: bool) -> None:
    name = f"@gapless-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name[1:] if abstract else name)
        heard.settimeout(10)
        made = tmp_path / "made"
        flags = ("--notify", "--ready-file", str(made))
        with program(SERVE, *flags, listeners=[shared], environment={"NOTIFY_SOCKET": name}):
            assert heard.recv(100) == b"READY=1"
            assert made.exists()


def test_a_release_file_goes_over_the_environment(shared: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "release").write_text("VERSION=v3\nBEHAVIOUR=never-ready\n")
    flags = ("--release", str(tmp_path / "release"))
    environment = {"VERSION": "v2", "BEHAVIOUR": "exit-zero"}
    with program(SERVE, *flags, listeners=[shared], environment=environment):
        assert get(address(shared))[1].endswith(" v3")
        assert get(address(shared), "/health") == (503, "not now")


def sockets_of(pid: int) -> set[str]:
    """Beyond its standard streams."""
    found = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found |= {os.readlink(one)} if int(one.name) > 2 else set()
    return {target for target in found if "socket" in target}


@pytest.mark.parametrize("where", ["group", "session"])
def test_a_child_of_its_own(shared: socket.socket, where: str) -> None:
    with program(SERVE, "--child", where, listeners=[shared]) as serving:
        child = int(get(address(shared), "/child")[1])
        try:
            until(
                lambda: (os.getsid(child) == serving.pid) is (where == "group"),
                "it is where it should be",
            )
            until(lambda: not sockets_of(child), "it holds no socket")
        finally:
            end(child)


# Misbehaviour


def ended(kind: str, shared: socket.socket) -> tuple[int, str]:
    with program(SERVE, "--behaviour", kind, listeners=[shared]) as serving:
        status = serving.wait(10)
        return status, serving.communicate()[1].decode()


def test_import_error(shared: socket.socket) -> None:
    status, words = ended("import-error", shared)
    assert status == 1
    assert "ModuleNotFoundError" in words


def test_exit_zero(shared: socket.socket) -> None:
    assert ended("exit-zero", shared)[0] == 0


def test_oom_before_it_is_ready(shared: socket.socket) -> None:
    assert ended("oom", shared)[0] == -signal.SIGKILL


def test_an_unknown_kind_is_refused(shared: socket.socket) -> None:
    status, words = ended("lazy", shared)
    assert status == 1
    assert "no behaviour lazy" in words


@pytest.mark.parametrize(("kind", "status"), [("crash-in-settle", 1), ("oom", -9)])
def test_a_late_crash_loses_no_request(shared: socket.socket, kind: str, status: int) -> None:
    with program(SERVE, "--behaviour", f"{kind}:0.3", listeners=[shared]) as serving:
        with dial(address(shared)) as link:
            say(link, "/slow?500")
            assert hear(link)[0] == 200
        assert serving.wait(10) == status


def test_hang(shared: socket.socket) -> None:
    with program(SERVE, "--behaviour", "hang", listeners=[shared]) as serving:
        with pytest.raises(TimeoutError):
            get(address(shared), seconds=0.3)
        assert serving.poll() is None
        serving.terminate()
        assert serving.wait(10) == -signal.SIGTERM


def test_never_ready_serves(shared: socket.socket) -> None:
    with program(SERVE, "--behaviour", "never-ready", listeners=[shared]):
        assert get(address(shared), "/health")[0] == 503
        assert get(address(shared))[0] == 200


def test_wrong_port_leaves_the_right_one(shared: socket.socket, tmp_path: Path) -> None:
    flags = ("--behaviour", "wrong-port", "--times", str(tmp_path / "times"))
    with program(SERVE, *flags, listeners=[shared]):
        until((tmp_path / "times").exists, "it believes itself ready")
        with pytest.raises(TimeoutError):
            get(address(shared), seconds=0.3)


def test_check_hangs_and_all_else_is_served(shared: socket.socket) -> None:
    with program(SERVE, "--behaviour", "check-hangs", listeners=[shared]):
        with pytest.raises(TimeoutError):
            get(address(shared), "/health", seconds=0.3)
        assert get(address(shared))[0] == 200


def test_ignores_term(shared: socket.socket) -> None:
    with program(SERVE, "--behaviour", "ignores-term", listeners=[shared]) as serving:
        get(address(shared))
        serving.terminate()
        assert get(address(shared))[0] == 200


def test_stuck_at_stop(shared: socket.socket, tmp_path: Path) -> None:
    times = tmp_path / "times"
    flags = ("--behaviour", "stuck-at-stop", "--times", str(times))
    with program(SERVE, *flags, listeners=[shared]) as serving:
        get(address(shared))
        serving.terminate()
        until(lambda: "term" in times.read_text(), "it heard")
        with pytest.raises(TimeoutError):
            get(address(shared), seconds=0.3)
        assert serving.poll() is None


def test_forks_away(shared: socket.socket) -> None:
    with program(SERVE, "--behaviour", "forks-away:0.1", listeners=[shared]) as serving:
        assert serving.wait(10) == 0
        daemon = int(get(address(shared))[1].split()[0])
        try:
            assert daemon != serving.pid
            assert os.getsid(daemon) != serving.pid
        finally:
            end(daemon)
        assert gone(daemon)


def test_slow_start(shared: socket.socket) -> None:
    began = time.monotonic()
    with program(SERVE, "--behaviour", "slow-start:0.4", listeners=[shared]):
        assert get(address(shared))[0] == 200
    assert time.monotonic() - began >= 0.4


# Facts


def test_facts_are_complete(shared: socket.socket, tmp_path: Path) -> None:
    environment = {"GAPLESS_GENERATION": "4", "A": "b=c", "EMPTY": ""}
    with program(
        FACTS, str(tmp_path / "{generation}.json"), listeners=[shared], environment=environment
    ) as sleeping:
        file = tmp_path / "4.json"
        until(file.exists, "it told")
        facts = json.loads(file.read_text())
        shells = {name: facts["environment"].pop(name, "") for name in ("PWD", "SHLVL", "_")}
        assert "OLDPWD" not in shells
        sleeping_pid = str(sleeping.pid)
        assert facts["environment"] == {
            **environment, "LISTEN_FDS": "1", "LISTEN_PID": sleeping_pid
        }  # fmt: skip
        assert facts["session"] == facts["group"] == facts["pid"] == sleeping.pid
        assert [one["fd"] for one in facts["fds"]] == [0, 1, 2, 3]
        given = facts["fds"][3]
        assert (given["kind"], given["listening"]) == ("socket", True)
        assert tuple(given["sockname"]) == shared.getsockname()
        assert sleeping.poll() is None


def test_facts_and_then_a_server(shared: socket.socket, tmp_path: Path) -> None:
    words = (FACTS, str(tmp_path / "facts"), "--behaviour", "never-ready")
    with program(*words, listeners=[shared]) as serving:
        assert get(address(shared))[1].split()[0] == str(serving.pid)
        assert json.loads((tmp_path / "facts").read_text())["pid"] == serving.pid
