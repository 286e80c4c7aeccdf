"""What ``gapless run adopt`` makes of a unit, and how ``gapless flip`` ends with one. With a real
systemd: ``tests/rollouts/test_run_adopt.py``."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gapless.cli import drop_in, drop_in_file, flipping, supervised, units
from gapless.cli.drop_in import Wish, body_of
from gapless.cli.objections import objections
from gapless.cli.units import Socket, Unit
from gapless.errors import Refused, UsageError
from tests.unit.cli.conftest import Ended

FILE = "/etc/systemd/system/web.service"


def unit(start: str = "/srv/web --port 80", **facts: str) -> Unit:
    """As systemd tells of one that says nothing else."""
    known = {"Type": "simple", "KillSignal": "15", "RestartKillSignal": "15", "KillMode":
             "control-group", "SendSIGKILL": "yes", "TimeoutStartUSec": "1min 30s",
             "TimeoutStopUSec": "20s", "RuntimeDirectoryPreserve": "no"}  # fmt: skip
    return Unit("web.service", {FILE: f"[Service]\nExecStart={start}"}, known | facts)


def lines(found: Unit, *listen: str, **wish: str) -> list[str]:
    return body_of(found, Wish(listen, **wish), ["/opt/gapless"]).splitlines()


def started(found: Unit, *listen: str, **wish: str) -> list[str]:
    """Words of the command."""
    start = [line for line in lines(found, *listen, **wish) if line.startswith("ExecStart=/")]
    return shlex.split(start[0].removeprefix("ExecStart="))


# What is in it


def test_the_limits_of_the_unit_become_those_of_each_copy() -> None:
    found = unit(KillSignal="2", TimeoutStartUSec="5s")
    words = started(found, "8080", settle="1s", ready="http=probe:/health")
    assert words == [
        "/opt/gapless", "run", "--name", "web", "--listen", "8080", "--ready",
        "http=probe:/health", "--settle", "1s", "--set", "start_timeout=5s", "--set",
        "stop.timeout=20s", "--set", "stop.signal=INT", "--set", "signals.TERM=INT", "--",
        "/srv/web", "--port", "80",
    ]  # fmt: skip
    assert "TimeoutStartSec=62" in lines(found, settle="1s")
    assert "TimeoutStopSec=30" in lines(found)


@pytest.mark.parametrize(
    "facts", [{"TimeoutStopUSec": "infinity"}, {"TimeoutStopUSec": "0"}, {"SendSIGKILL": "no"}]
)
def test_limits_without_an_end(facts: dict[str, str]) -> None:
    assert "TimeoutStopSec=infinity" in lines(unit(**facts))
    assert "stop.timeout=24h" in started(unit(**facts))


def test_ends_by_signals_are_ends_by_codes() -> None:
    found = unit(SuccessExitStatus="42 USR1", RestartPreventExitStatus="3 ABRT", Restart="on-abort")
    written = lines(found)
    assert "SuccessExitStatus=129 130 138 141 143" in written
    assert "RestartPreventExitStatus=134" in written
    assert any(line.startswith("RestartForceExitStatus=131 132 133 134") for line in written)
    assert not any(line.startswith("Restart") for line in lines(unit()))


def test_a_socket_in_a_folder_of_the_unit_stays_over_a_restart() -> None:
    found = unit(RuntimeDirectory="web other")
    assert "RuntimeDirectoryPreserve=restart" in lines(found, "unix:///run/web/x")
    assert "RuntimeDirectoryPreserve=restart" not in lines(found, "8080")
    assert 'Environment="RUNTIME_DIRECTORY=%t/web:%t/other"' in lines(found)


def test_a_copy_that_is_killed_for_memory_does_not_stop_the_unit() -> None:
    assert "OOMPolicy=continue" in lines(unit())


def test_the_journal_calls_the_program_as_before() -> None:
    path = "{ path=/srv/bin/web ; argv[]=/srv/bin/web ; ignore_errors=no }"
    assert "SyslogIdentifier=web" in lines(unit(ExecStart=path))
    named = unit(ExecStart=path, SyslogIdentifier="shop")
    assert not any(line.startswith("SyslogIdentifier") for line in lines(named))


def test_sockets_of_a_socket_unit_are_handed_on_by_name() -> None:
    sockets = (
        Socket("web.socket", "Stream", "[::]:80"), Socket("web.socket", "Stream", "/run/x"),
        Socket("dns", "Datagram", "127.0.0.1:53"),
    )  # fmt: skip
    words = started(Unit("web.service", unit().files, unit().facts, sockets))
    given = [word for before, word in pairwise(words) if before == "--listen"]
    assert given == [
        "web.socket=tcp://[::]:80", "web.socket-2=unix:///run/x", "dns=udp://127.0.0.1:53",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        (r"a\b", r"a\\b"),
        ('say "x"', r'"say \"x\""'),
        ("a;b", '"a;b"'),
        ("a\nb", r"a\nb"),
        ("", '""'),
    ],
)
def test_words_are_written_so_that_systemd_reads_just_them(word: str, written: str) -> None:
    assert drop_in.quoted(word) == written


def test_a_colon_leaves_dollars_alone() -> None:
    ready = "command=test $GAPLESS_GENERATION"
    assert "$$GAPLESS" in "\n".join(lines(unit(), ready=ready))
    assert "$$GAPLESS" not in "\n".join(lines(unit(":/srv/web $X"), ready=ready))


# What speaks against it


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (unit(Type="dbus"), "Type=dbus: two copies cannot have its name on the bus"),
        (unit(Type="novel"), "Type=novel: gapless does not know it"),
        (unit(KillMode="process"), "KillMode=process"),
        (unit("/srv/a ; /srv/b"), "several commands in one"),
        (unit("-@/srv/a b"), "ExecStart=@"),
        (unit("/usr/bin/gapless run -- x"), "under gapless already"),
        (unit("/usr/bin/gapless --x run -- x"), "under gapless already"),
        (unit(RestrictAddressFamilies="AF_INET"), "without AF_UNIX"),
        (unit(RestrictAddressFamilies="~AF_UNIX AF_NETLINK"), "without AF_UNIX"),
        (Unit("w.service", unit().files, unit().facts, (), accepts=True), "Accept=yes"),
    ],
)
def test_what_speaks_against_it(found: Unit, told: str) -> None:
    assert [reason for reason in objections(found) if told in reason]


@pytest.mark.parametrize(
    "found",
    [
        unit(), unit(Type="notify"), unit(RestrictAddressFamilies="AF_INET AF_UNIX"),
        unit(RestrictAddressFamilies="~AF_PACKET"), unit("-:/srv/web a;b"),
    ],
)  # fmt: skip
def test_what_does_not(found: Unit) -> None:
    assert [*objections(found)] == []


@pytest.mark.parametrize("word", ["web.socket", "../web", "a b", "web@", "web@.service", ""])
def test_what_is_no_service_is_a_mistake(word: str) -> None:
    with pytest.raises(UsageError):
        units.unit_name(word)


# How a unit is read


def test_the_last_command_counts_and_lines_go_on() -> None:
    text = "[Service]\nExecStart=/a\n[X]\nExecStart=/no\n[Service]\nExecStart=\n"
    text += "ExecStart = /b \\\n  # not this\n; nor this\n  c\n#ExecStart=/d\n"
    assert units.commands(text) == ["/b    c"]


def test_files_are_told_apart() -> None:
    drop_in_path = "/etc/systemd/system/web.service.d/a.conf"
    text = f"# {FILE}\n# a comment\n[Service]\nA=1\n\n# {drop_in_path}\n[Service]\nB=2\n"
    found = Unit("web.service", units.files(text, [FILE, drop_in_path]))
    assert found.files == {FILE: "# a comment\n[Service]\nA=1", drop_in_path: "[Service]\nB=2"}
    assert found.without(drop_in_path) == "# a comment\n[Service]\nA=1"


# Its file


def test_a_seal_tells_every_change() -> None:
    text = drop_in_file.sealed("web.service", "[Service]\nA=1\n\nB=2\n", ["a", "b"])
    assert drop_in_file.intact(text, ["a", "b"])
    assert not drop_in_file.intact(text, ["a", "c"])
    assert not drop_in_file.intact(text.replace("B=2", "B=3"), ["a", "b"])


def test_the_file_is_as_closed_as_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_in_file, "FOLDER", tmp_path)
    like = tmp_path / "web.service"
    like.write_text("x")
    for mode, expected in ((0o644, 0o644), (0o600, 0o600), (0o777, 0o644), (0o400, 0o600)):
        like.chmod(mode)
        text = drop_in_file.sealed("web.service", "x", [])
        path = drop_in_file.write("web.service", text, [str(like)])
        assert path.stat().st_mode & 0o777 == expected
    assert drop_in_file.remove("web.service")
    assert not drop_in_file.remove("web.service")
    assert [*tmp_path.iterdir()] == [like]


def test_a_file_of_somebody_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_in_file, "FOLDER", tmp_path)
    path = drop_in_file.path_of("web.service")
    path.parent.mkdir()
    path.write_text("[Service]\n")
    with pytest.raises(Refused):
        drop_in_file.write("web.service", "x", [])
    with pytest.raises(Refused):
        drop_in_file.remove("web.service")
    assert path.read_text() == "[Service]\n"


# The whole of it, against a stand-in of systemctl


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One unit in a folder; what systemctl was asked for that changes something."""
    monkeypatch.setattr(drop_in_file, "FOLDER", tmp_path)
    file = tmp_path / "web.service"
    file.write_text("[Service]\nExecStart=/srv/web\nEnvironment=TOKEN=canary-77aa\n")
    told: list[str] = []

    def systemctl(verb: str, *words: str) -> str:
        there = [path for path in (drop_in_file.path_of("web.service"),) if path.exists()]
        if verb == "show" and words[0].endswith(".socket"):
            return "Triggers=\n"
        if verb == "show":
            facts = {
                **unit().facts, "Id": "web.service", "LoadState": "loaded",
                "FragmentPath": str(file), "DropInPaths": " ".join(map(str, there)),
            }  # fmt: skip
            return "".join(f"{key}={value}\n" for key, value in facts.items())
        if verb == "cat":
            return "\n".join(f"# {path}\n{path.read_text()}" for path in (file, *there))
        told.append(verb)
        return ""

    monkeypatch.setattr(units, "systemctl", systemctl)
    return told


