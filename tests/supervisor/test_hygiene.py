"""What a copy is given: exactly what is documented, also after many flips."""

from __future__ import annotations

import json
import os
import pwd
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gapless.supervisor.spec import Listen, Ready
from tests.supervisor.rig import PROGRAMS, PYTHON, Rig, until

Web = Callable[..., Rig]

CHANGING = {
    "GAPLESS_GENERATION", "GAPLESS_RUN", "GAPLESS_SLOT", "GAPLESS_PROBE", "LISTEN_PID",
    "NOTIFY_SOCKET", "EINHORN_MASTER_PID", "WATCHDOG_PID",
}  # fmt: skip
"""What differs between two copies; everything else is the same to the byte."""

PASS = """\
import os, sys
os.dup2({fd}, 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Hands over a socket as systemd does, and becomes the program."""
WARM = 20
"""Flips after which memory has found its size."""


def facts_of(web: Web, tmp_path: Path, **changes: Any) -> Rig:
    """A rig whose copies write down what they were given, and serve."""
    rig = web(**changes)
    flags = rig.spec.command[len(PYTHON) + 1 :]
    command = (*PYTHON, str(PROGRAMS / "facts.py"), str(tmp_path / "facts-{generation}"), *flags)
    rig.spec = replace(rig.spec, command=command)
    return rig


def facts(tmp_path: Path, generation: int) -> dict[str, Any]:
    file = tmp_path / f"facts-{generation}"
    until(file.exists)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_environment_is_ours_and_what_is_documented(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "MAINPID", "GAPLESS_NAME"):
        monkeypatch.setenv(name, "9")
    monkeypatch.setenv("KEPT", "é\n x")
    monkeypatch.setenv("REMOVED", "1")
    environment = {"COLOUR": "blue", "REMOVED": None, "SLOT": "is {slot}"}
    rig = facts_of(web, tmp_path, environment=environment).start()
    found = facts(tmp_path, 1)
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "GAPLESS_"))}
    for name in ("MAINPID", "REMOVED", "NOTIFY_SOCKET"):
        ours.pop(name, None)
    theirs = dict(found["environment"])
    assert theirs.pop("LISTEN_PID") == str(found["pid"])
    assert theirs.pop("NOTIFY_SOCKET").startswith("@gapless/")
    assert theirs.pop("GAPLESS_RUN").endswith("-1")
    assert theirs == ours | {
        "COLOUR": "blue", "SLOT": "is a", "GAPLESS_NAME": "web", "GAPLESS_GENERATION": "1",
        "GAPLESS_SLOT": "a", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http",
    }  # fmt: skip
    assert rig.version() == "1"


def test_descriptors_are_the_streams_and_the_listeners(web: Web, tmp_path: Path) -> None:
    listen = (
        Listen("b", "tcp://127.0.0.1:0"),
        Listen("a", f"unix://{tmp_path}/a.sock", mode=0o600),
        Listen("six", "tcp://[::1]:0"),
        Listen("u", "udp://127.0.0.1:0"),
        Listen("abstract", f"unix://@{tmp_path.name}"),
    )
    rig = facts_of(web, tmp_path, listen=listen, probe="tcp")
    rig.start()
    found = facts(tmp_path, 1)
    assert [fd["fd"] for fd in found["fds"]] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert found["environment"]["LISTEN_FDNAMES"] == "b:a:six:u:abstract:probe"
    assert (tmp_path / "a.sock").stat().st_mode & 0o777 == 0o600
    rig.process.terminate()
    assert rig.ended() == 0
    assert not (tmp_path / "a.sock").exists()


@pytest.mark.parametrize("nonblocking", [False, True])
def test_sockets_that_do_not_block(web: Web, tmp_path: Path, nonblocking: bool) -> None:
    """The private one as well."""
    facts_of(web, tmp_path, nonblocking=nonblocking, probe="tcp").start()
    blocking = [fd["blocking"] for fd in facts(tmp_path, 1)["fds"] if fd["fd"] >= 3]
    assert blocking == [not nonblocking] * 2


@pytest.mark.timeout(1800)
def test_a_copy_after_many_flips_is_given_the_same(web: Web, tmp_path: Path) -> None:
    """Bounds of the supervisor itself, too: no descriptor more, hardly any memory more."""
    flips = int(os.environ.get("GAPLESS_FLIPS", "30"))
    rig = facts_of(web, tmp_path, settle=0.0, probe="unix").start()
    for _ in range(WARM):
        assert rig.flip()["ok"]
    until(lambda: not rig.serves()["draining"])
    fds, memory = _descriptors(rig.pid), _memory(rig.pid)
    for _ in range(flips):
        assert rig.flip()["ok"]
    until(lambda: not rig.serves()["draining"])
    first, last = facts(tmp_path, 1), facts(tmp_path, flips + WARM + 1)
    assert _same(first) == _same(last)
    assert _descriptors(rig.pid) == fds
    assert _memory(rig.pid) - memory <= 256


