"""What copies write, and we."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.supervisor import rundir
from gapless.supervisor.spec import Stop
from tests.supervisor.installed import born, installed, renewed
from tests.supervisor.rig import Rig, until
from tests.supervisor.scripted import ALIVE, script

Web = Callable[..., Rig]

SOON = 6.0


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    try:
        yield read, write
    finally:
        for fd in (read, write):
            with contextlib.suppress(OSError):
                os.close(fd)


def filled(write: int) -> None:
    """As much as it takes."""
    mine = os.open(f"/proc/self/fd/{write}", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(mine, b"x" * 4096)
    os.close(mine)


def test_nobody_reads_what_we_say(web: Web) -> None:
    with pipe() as (_read, write):
        rig = web().start(out=os.fdopen(os.dup(write), "wb"))
        filled(write)
        asked = rig.ask("flip")
        assert asked.reply(SOON)["ok"]
        rig.signal(signal.SIGTERM)
        assert rig.ended(SOON) == 0


def test_the_last_words_are_told_to_a_slow_reader(web: Web, tmp_path: Path) -> None:
    """As much as two pipes hold, and a reader that begins when the program has ended."""
    program = script(
        tmp_path,
        "import os, time\n"
        "time.sleep(0.5)\n"
        "for n in range(100): os.write(1, b'%d' % (n % 10) * 1000)\n",
    )
    with pipe() as (read, write):
        rig = web(command=program, listen=(), ready=ALIVE, settle=0.0)
        rig.start(ready=False, out=os.fdopen(os.dup(write), "wb"))
        os.close(write)
        copy = until(rig.active)
        until(lambda: not os.path.exists(f"/proc/{copy}"))
        heard = b""
        while part := os.read(read, 65536):
            heard += part
            time.sleep(0.01)
        assert rig.ended() == 0
        digits = bytes(c for c in heard if c in b"0123456789")
        assert len(digits) >= 100_000


def test_a_flood_of_output_does_not_hold_up_the_loop(web: Web, tmp_path: Path) -> None:
    program = script(tmp_path, "import os\nwhile True: os.write(1, b'x' * 65535 + b'\\n')\n")
    with pipe() as (read, write):
        swallows = subprocess.Popen(["cat"], stdin=read, stdout=subprocess.DEVNULL)
        try:
            rig = web(command=program, listen=(), ready=ALIVE, settle=0.0)
            rig.start(ready=False, out=os.fdopen(os.dup(write), "wb"))
            until(lambda: _status_within(2.0), "an answer to status", 15.0)
            assert rig.ask("flip").reply(SOON)["ok"]
        finally:
            rig.close()
            swallows.kill()
            swallows.wait()


def _status_within(seconds: float) -> Any:
    with contextlib.suppress(LookupError, OSError), rundir.connect("web") as to:
        to.settimeout(seconds)
        to.sendall(b'{"verb": "status"}\n')
        return (reply := to.recv(65536)) and json.loads(reply)["active"]
    return None


def test_no_output_is_lost_over_new_code(web: Web, tmp_path: Path) -> None:
    """A slow reader, a pipe that is full, and our process replaces itself."""
    program = script(
        tmp_path,
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "first = os.environ['GAPLESS_GENERATION'] == '1'\n"
        "for n in range(40000 if first else 0): os.write(1, b'%09d\\n' % n)\n"
        "time.sleep(60)\n",
    )
    with pipe() as (read, write):
        rig = web(
            command=program, listen=(), ready=ALIVE, settle=0.0, stop=Stop(timeout=30.0),
        )  # fmt: skip
        folder = installed(rig, tmp_path)
        rig.start(out=os.fdopen(os.dup(write), "wb"))
        time.sleep(0.5)  # both pipes fill up
        renewed(folder)
        asked = rig.ask("flip")
        heard = bytearray()

        def listen() -> None:
            with contextlib.suppress(OSError):
                while part := os.read(read, 4096):
                    heard.extend(part)

        until(lambda: born(rig), limit=10.0)
        listens = threading.Thread(target=listen, daemon=True)
        listens.start()
        assert asked.reply()["ok"]
        until(lambda: b"000039999\n" in heard, "the last line", 10.0)
        rig.close()
        os.close(write)
        listens.join(5.0)
        numbers = [int(line) for line in heard.split(b"\n") if line.isdigit() and len(line) == 9]
        assert numbers == list(range(40000))


CHATTY = """\
import os, signal, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
n = 0
while not told or n < 50:
    os.write(1 + n % 2, b'copy %s line %06d\\n' % (os.environb[b'GAPLESS_GENERATION'], n))
    n += 1
    time.sleep(0.002)