def test_print_write_once_more_and_take_back(
    asked: list[str], tmp_path: Path, gl: Callable[..., Ended]
) -> None:
    words = ("run", "adopt", "web", "--listen", "8080")
    printed = gl(*words)
    assert (printed.code, asked) == (0, [])
    assert "canary" not in printed.out + printed.err
    assert "a new copy counts as ready when it has lived for 5s" in printed.err
    assert "next    gapless run adopt web.service … --write" in printed.err

    assert gl(*words, "--write").code == 0
    file = tmp_path / "web.service.d" / "zz-gapless.conf"
    assert (file.read_text(), asked) == (printed.out, ["daemon-reload"])
    again = gl(*words, "--write")
    assert (again.code, "adopted already; nothing to change" in again.out) == (0, True)
    assert gl(*words).out == printed.out
    other = gl(*words, "--ready", "notify", "--write")
    assert (other.code, "--undo web.service" in other.err) == (3, True)
    assert asked == ["daemon-reload"]

    undone = gl("run", "adopt", "web", "--undo")
    assert (undone.code, asked) == (0, ["daemon-reload"] * 2)
    assert "next    systemctl restart web.service" in undone.out
    assert "Nothing to undo" in gl("run", "adopt", "--undo", "web").out
    assert [path.name for path in tmp_path.glob("web*")] == ["web.service"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--undo", "--write"), "--undo stands alone"),
        (("--listen", "x:y:z"), "'z' is not a port"),
        (("--settle", "3"), "settle: '3' is not a duration"),
        (("--ready", "luck"), "unknown kind 'luck'"),
    ],
)
def test_wrong_options_are_told_before_anything_is_asked(
    asked: list[str], gl: Callable[..., Ended], words: tuple[str, ...], told: str
) -> None:
    ended = gl("run", "adopt", "web", *words)
    assert (ended.code, asked) == (2, [])
    assert told in ended.err


