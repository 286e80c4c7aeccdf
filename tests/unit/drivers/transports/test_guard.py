"""The shell guard on every shell there is."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from gapless.drivers.transports.guard import SCRIPT, guarded

from . import proc

SHELLS = {
    "dash": ["dash"],
    "bash": ["bash"],
    "posix": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    argv = SHELLS[request.param]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    return argv


def start(shell: list[str], *argv: str, limit: int = 60) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    full = [*shell, "-c", SCRIPT, "gapless", f"marker{proc.unique_seconds()}", str(limit), *argv]
    return subprocess.Popen(full, stdin=pipe, stdout=pipe, stderr=pipe)


def test_streams_status_and_words_come_through(shell: list[str]) -> None:
    words = ("a b", "$HOME", "`id`", "x'y\"z", "*", "")
    process = start(shell, "sh", "-c", 'printf "%s|" "$@"; echo err >&2; exit 3', "sh", *words)
    out, err = process.stdout.read(), process.stderr.read()  # type: ignore[union-attr]
    assert (process.wait(), out.decode(), err) == (3, "|".join(words) + "|", b"err\n")


def test_a_missing_program_is_127(shell: list[str]) -> None:
    process = start(shell, "no-such-program")
    assert process.wait() == 127
    assert b"no-such-program" in process.stderr.read()  # type: ignore[union-attr]


def test_a_command_finds_nothing_on_stdin(shell: list[str]) -> None:
    process = start(shell, "cat")
    assert process.wait(timeout=5) == 0


def test_the_end_of_stdin_ends_all_it_started(shell: list[str]) -> None:
    mark = proc.unique_seconds()
    script = f"trap '' TERM; setsid sleep {mark} & sleep {mark}; sleep {mark}"
    process = start(shell, "sh", "-c", script)
    assert len(proc.wait_for(2, f"sleep {mark} ", 5)) == 2
    process.stdin.close()  # type: ignore[union-attr]
    process.wait(timeout=10)
    assert proc.wait_for(0, f"sleep {mark} ", 5) == {}


def test_a_frozen_controller_does_not_keep_it_for_ever(shell: list[str]) -> None:
    mark = proc.unique_seconds()
    process = start(shell, "sh", "-c", f"setsid sleep {mark} & sleep {mark}", limit=1)
    assert len(proc.wait_for(2, f"sleep {mark} ", 5)) == 2
    began = time.monotonic()
    assert process.wait(timeout=10) != 0
    assert time.monotonic() - began < 6
    assert proc.wait_for(0, f"sleep {mark} ", 5) == {}


def test_the_script_survives_any_login_shell() -> None:
    assert "'" not in SCRIPT
    assert "\n" not in SCRIPT
    line = guarded(("echo", "it's"), 10, sudo=True)
    assert line.startswith("exec sudo -n -- /bin/sh -c '")
