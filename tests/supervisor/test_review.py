"""What is rare and must not hurt: bad moments, bad neighbours, bad answers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gapless.supervisor import children, processes, rundir, sockets
from gapless.supervisor.loop import Loop
from gapless.supervisor.spec import Listen, Proxy, Ready, Spec, Stop
from tests.supervisor.rig import PYTHON, ROOT, Rig, free_port, serve, until

Web = Callable[..., Rig]

FAILS_SLOWLY = "never-ready,ignores-term"
"""Not ready in time, and then it does not go when it is told to."""
COMPILES = "import sys; print(open(sys.argv[1]).read())\n"
"""The compiler of a configuration that is written as what it becomes."""
ALIVE = Ready("alive", after=0.05)
SOON = 6.0


def configured(web: Web, tmp_path: Path, *flags: str, **changes: Any) -> Rig:
    """A rig whose configuration is read anew at every flip: ``configure`` writes it."""
    fake = tmp_path / "fake" / "gapless" / "config"
    fake.mkdir(parents=True)
    (fake.parent / "__init__.py").write_text("")
    (fake / "__init__.py").write_text("")
    (fake / "compiling.py").write_text(COMPILES)
    source = str(tmp_path / "web.spec")
    rig = web(*flags, source=source, inputs=((source, 0, 0),), **changes)
    rig.package = str(ROOT / "src")
    return rig


def configure(rig: Rig, **changes: Any) -> Spec:
    """What the next copy is made of."""
    spec = replace(rig.spec, **changes)
    Path(rig.spec.source).write_text(spec.to_json())
    return spec


def compiler(tmp_path: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(tmp_path / "fake")}


def said(rig: Rig, what: str) -> None:
    until(lambda: what in rig.output(), what)


def state(rig: Rig, wanted: str) -> None:
    until(lambda: (s := rig.status()) and s["state"] == wanted, wanted)


def descriptors(rig: Rig) -> int:
    return len(os.listdir(f"/proc/{rig.pid}/fd"))


def script(tmp_path: Path, text: str) -> tuple[str, ...]:
    file = tmp_path / "program.py"
    file.write_text(text)
    return (*PYTHON, str(file))


# -- the moment in which a failed copy is on its way out ------------------------------------------


def failing(web: Web, seconds: float = 2.0) -> Rig:
    """A rig with a new copy that has failed and is still being stopped; ``asked`` waits for it."""
    rig = web(start_timeout=0.4, stop=Stop(timeout=seconds)).start()
    rig.publish("2", FAILS_SLOWLY)
    rig.asked = rig.ask("flip")  # type: ignore[attr-defined]
    until(lambda: (s := rig.status()) and any(d["generation"] == 2 for d in s["draining"]))
    return rig


def test_who_asks_while_a_failed_copy_stops_hears_of_another_flip(web: Web) -> None:
    rig = failing(web)
    rig.publish("3")
    later = rig.ask("flip")
    first = rig.asked.reply()  # type: ignore[attr-defined]
    assert (first["code"], first["generation"]) == (4, 2)
    second = later.reply()
    assert (second["ok"], second["generation"]) == (True, 3)


def test_a_flip_whose_copy_still_stops_is_not_over(web: Web) -> None:
    rig = failing(web)
    assert rig.status()["state"] != "idle"  # type: ignore[index]
    assert rig.ask("wait").reply()["code"] == 4


def test_the_served_copy_ends_while_a_failed_one_stops(web: Web) -> None:
    rig = failing(web)
    os.kill(rig.active(), signal.SIGKILL)
    assert rig.ended() == 137, "the status is that of the copy that served"


def test_a_stop_while_a_failed_copy_stops(web: Web) -> None:
    rig = failing(web)
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0, "the status is that of the copy that served"


# -- the first start ------------------------------------------------------------------------------


def test_a_first_listener_that_is_taken_is_a_failure(web: Web) -> None:
    rig = web()
    host, _, port = rig.address.rpartition(":")
    with socket.create_server((host, int(port))):
        rig.start(ready=False)
        assert rig.ended() not in (0, None)


@pytest.mark.parametrize("text", ["null", "5", "[1, 2]", '["{}", null]', "{", "[" * 5000])
def test_a_last_good_configuration_that_is_broken(web: Web, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "run" / "web"
    folder.mkdir(parents=True, mode=0o700)
    (tmp_path / "run").chmod(0o700)
    (folder / rundir.LAST_GOOD).write_text(text)
    assert web().start().version() == "1"


def test_streams_that_are_closed(web: Web) -> None:
    """Their numbers go to no socket, pipe or lock of ours."""
    rig = web().start(wrapper=("/bin/sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"))
    for number in "012":
        assert os.readlink(f"/proc/{rig.pid}/fd/{number}") == "/dev/null"
    rig.publish("2")
    assert rig.flip()["ok"]


# -- stops ----------------------------------------------------------------------------------------


def reading(web: Web, tmp_path: Path) -> tuple[Rig, Path]:
    """A rig that reads its configuration, which is a pipe that nobody writes to yet."""
    fifo = tmp_path / "web.yaml"
    os.mkfifo(fifo)
    rig = web(source=str(fifo), inputs=((str(fifo), 0, 0),)).start()
    rig.signal(signal.SIGHUP)
    state(rig, "starting")
    return rig, fifo


def test_a_stop_while_the_configuration_is_read(web: Web, tmp_path: Path) -> None:
    rig, _ = reading(web, tmp_path)
    rig.signal(signal.SIGTERM)
    assert rig.ended(SOON) == 0
    rig.nobody_left()


def test_a_stop_while_a_bad_configuration_is_read(web: Web, tmp_path: Path) -> None:
    rig, fifo = reading(web, tmp_path)
    copy = rig.active()
    rig.signal(signal.SIGTERM)
    until(lambda: not os.path.exists(f"/proc/{copy}"))
    with contextlib.suppress(OSError), open(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "w") as to:
        to.write("commnd: x\n")
    assert rig.ended(SOON) == 0


def test_interrupted_in_the_middle_of_a_flip(web: Web) -> None:
    """Ctrl-C means all of it: nothing is left behind it."""
    rig = web(settle=5.0).start(ready=False)
    until(rig.active, limit=15)
    rig.publish("2", "slow-start:1")
    rig.ask("flip")
    until(lambda: rig.status()["new"])  # type: ignore[index]
    rig.signal(signal.SIGINT)
    rig.ended(SOON)
    rig.nobody_left()


SIGNALS = """\
import signal, sys
def told(n, f): print(signal.Signals(n).name, flush=True); n == signal.SIGQUIT and sys.exit(9)
for n in ("TERM", "QUIT", "USR1"): signal.signal(getattr(signal, "SIG" + n), told)
print("hooked", flush=True)
while True: signal.pause()
"""


def hooked(web: Web, tmp_path: Path, **changes: Any) -> Rig:
    changes = {"listen": (), "ready": ALIVE, "settle": 0.0, **changes}
    rig = web(command=script(tmp_path, SIGNALS), **changes).start()
    said(rig, "hooked")
    return rig


def test_signals_are_passed_on_while_it_stops(web: Web, tmp_path: Path) -> None:
    """TERM was not enough: QUIT is told as well, and another TERM."""
    rig = hooked(web, tmp_path, stop=Stop(timeout=8.0))
    rig.signal(signal.SIGTERM)
    said(rig, "SIGTERM")
    rig.signal(signal.SIGQUIT)
    assert rig.ended(SOON) == 9


@pytest.mark.parametrize("changes", [{"stop": Stop(signal=3)}, {"signals": {"15": 3}}])
def test_the_verb_to_stop_uses_the_stop_signal(
    web: Web, tmp_path: Path, changes: dict[str, Any]
) -> None:
    rig = hooked(web, tmp_path, **changes)
    assert rig.ask("stop").reply()["ok"]
    assert rig.ended() == 9


def test_a_stop_from_outside_ends_the_delay(web: Web) -> None:
    """The delay is for those who still come to the old one; nobody does any more."""
    rig = web(stop=Stop(delay=60.0, timeout=2.0)).start()
    assert rig.flip()["ok"]
    rig.signal(signal.SIGTERM)
    assert rig.ended(SOON) == 0


def test_who_waits_while_it_stops_is_answered(web: Web) -> None:
    rig = web(stop=Stop(timeout=3.0))
    rig.publish("1", "ignores-term")
    rig.start()
    rig.signal(signal.SIGTERM)
    state(rig, "stopping")
    assert rig.ask("wait").reply(2.0)["code"] == 5


def test_nothing_under_way_is_no_failure(web: Web) -> None:
    rig = web().start()
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    assert rig.ask("wait").reply()["code"] == 0


def test_a_promotion_counts_as_a_flip(web: Web) -> None:
    rig = web().start()
    rig.publish("2", "slow-start:0.5")
    asked = rig.ask("flip")
    until(lambda: rig.status()["new"])  # type: ignore[index]
    os.kill(rig.active(), signal.SIGKILL)
    assert asked.reply()["ok"]
    assert rig.serves()["flips"] == 1


def test_a_program_that_may_not_be_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has become another user: that is told, and ends nothing."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    all_ = children.Children(Loop())
    child = all_.start(children.Launch(("/bin/sleep", "60"), {}), lambda _: None)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "pidfd_send_signal", refused)
            child.signal(signal.SIGTERM)
    finally:
        child.kill_all()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        all_.reap()


# -- the guard ------------------------------------------------------------------------------------


def guard_of(rig: Rig) -> int:
    """The child of the supervisor that is no copy."""
    text = Path(f"/proc/{rig.pid}/task/{rig.pid}/children").read_text()
    return next(int(word) for word in text.split() if int(word) != rig.active())


@pytest.mark.parametrize("then", ["flip", "stop"])
def test_the_guard_is_killed(web: Web, then: str) -> None:
    rig = web("--child", "session").start()
    killed = guard_of(rig)
    os.kill(killed, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{killed}"))
    if then == "flip":
        assert rig.flip()["ok"]
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    rig.nobody_left()


def test_a_guard_that_was_killed_is_replaced(web: Web) -> None:
    rig = web("--child", "session").start()
    killed = guard_of(rig)
    os.kill(killed, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{killed}"))
    until(lambda: len(rig.everybody()) == 4, "another guard", 5.0)
    rig.signal(signal.SIGKILL)
    rig.ended()
    rig.nobody_left()


# -- the control socket ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", [b"[" * 4000, b"\xff\xfe", b"{}", b'{"verb": []}', b"[]", b"1e999"]
)
def test_garbage_is_answered(web: Web, sent: bytes) -> None:
    rig = web().start()
    with rundir.connect("web") as to:
        to.sendall(sent + b"\n")
        to.settimeout(SOON)
        assert json.loads(to.recv(65536))["ok"] is False
    assert rig.status()


def test_connections_without_a_request_cost_nobody_anything(web: Web) -> None:
    """More than there are descriptors: flips go on, nothing spins."""
    rig = web().start(wrapper=("prlimit", "--nofile=64:64"))
    held = []
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(0.2)
            with contextlib.suppress(OSError):
                one.connect(str(rig.folder / "run" / "web" / rundir.CONTROL))
                held.append(one)
        assert len(held) > 64
        rig.publish("2")
        rig.signal(signal.SIGHUP)
        until(lambda: rig.version() == "2", limit=5.0)
        before = _cpu(rig.pid)
        time.sleep(1.0)
        assert _cpu(rig.pid) - before < 0.5
    assert rig.flip()["ok"]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_callers_that_do_not_listen_hold_up_nobody(web: Web, tmp_path: Path) -> None:
    """A long answer, to many who never read it."""
    last_words = tmp_path / "last.py"
    last_words.write_text(
        "import os, sys\nfor _ in range(40): os.write(2, b'\\xff' * 4000 + b'\\n')\nsys.exit(1)\n"
    )
    program = tmp_path / "app"
    program.write_text(f"#!/bin/sh\nexec {' '.join(serve('--notify'))}\n")
    program.chmod(0o755)
    rig = web(command=(str(program),), output="relay").start()
    program.write_text(f"#!/bin/sh\nexec {' '.join((*PYTHON, str(last_words)))}\n")
    assert rig.flip()["code"] == 4
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            deaf = stack.enter_context(rundir.connect("web"))
            deaf.sendall(b'{"verb": "status"}\n')
        began = time.monotonic()
        assert rig.status()
        assert time.monotonic() - began < 2.0


# -- our own code ---------------------------------------------------------------------------------


def installed(rig: Rig, tmp_path: Path) -> Path:
    """A copy of the package, and the folder with its modules."""
    package = tmp_path / "lib" / "gapless"
    shutil.copytree(ROOT / "src" / "gapless" / "supervisor", package / "supervisor")
    (package / "__init__.py").write_text("")
    rig.package = str(package.parent)
    return package / "supervisor"


def renewed(folder: Path, number: int = 1) -> None:
    file = folder / "requests.py"
    file.write_text(file.read_text() + f"# version {number}\n")


def born(rig: Rig) -> bool:
    return b"--state" in Path(f"/proc/{rig.pid}/cmdline").read_bytes()


def test_a_configuration_compiled_by_newer_code(web: Web, tmp_path: Path) -> None:
    """It has a key that the code which runs does not know yet."""
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    old = rig.active()
    fresh = {**json.loads(rig.spec.to_json()), "a_new_key": 1}
    Path(rig.spec.source).write_text(json.dumps(fresh))
    assert rig.flip()["code"] == 4
    assert rig.active() == old


def test_a_compiler_that_says_something_else(web: Web, tmp_path: Path) -> None:
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    Path(rig.spec.source).write_text("a warning\n")
    assert rig.flip()["code"] == 4


def test_the_compiler_is_not_led_astray_by_the_working_directory(web: Web, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    rig = configured(web, tmp_path)
    fake = tmp_path / "fake" / "gapless" / "config" / "compiling.py"
    fake.write_text("import json\n" + COMPILES)
    rig.start(environment=compiler(tmp_path), cwd=here)
    (here / "json.py").write_text("raise RuntimeError('not the library')\n")
    configure(rig)
    assert rig.flip()["ok"]


def test_our_code_is_gone_for_a_moment(web: Web, tmp_path: Path) -> None:
    """An upgrade takes it away before it puts the new one there."""
    rig = web()
    folder = installed(rig, tmp_path)
    rig.start()
    folder.rename(tmp_path / "away")
    rig.publish("2")
    assert rig.flip()["ok"]
    assert rig.version() == "2"


def test_new_code_that_cannot_go_on_from_the_state_is_left_out(web: Web, tmp_path: Path) -> None:
    rig = web()
    folder = installed(rig, tmp_path)
    rig.start()
    file = folder / "supervisor.py"
    wanted = 'self.since = state["since"]'
    assert wanted in file.read_text()
    file.write_text(file.read_text().replace(wanted, 'self.since = state["not told"]'))
    assert rig.flip()["ok"]
    assert not born(rig)


def test_a_request_half_sent_lives_through_new_code(web: Web, tmp_path: Path) -> None:
    rig = web()
    folder = installed(rig, tmp_path)
    rig.start()
    with rundir.connect("web") as slow:
        slow.sendall(b'{"verb": ')
        renewed(folder)
        assert rig.flip()["ok"]
        assert born(rig)
        slow.settimeout(SOON)
        slow.sendall(b'"status"}\n')
        assert json.loads(slow.recv(65536))["pid"] == rig.pid


GIVES_TWO = """\
import os, socket, sys
for n, port in enumerate(sys.argv[1:3]):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", int(port)))
    one.listen(64)
    os.dup2(one.fileno(), 50 + n)
