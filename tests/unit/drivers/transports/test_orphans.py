"""However a controller ends, and whoever it was on the host: nothing it started is left."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import proc
from .sshd import Sshd
from .users import PLAIN, SUDOER

FAULTS = ("INT", "TERM", "KILL", "STOP", "cut")
USERS = ("root", SUDOER, PLAIN)
IDS = {"root": "root", SUDOER: "sudo", PLAIN: "plain"}
SRC = Path(__file__).parents[4] / "src"
PATIENCE = 20.0
"""The helper's patience in these tests is 1.5 s; TERM and KILL take up to 2 s each."""


def children(mark: str) -> list[list[str]]:
    """A child of a shell; one that leaves the session; one that leaves by a double fork and also
    drops the environment by which it could be known."""
    return [
        ["sh", "-c", f"sleep {mark}; true"],
        ["sh", "-c", f"setsid sleep {mark} & wait"],
        ["sh", "-c", f"(env -i setsid sleep {mark} &) ; sleep {mark}; true"],
    ]


SLEEPING = 4


class Controller:
    def __init__(self, spec: dict[str, object], as_user: str = "") -> None:
        argv = [sys.executable, str(Path(__file__).with_name("controller.py")), json.dumps(spec)]
        if as_user and as_user != "root":
            entry = pwd.getpwnam(as_user)
            ids = (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups")
            argv = ["setpriv", *ids, *argv]
        environment = {**os.environ, "PYTHONPATH": str(SRC)}
        if as_user:
            environment["HOME"] = pwd.getpwnam(as_user).pw_dir
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment, cwd="/")
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"begun\n"

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.kill()
        self.process.wait()

    def suffer(self, fault: str, sshd: Sshd | None) -> None:
        if fault == "cut":
            assert sshd is not None
            for pid in sshd.sessions():
                with contextlib.suppress(ProcessLookupError):  # the end of one may end another
                    os.kill(pid, signal.SIGKILL)
        else:
            self.process.send_signal(getattr(signal, f"SIG{fault}"))


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("user", USERS, ids=IDS.get)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("helper", [True, False], ids=["helper", "guard"])
def test_over_ssh(
    sshd: Sshd, fault: str, user: str, helper: bool, tmp_path: Path, mark: str
) -> None:
    host = sshd.host(user, sudo=user != PLAIN, state_dir=state_of(user, tmp_path))
    commands = children(mark) if helper else children(mark)[:2]
    frozen_guard = fault == "STOP" and not helper
    spec = {
        "transport": "ssh",
        "host": host.model_dump(mode="json", exclude_none=True),
        "helper": helper,
        "timeout": 4 if frozen_guard else 600,
        "commands": commands,
    }
    expected = SLEEPING if helper else 2
    with Controller(spec) as controller:
        assert sleeping(mark, expected, PATIENCE) == expected
        controller.suffer(fault, sshd)
        assert sleeping(mark, 0, PATIENCE) == 0


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize("user", USERS, ids=IDS.get)
@pytest.mark.parametrize("fault", FAULTS[:-1])
def test_local(fault: str, user: str, tmp_path: Path, mark: str) -> None:
    spec = {
        "transport": "local",
        "host": {
            "transport": "local",
            "sudo": user != PLAIN,
            "state_dir": state_of(user, tmp_path),
        },
        "helper": True,
        "timeout": 600,
        "commands": children(mark),
    }
    with Controller(spec, as_user=user) as controller:
        assert sleeping(mark, SLEEPING, PATIENCE) == SLEEPING
        controller.suffer(fault, None)
        assert sleeping(mark, 0, PATIENCE) == 0


def state_of(user: str, folder: Path) -> str | None:
    return None if user == PLAIN else str(folder)  # without root it is in the user's home


def sleeping(mark: str, count: int, patience: float) -> int:
    return len(proc.wait_for(count, f"sleep {mark} ", patience))


@pytest.fixture
def mark() -> str:
    return proc.unique_seconds()