def test_user_umask_and_limits(web: Web, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:
        parent.chmod(0o755)
    program = tmp_path / "facts.py"
    program.write_text((PROGRAMS / "facts.py").read_text())
    words = ("/usr/bin/python3", "-I", "-S", str(program), str(tmp_path / "facts-{generation}"))
    rig = web(
        command=words, user="nobody", umask=0o027, directory="/",
        limits={"nofile": (100, 200), "core": (0, 0)}, ready=Ready("alive", after=0.1),
    )  # fmt: skip
    rig.start()
    found = facts(tmp_path, 1)
    assert found["user"] == [65534, 65534]
    assert set(found["groups"]) == {os.getgrouplist("nobody", 65534)[0]}
    assert (found["umask"], found["directory"]) == (0o027, "/")
    assert found["limits"]["nofile"] == [100, 200]


@pytest.mark.parametrize("user", ["daemon", "1"])
def test_a_user_brings_its_home_and_name(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """Under what the configuration says; a shell that refuses logins is none."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("HOME", "/root")
    rig = web(
        command=("/usr/bin/env",), user=user, directory="/", environment={"LOGNAME": "other"},
        ready=Ready("alive", after=5.0),
    )  # fmt: skip
    rig.start(ready=False)
    rig.ended()
    found = dict(line.split("=", 1) for line in rig.output().splitlines() if "=" in line)
    known = pwd.getpwnam("daemon")
    assert (found["HOME"], found["USER"], found["LOGNAME"]) == (known.pw_dir, "daemon", "other")
    assert found.get("SHELL") == (None if "nologin" in known.pw_shell else known.pw_shell)


def test_a_socket_that_is_on_its_own_number_arrives(web: Web, tmp_path: Path) -> None:
    """dup2 onto itself would leave close-on-exec set."""
    rig = facts_of(web, tmp_path)
    low = os.open("/dev/null", os.O_RDONLY)
    rig.start(pass_fds=(low,))
    os.close(low)
    assert [fd["fd"] for fd in facts(tmp_path, 1)["fds"]] == [0, 1, 2, 3]
    assert rig.version() == "1"


def test_sockets_that_were_passed_to_us_are_used(web: Web, tmp_path: Path) -> None:
    """As systemd passes them: by name, or by their address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        address = f"tcp://127.0.0.1:{held.getsockname()[1]}"
        rig = facts_of(web, tmp_path, listen=(Listen("http", address),))
        rig.start(
            wrapper=(sys.executable, "-c", PASS.format(fd=held.fileno())),
            pass_fds=(held.fileno(),),
        )
    assert rig.version() == "1"


def test_slots_alternate(web: Web, tmp_path: Path) -> None:
    rig = facts_of(web, tmp_path, environment={"SLOT": "{slot}"}).start()
    for _ in range(3):
        assert rig.flip()["ok"]
    assert [facts(tmp_path, n)["environment"]["SLOT"] for n in (1, 2, 3, 4)] == list("abab")


def _same(found: dict[str, Any]) -> dict[str, Any]:
    """What may not differ between two copies."""
    told = ("fd", "kind", "inherited", "family", "type", "listening")
    return {
        "environment": {k: v for k, v in found["environment"].items() if k not in CHANGING},
        "fds": [{k: v for k, v in fd.items() if k in told} for fd in found["fds"]],
        **{k: found[k] for k in ("directory", "umask", "limits", "ignored", "blocked")},
    }


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _memory(pid: int) -> int:
    """Kilobytes that are resident."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


def test_limits_are_those_of_the_machine_without_any(web: Web, tmp_path: Path) -> None:
    rig = facts_of(web, tmp_path).start()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert facts(tmp_path, 1)["limits"]["nofile"] == [soft, hard]
    assert rig.version() == "1"


def test_the_locale_of_python_is_not_handed_on(web: Web, tmp_path: Path) -> None:
    rig = facts_of(web, tmp_path)
    kept = [f"{name}={os.environ[name]}" for name in ("GAPLESS_RUN_DIR", "RIG_FOLDER")]
    rig.start(wrapper=("/usr/bin/env", "-i", *kept))
    assert set(facts(tmp_path, 1)["environment"]) == {
        "GAPLESS_NAME", "GAPLESS_GENERATION", "GAPLESS_SLOT", "GAPLESS_RUN", "LISTEN_FDS",
        "LISTEN_FDNAMES", "LISTEN_PID", "NOTIFY_SOCKET", "RIG_FOLDER",
    }  # fmt: skip