for n in (0, 1): os.dup2(50 + n, 3 + n); os.close(50 + n)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="http:more")
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_sockets_that_were_given_are_not_looked_for_again(web: Web, tmp_path: Path) -> None:
    """After our process replaced itself the variables still stand there; the numbers have gone to
    something else."""
    ports = free_port(), free_port()
    listen = tuple(
        Listen(name, f"tcp://127.0.0.1:{port}")
        for name, port in zip(("http", "more"), ports, strict=True)
    )
    rig = configured(web, tmp_path, listen=listen)
    folder = installed(rig, tmp_path)
    wrapper = (sys.executable, "-c", GIVES_TWO, *map(str, ports))
    configure(rig)
    rig.start(wrapper=wrapper, environment=compiler(tmp_path))
    for number in range(1, 4):
        assert rig.flip()["ok"]
        until(lambda: not rig.serves()["draining"])
        renewed(folder, number)
        assert rig.flip()["ok"]
        assert born(rig)
        until(lambda: not rig.serves()["draining"])
    moved = (Listen("http", f"tcp://127.0.0.1:{free_port()}"), listen[1])
    spec = configure(rig, listen=moved)
    assert rig.flip()["ok"]
    rig.front = spec.listen[0].address.removeprefix("tcp://")
    assert rig.version() == "1"


