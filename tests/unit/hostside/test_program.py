"""A program of ours in a fork is what it would be in an interpreter of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.transports.codec import command_to_json
from gapless.hostside.processes import Execution
from gapless.model import Command

_RUNS = """
import json, os, sys, threading
from gapless.hostside.processes import Execution
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
spec = json.load(sys.stdin)
print(json.dumps(Execution(spec, threading.Event(), forks=sys.argv[2] == "forks").run()))
"""
"""What a runner does, and like it alone in a process that has one thread."""

_PROGRAMS = {
    "words": "import sys; print(sys.argv)",
    "is the main program": "print(__name__)",
    "ends with a number": "import sys; sys.exit(7)",
    "ends with more than a byte": "import sys; sys.exit(256 + 3)",
    "ends with words": "import sys; sys.exit('refused')",
    "ends with nothing": "import sys; sys.exit()",
    "raises": "raise OSError('no')",
    "cannot be compiled": "this is no program",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "ends at once": "import os; os._exit(9)",
    "nothing to read": "import sys; print(repr(sys.stdin.read()))",
    "folder": "import os; print(os.getcwd())",
    "environment": "import os; print(os.environ['WORD'], 'ONLY_HERS' in os.environ)",
    "environment of its children": (
        "import subprocess; subprocess.run(['sh', '-c', 'echo $WORD'], check=True)"
    ),
    "descriptors": "import os; print([n for n in os.listdir('/proc/self/fd') if int(n) > 3])",
    "a pipe that nobody reads": (
        "import os; r, w = os.pipe(); os.close(r)\n"
        "try:\n    os.write(w, b'x')\nexcept BrokenPipeError:\n    print('told')"
    ),
    "a session of its own": "import os; print(os.getsid(0) == os.getpid())",
    "secrets": "import os; print('it is', os.environ['PASSWORD'])",
    "both streams": "import sys; print('out'); print('err', file=sys.stderr)",
    "a byte that is no text": "import os; os.write(1, bytes([255, 10]))",
}


def outcome(command: Command, how: str, folder: Path) -> dict[str, Any]:
    argv = [sys.executable, "-c", _RUNS, str(folder / "lock"), how]
    asked = json.dumps(command_to_json(command))
    environment = {**os.environ, "ONLY_HERS": "1"}
    done = subprocess.run(
        argv, input=asked, capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("named", _PROGRAMS)
def test_in_a_fork_as_in_an_interpreter_of_its_own(named: str, tmp_path: Path) -> None:
    command = Command.python(
        _PROGRAMS[named].encode(), "one", "two words", cwd=str(tmp_path), env={"WORD": "said"}
    )
    command = replace(command, secrets={"PASSWORD": "hidden-word"})
    told = {how: outcome(command, how, tmp_path) for how in ("forks", "starts")}
    for one in told.values():
        del one["elapsed"]
        # where in the file, and in ours besides
        one["stderr"] = one["stderr"].splitlines()[-1:]
    assert told["forks"] == told["starts"]
    assert "hidden-word" not in told["forks"]["stdout"]


def test_no_interpreter_is_started_for_it(tmp_path: Path) -> None:
    command = Command.python(b"print(open('/proc/self/cmdline').read().split(chr(0))[1])")
    told = {how: outcome(command, how, tmp_path)["stdout"] for how in ("forks", "starts")}
    assert told == {"forks": "-c\n", "starts": "-I\n"}


def test_it_ends_when_it_must_with_all_that_it_started(tmp_path: Path) -> None:
    told = tmp_path / "child"
    program = (
        "import pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        f"pathlib.Path({str(told)!r}).write_text(str(child.pid))\n"
        "time.sleep(1000)\n"
    )
    done = outcome(Command.python(program.encode(), timeout=2.0), "forks", tmp_path)
    assert done["timed_out"]
    child = Path("/proc") / told.read_text()
    deadline = time.monotonic() + 10
    while child.exists() and "Z (zombie)" not in (child / "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_for_another_user_is_not_run_in_a_fork_of_ours() -> None:
    spec = {"interpreted": True, "user": "somebody-else", "argv": ["python3"], "output_limit": 1}
    assert not Execution(spec, _never(), forks=True)._ours()


def _never() -> Any:
    return object()