# TERM to a reload that waits


STOPPED: dict[str, Any] = {"ok": False, "code": 5, "what": "it is being stopped", "log": []}


def test_a_reload_of_a_unit_that_is_stopped_ends_as_it_was_told_to(
    monkeypatch: pytest.MonkeyPatch, gl: Callable[..., Ended]
) -> None:
    def ask(*_: Any, **__: Any) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        return STOPPED

    monkeypatch.setattr(supervised, "ask", lambda *_, **__: STOPPED)
    monkeypatch.setattr(supervised, "answering", lambda _wanted: STOPPED)
    monkeypatch.setattr(flipping, "ask", lambda *_, **__: STOPPED)
    assert gl("flip", "web").code == 5
    monkeypatch.setattr(flipping, "ask", ask)
    assert gl("flip", "web").code == 143


def test_an_answer_that_is_here_before_term_is_no_failure_of_the_reload(
    monkeypatch: pytest.MonkeyPatch, gl: Callable[..., Ended]
) -> None:
    """systemd tells the supervisor first."""
    told = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))

    def ask(*_: Any, **__: Any) -> dict[str, Any]:
        told.start()
        return STOPPED

    monkeypatch.setattr(supervised, "ask", lambda *_, **__: STOPPED)
    monkeypatch.setattr(supervised, "answering", lambda _wanted: STOPPED)
    monkeypatch.setattr(flipping, "ask", ask)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # where nobody waits, these tests go on
    try:
        assert gl("flip", "web").code == 143
        told.join()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_else_term_ends_it() -> None:
    program = (
        "import os, signal, time\nfrom gapless.cli import terminated\n"
        "with terminated.held():\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=30, check=False)
    assert done.returncode == -signal.SIGTERM