# -- what copies write ----------------------------------------------------------------------------


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
        tmp_path, "import os, time\ntime.sleep(0.5)\nfor n in range(100): os.write(1, b'%d' % (n % 10) * 1000)\n"
    )  # fmt: skip
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


def test_starts_that_fail_leave_no_descriptors(web: Web, tmp_path: Path) -> None:
    program = tmp_path / "app"
    program.write_text(f"#!/bin/sh\nexec {' '.join(serve('--notify'))}\n")
    program.chmod(0o755)
    rig = web(command=(str(program),), output="relay").start()
    before = descriptors(rig)
    program.unlink()
    for _ in range(5):
        assert rig.flip()["code"] == 4
    assert descriptors(rig) == before


# -- listeners ------------------------------------------------------------------------------------


def test_a_file_in_the_way_of_a_socket_is_not_removed(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("data")
    rig = web(listen=(Listen("http", f"unix://{file}"),)).start(ready=False)
    with contextlib.suppress(subprocess.TimeoutExpired):
        rig.ended(3.0)
    assert file.is_file()
    assert file.read_text() == "data"


GIVES_PATH = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="http")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_the_path_of_a_socket_that_was_given_stays(web: Web, tmp_path: Path) -> None:
    """It belongs to whoever gave it, who listens on."""
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(path))
        given.listen(64)
        rig = web(listen=(Listen("http", f"unix://{path}"),))
        wrapper = (sys.executable, "-c", GIVES_PATH, str(given.fileno()))
        rig.start(wrapper=wrapper, pass_fds=(given.fileno(),))
        rig.signal(signal.SIGTERM)
        assert rig.ended() == 0
        assert path.exists()