os.write(1, b'copy %s ends after %06d\\n' % (os.environb[b'GAPLESS_GENERATION'], n))
"""


def _await_line(file: Path, generation: int) -> None:
    """Before it writes it would be ended by the signal that it is to hear."""
    line = f"copy {generation} line "
    until(lambda: line in file.read_text(), f"{line!r}")


def test_all_that_is_written_to_a_file_is_there(web: Web, tmp_path: Path) -> None:
    """One that was opened without O_APPEND, by a shell that writes there as well."""
    file = tmp_path / "all"
    file.write_text("what was there before\n" * 3)
    shell = 'echo before; "$@"; echo "after with $?"'
    rig = web(command=script(tmp_path, CHATTY), listen=(), ready=ALIVE, settle=0.0)
    rig.start(out=open(file, "wb"), wrapper=("/bin/sh", "-c", shell, "sh"))  # noqa: SIM115
    for generation in range(1, 6):
        _await_line(file, generation)
        assert rig.flip()["ok"]
    _await_line(file, 6)
    os.kill(until(rig.status)["pid"], signal.SIGTERM)
    assert rig.ended() == 0
    first, *lines, last = file.read_text().splitlines()
    assert (first, last) == ("before", "after with 0")
    for generation in map(str, range(1, 7)):
        (end,) = [line for line in lines if line.startswith(f"copy {generation} ends after")]
        assert [line for line in lines if line.startswith(f"copy {generation} line ")] == [
            f"copy {generation} line {n:06}" for n in range(int(end.split()[-1]))
        ]
        assert f"gapless run web: generation {generation} serves, process" in "\n".join(lines)
    known = ("copy ", "gapless run web: ")
    assert [line for line in lines if not line.startswith(known)] == []


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("gone", 127, "cannot start /no/such/program"),
        ("not executable", 126, "Permission denied: /etc/passwd"),
        ("taken", 3, "cannot listen on tcp://127.0.0.1:"),
        ("silent", 7, "generation 1 failed: it ended with status 7"),
    ],
)
def test_the_reason_of_a_failed_start_is_in_the_file(
    web: Web, tmp_path: Path, how: str, code: int, told: str
) -> None:
    command = {"gone": ("/no/such/program",), "not executable": ("/etc/passwd",)}.get(
        how, ("/bin/sh", "-c", "echo words of the copy; exit 7")
    )
    file = tmp_path / "all"
    rig = web(command=command, ready=ALIVE)
    with contextlib.ExitStack() as stack:
        if how == "taken":
            host, _, port = rig.address.rpartition(":")
            stack.enter_context(socket.create_server((host, int(port))))
        shell = 'echo before; "$@"; echo "after with $?"'
        rig.start(ready=False, out=open(file, "wb"), wrapper=("/bin/sh", "-c", shell, "sh"))  # noqa: SIM115
        rig.ended()
    said = file.read_text()
    assert said.startswith("before\n")
    assert said.endswith(f"after with {code}\n")
    assert told in said
    assert ("words of the copy\n" in said) is (how == "silent")


def test_what_others_wrote_to_the_file_stays(web: Web, tmp_path: Path) -> None:
    """A program that opened it for itself, and a file that was made empty meanwhile."""
    file = tmp_path / "all"
    rig = web().start(out=open(file, "wb"))  # noqa: SIM115
    with open(file, "a") as own:
        own.write("line of another\n")
    assert rig.flip()["ok"]
    until(lambda: "generation 2 serves" in file.read_text())
    assert "line of another\n" in file.read_text()
    os.truncate(file, 0)
    assert rig.flip()["ok"]
    until(lambda: "generation 3 serves" in file.read_text())
    assert "\0" not in file.read_text()


def test_why_a_copy_ended_is_told_though_the_other_one_fills_the_file(
    web: Web, tmp_path: Path
) -> None:
    """The requests of a server that goes on, between the reason and the end."""
    flag, file = tmp_path / "broken", tmp_path / "all"
    program = script(
        tmp_path,
        "import os, sys, time\n"
        f"if not os.path.exists({str(flag)!r}): time.sleep(1000)\n"
        "print('no module named shop', file=sys.stderr)\n"
        "for n in range(400): print(f'10.0.0.{n % 250}:{40000 + n} GET / 200', file=sys.stderr)\n"
        "sys.exit(1)\n",
    )
    rig = web(command=program, listen=(), ready=ALIVE, settle=1.0)
    rig.start(out=open(file, "wb"))  # noqa: SIM115
    flag.touch()
    reply = rig.ask("flip").reply(SOON)
    assert not reply["ok"]
    assert reply["log"][0] == "no module named shop"
    assert len(reply["log"]) == 4