def test_what_was_given_survives_an_address_that_cannot_be_had() -> None:
    """Nothing has changed, so that the next flip finds it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as given,
        socket.create_server(("127.0.0.1", 0)) as others,
    ):
        names = {"one": os.dup(given.fileno())}
        kept = dict(names)
        wanted = [
            Listen("one", f"tcp://127.0.0.1:{given.getsockname()[1]}"),
            Listen("two", f"tcp://127.0.0.1:{others.getsockname()[1]}"),
        ]
        with pytest.raises(OSError, match="in use"):
            sockets.Listeners().open(wanted, names)
        assert names == kept
        os.close(os.dup(kept["one"]))
        os.close(kept["one"])


def test_a_failed_flip_listens_nowhere_else(web: Web, tmp_path: Path) -> None:
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    port = free_port()
    configure(rig, listen=(Listen("http", f"tcp://127.0.0.1:{port}"),))
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()


def test_a_failed_configuration_changes_no_signal(web: Web, tmp_path: Path) -> None:
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    configure(rig, flip_signal=int(signal.SIGUSR2))
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    rig.publish("3")
    rig.signal(signal.SIGHUP)
    until(lambda: rig.version() == "3", limit=SOON)


def test_a_pidfile_that_moves_leaves_none(web: Web, tmp_path: Path) -> None:
    one, two = tmp_path / "one.pid", tmp_path / "two.pid"
    rig = configured(web, tmp_path, pidfile=str(one)).start(environment=compiler(tmp_path))
    configure(rig, pidfile=str(two))
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    assert one.exists()
    rig.publish("3")
    assert rig.flip()["ok"]
    assert two.exists()
    assert not one.exists()
    rig.signal(signal.SIGTERM)
    rig.ended()
    assert not two.exists()


def test_a_plain_flip_does_not_forget_what_there_was_before(web: Web, tmp_path: Path) -> None:
    """Configuration one, two, two again: what there is to go back to is one."""
    rig = configured(web, tmp_path, environment={"COLOUR": "one"})
    rig.start(environment=compiler(tmp_path))
    two = {"COLOUR": "two"}
    configure(rig, environment=two)
    assert rig.flip()["ok"]
    assert rig.flip()["ok"]
    assert rig.ask("rollback").reply()["ok"]
    found = Path(f"/proc/{rig.active()}/environ").read_bytes().split(b"\0")
    assert b"COLOUR=one" in found


def test_listeners_that_are_dropped_are_not_kept_by_the_service_manager(
    web: Web, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(SOON)
        rig = configured(web, tmp_path)
        environment = {**compiler(tmp_path), "NOTIFY_SOCKET": str(tmp_path / "notify")}
        rig.start(environment=environment)
        configure(rig, listen=(Listen("other", f"tcp://127.0.0.1:{free_port()}"),))
        assert rig.flip()["ok"]
        heard = ""
        with contextlib.suppress(TimeoutError):
            manager.settimeout(1.0)
            while True:
                heard += manager.recv(4096).decode() + "\n"
        kept = re.findall(r"FDSTORE=1\nFDNAME=(.*)", heard)
        assert len(kept) == 2, heard
        assert re.findall(r"FDSTOREREMOVE=1\nFDNAME=(.*)", heard) == kept[:1]


PROXIED = {"listen": (), "ready": Ready("notify")}


def test_back_to_a_proxy_that_still_has_a_connection(web: Web, tmp_path: Path) -> None:
    """Its address is left, and taken again while somebody still talks over it."""
    one, two = (f"tcp://127.0.0.1:{free_port()}" for _ in "12")
    a, b = free_port(), free_port()
    to = f"127.0.0.1:{{slot:{a}|{b}}}"
    flags = ("--bind", to, "--linger", "60")
    rig = configured(
        web, tmp_path, *flags, **PROXIED, proxy=(Proxy(one, to),), stop=Stop(timeout=4.0),
    )  # fmt: skip
    rig.front = one.removeprefix("tcp://")
    rig.start(environment=compiler(tmp_path))
    host, _, port = rig.front.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as held:
        held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.recv(4096)
        configure(rig, proxy=(Proxy(two, to),))
        assert rig.flip()["ok"]
        configure(rig, proxy=(Proxy(one, to),))
        assert rig.ask("rollback").reply()["ok"]
        assert rig.get().split()[1] == "3"


# -- who may say that a copy is ready -------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_does_not_say_that_a_copy_is_ready(web: Web) -> None:
    """The names of abstract sockets are no secret; who ended at once cannot be asked any more."""
    rig = web(start_timeout=3.0).start()
    rig.publish("2", "never-ready")
    asked = rig.ask("flip")
    new = until(lambda: (s := rig.status()) and s["new"] and s["new"]["pid"])
    variables = Path(f"/proc/{new}/environ").read_bytes().split(b"\0")
    name = next(v for v in variables if v.startswith(b"NOTIFY_SOCKET=")).partition(b"@")[2]
    forger = os.fork()
    if forger == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.connect(b"\0" + name)
                to.send(b"READY=1")
        finally:
            os._exit(0)
    os.waitpid(forger, 0)
    assert asked.reply()["code"] == 4


# -- neighbours -----------------------------------------------------------------------------------


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
