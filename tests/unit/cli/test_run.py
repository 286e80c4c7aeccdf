"""``gapless run`` and ``gapless flip`` against a stand-in of the supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.cli import flipping
from gapless.cli.early import hold_signals
from gapless.cli.flipping import with_log
from gapless.cli.verbs.run import WORDS
from gapless.supervisor import last_end, launching, rundir
from gapless.supervisor.spec import Spec
from tests.unit.cli.conftest import Ended
from tests.unit.cli.test_start import HEAVY, imported

Run = Callable[..., Ended]

FLIPPED: dict[str, Any] = {
    "ok": True, "code": 0, "what": "generation 3 serves", "evidence": "", "log": [],
    "log_source": "", "pid": 4242, "generation": 3,
    "seconds": {"exec": 0.01, "ready": 0.21, "commit": 2.21}, "next": "",
}  # fmt: skip
KEPT = FLIPPED | {
    "ok": False, "code": 4, "what": "it exited with 1 before it was ready",
    "evidence": "connection refused", "log": ["Traceback", "ImportError: no \x1b[31mmodule"],
}  # fmt: skip
STATUS: dict[str, Any] = {
    "name": "web", "pid": 100, "state": "idle", "command": ["./serve"], "source": "/web.yaml",
    "since": 1.8e9,
    "active": {"generation": 2, "pid": 101, "slot": "a", "state": "active",
               "seconds": {"up": 7200.0}, "connections": 3},
    "new": None,
    "draining": [{"generation": 1, "pid": 99, "slot": "b", "state": "draining",
                  "seconds": {"up": 9000.0}}],
    "flips": 1, "failed": 1, "queued": True,
    "listen": [{"name": "80", "address": "tcp://127.0.0.1:80"}],
    "last": KEPT, "warnings": ["no listen and no proxy"],
}  # fmt: skip


class Supervisor:
    """Answers on a control socket until it is closed; remembers what it was asked."""

    def __init__(self, name: str) -> None:
        rundir.made(rundir.folder(name))
        self.name, self.asked = name, list[dict[str, Any]]()
        self.answers: dict[str, Any] = {"status": STATUS | {"name": name}}
        self._control = rundir.listening(f"{rundir.folder(name)}/{rundir.CONTROL}")
        self._control.setblocking(True)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._control.accept()
            except OSError:
                return
            with connected:
                line = connected.makefile("rb").readline()
                if line:
                    with contextlib.suppress(OSError):  # who asked has left
                        self._answer(connected, json.loads(line))

    def _answer(self, connected: socket.socket, request: dict[str, Any]) -> None:
        self.asked.append(request)
        answer = self.answers.get(request["verb"])
        if callable(answer):
            answer()
        elif isinstance(answer, bytes):
            connected.sendall(answer)
        elif answer is not None:
            connected.sendall(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        self._thread.join(5)
        os.unlink(f"{rundir.folder(self.name)}/{rundir.CONTROL}")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAPLESS_RUN_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.fixture
def supervisors() -> Iterator[Callable[[str], Supervisor]]:
    made: list[Supervisor] = []

    def make(name: str) -> Supervisor:
        made.append(Supervisor(name))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def web(supervisors: Callable[[str], Supervisor]) -> Supervisor:
    found = supervisors("web")
    found.answers["flip"] = FLIPPED
    return found


def verbs(supervisor: Supervisor) -> list[str]:
    return [request["verb"] for request in supervisor.asked]


def said(screen: str) -> str:
    """Wherever its lines end."""
    return " ".join(screen.replace("GL-201", "").split())


# -- flip -----------------------------------------------------------------------------------------


def test_a_flip_is_one_line(web: Supervisor, gl: Run) -> None:
    ended = gl("flip", "web")
    assert (ended.code, ended.err) == (0, "")
    line = "Flipped web: generation 3, pid 4242, ready in 210 ms, old one told to stop"
    assert ended.out == f"✓  {line}\n"
    assert web.asked[-1] == {"verb": "flip", "wait": True}
    assert verbs(web) == ["status", "flip"]


def test_the_name_may_be_left_out_when_there_is_only_one(web: Supervisor, gl: Run) -> None:
    assert "Flipped web" in gl("flip").out


def test_by_the_number_of_the_supervisor(web: Supervisor, gl: Run) -> None:
    assert "Flipped web" in gl("flip", "--pid", str(os.getpid())).out
    assert gl("flip", "--pid", "1").code == 3
    assert gl("flip", "web", "--pid", "1").code == 2


def test_several_are_listed(
    web: Supervisor, supervisors: Callable[[str], Supervisor], gl: Run
) -> None:
    other = supervisors("mail")
    ended = gl("flip")
    assert ended.code == 2
    assert "2 processes are supervised: mail, web" in ended.err
    assert web.asked == other.asked == []


def test_nobody_there(gl: Run) -> None:
    assert gl("flip").code == 3
    assert "nothing is supervised" in gl("flip", "web").err


def test_who_ended_by_a_kill_is_not_there(
    supervisors: Callable[[str], Supervisor], gl: Run
) -> None:
    rundir.made(rundir.folder("web"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{rundir.folder('web')}/{rundir.CONTROL}")
    assert gl("flip").code == 3
    killed = "web runs no more: its supervisor was killed, and the program with it\n"
    assert gl("run", "status").out == "Nothing is supervised.\n" + killed


def test_how_one_ended_by_itself_is_told(gl: Run) -> None:
    folder = rundir.made(rundir.folder("bot-a"))
    last_end.remember(folder, "ended with status 3", 3)
    told = gl("run", "status").out
    assert "bot-a runs no more: its program ended with status 3 at " in told
    last_end.forget(folder)
    assert gl("run", "status").out == "Nothing is supervised.\n"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It listens, and does no more."""
    monkeypatch.setattr(rundir, "PATIENCE", 1)
    rundir.made(rundir.folder("web"))
    with rundir.listening(f"{rundir.folder('web')}/{rundir.CONTROL}"):
        yield


@pytest.mark.parametrize(
    "words", ["run status", "run status web", "flip", "flip web", "run wait", "run stop web"]
)
def test_one_that_hangs_is_told(hanging: None, gl: Run, words: str) -> None:
    ended = gl(*words.split())
    assert (ended.code, ended.out) == (5, "")
    assert f"✗ web does not answer within 1 s (pid {os.getpid()})" in said(ended.err)


def test_one_that_hangs_does_not_hide_the_others(
    hanging: None, supervisors: Callable[[str], Supervisor], gl: Run
) -> None:
    supervisors("mail")
    ended = gl("run", "status")
    assert (ended.code, "mail: supervisor 100" in ended.out) == (5, True)
    assert "web does not answer" in ended.err


@pytest.mark.parametrize("words", ["run status", "run status web", "flip", "flip web"])
def test_others_folders_are_not_taken_for_empty(
    gl: Run, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    rundir.made(rundir.folder("web"))

    def closed(_path: str) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(rundir, "_connected", closed)
    ended = gl(*words.split())
    assert (ended.code, ended.out) == (5, "")
    assert "/web belongs to root: ask as root" in said(ended.err)
    assert f"sudo GAPLESS_RUN_DIR={rundir.base()} gapless {words}" in said(ended.err)


@pytest.mark.parametrize("closed", [False, True])
def test_what_root_supervises_is_elsewhere(
    folder: Path, gl: Run, monkeypatch: pytest.MonkeyPatch, *, closed: bool
) -> None:
    monkeypatch.delenv("GAPLESS_RUN_DIR")
    monkeypatch.setattr(rundir, "ROOTS", str(folder / "roots"))
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert gl("run", "status").err == ""
    assert "sudo" not in gl("flip", "web").err
    (folder / "roots" / "web").mkdir(parents=True)
    if closed:
        monkeypatch.setattr(Path, "stat", _closed)
    ended = gl("run", "status")
    assert (ended.code, ended.out) == (0, "Nothing is supervised.\n")
    assert ended.err == "What root supervises: sudo gapless run status\n"
    assert "next    sudo gapless flip web\n" in gl("flip", "web").err


def _closed(_path: Path, **_: Any) -> Any:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("words", ["run status", "run status web", "flip", "flip --pid 1"])
def test_a_folder_that_is_none(folder: Path, gl: Run, words: str) -> None:
    (folder / "run").write_text("")
    ended = gl(*words.split())
    assert (ended.code, ended.out) == (5, "")
    assert f"{folder}/run is not a folder" in said(ended.err)


def test_a_failed_flip_is_told_with_all_that_is_known(web: Supervisor, gl: Run) -> None:
    web.answers["flip"] = KEPT
    ended = gl("flip")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err == (
        "✗  web: it exited with 1 before it was ready\n"
        "   answer  connection refused\n"
        "   log     Traceback\n"
        "           ImportError: no �[31mmodule\n"
        "   now     generation 2 serves, pid 101, up 2 h\n"
        "   next    mend the cause, then: gapless flip web\n"
    )


def test_nothing_serves(web: Supervisor, gl: Run) -> None:
    web.answers["flip"] = KEPT | {"code": 5, "log": [], "log_source": "/var/log/web"}
    web.answers["status"] = STATUS | {"active": None}
    ended = gl("flip")
    assert ended.code == 5
    assert "now     nothing serves" in ended.err
    assert "log     in /var/log/web" in ended.err


@pytest.mark.parametrize("answer", [None, b"", b'{"ok": tr', b"[]\n", b"\xff\n"])
def test_a_supervisor_that_ends_meanwhile(web: Supervisor, gl: Run, answer: bytes | None) -> None:
    web.answers["flip"] = answer
    ended = gl("flip")
    assert ended.code == 5
    assert "the supervisor ended before it answered" in ended.err


def test_json_is_the_answer_itself(web: Supervisor, gl: Run) -> None:
    ended = gl("flip", "--json")
    assert json.loads(ended.out) == FLIPPED
    web.answers["flip"] = KEPT
    ended = gl("flip", "--json")
    assert (ended.code, json.loads(ended.out)) == (4, KEPT)
    web.answers["flip"] = None
    ended = gl("flip", "--json")
    assert (ended.code, json.loads(ended.out)["code"]) == (5, 5)


def test_not_waiting(web: Supervisor, gl: Run) -> None:
    web.answers["flip"] = {"ok": True, "code": 0, "what": "queued"}
    ended = gl("flip", "--no-wait")
    assert (ended.code, ended.out) == (0, "✓  web: a flip is queued\n")
    assert web.asked[-1] == {"verb": "flip", "wait": False}


def test_waiting_no_longer_than_asked_for(web: Supervisor, gl: Run) -> None:
    over = threading.Event()
    web.answers["flip"] = lambda: over.wait(10)
    try:
        ended = gl("flip", "--timeout", "0.1")
    finally:
        over.set()
    assert ended.code == 7
    assert "not done after 0.1 s; it goes on" in ended.err
    assert "gapless run wait web" in ended.err


@pytest.mark.parametrize("limit", ["5", "0.5", "5s", "1m30s"])
def test_limits_with_and_without_a_unit(web: Supervisor, gl: Run, limit: str) -> None:
    assert gl("flip", "--timeout", limit).code == 0


@pytest.mark.parametrize("limit", ["0", "-1", "x", "25h", "nan", "5 weeks"])
def test_what_is_no_limit(web: Supervisor, gl: Run, limit: str) -> None:
    assert gl("flip", f"--timeout={limit}").code == 2
    assert web.asked == []


def test_who_leaves_is_told_that_it_goes_on(
    web: Supervisor, gl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(flipping, "ask", interrupted)
    ended = gl("flip")
    assert ended.code == 130
    assert "gapless run wait web" in ended.err


def test_lines_of_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "journalctl"
    program.write_text('#!/bin/sh\necho "$*"\necho last\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reply = KEPT | {"log": [], "log_source": "journal"}
    assert with_log(reply)["log"] == ["-o cat _PID=4242 -n 20 --no-pager -q", "last"]
    assert with_log(reply | {"log": ["seen"]})["log"] == ["seen"]
    assert with_log(reply | {"pid": 0})["log"] == []
    assert with_log(reply | {"log_source": "terminal"})["log"] == []
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(flipping, "_PATIENCE", 0.1)
    assert with_log(reply)["log"] == []
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert with_log(reply)["log"] == []


# -- words behind run -----------------------------------------------------------------------------


def test_rollback(web: Supervisor, gl: Run) -> None:
    web.answers["rollback"] = FLIPPED
    assert "Rolled back web: generation 3" in gl("run", "rollback").out
    web.answers["rollback"] = KEPT | {"code": 3, "what": "there is nothing to go back to"}
    assert gl("run", "rollback", "web").code == 3


def test_wait(web: Supervisor, gl: Run) -> None:
    web.answers["wait"] = FLIPPED | {"pid": 0, "what": "nothing is under way"}
    assert gl("run", "wait").out == "✓  web: nothing is under way\n"
    web.answers["wait"] = KEPT
    assert gl("run", "wait", "--timeout", "5").code == 4
    assert verbs(web) == ["status", "wait", "status", "wait", "status"]


def test_status(web: Supervisor, gl: Run) -> None:
    out = gl("run", "status").out
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["web", "2", "active", "101", "a", "2", "h", "3"]
    assert lines[2][:5] == ["web", "1", "draining", "99", "b"]
    assert "idle, one more flip is queued" in out
    assert "failed  it exited with 1 before it was ready" in out
    assert "warning no listen and no proxy" in out
    assert "80 tcp://127.0.0.1:80" in out


def test_status_for_programs(
    web: Supervisor, supervisors: Callable[[str], Supervisor], gl: Run
) -> None:
    assert json.loads(gl("run", "status", "web", "--json").out) == STATUS
    supervisors("mail")
    assert [one["name"] for one in json.loads(gl("run", "status", "--json").out)] == ["mail", "web"]
    assert gl("run", "status", "bogus").code == 3
    web.answers["status"] = None
    ended = gl("run", "status", "web")
    assert (ended.code, "the supervisor ended" in ended.err) == (5, True)


def test_stop_waits_for_the_end(tmp_path: Path, gl: Run) -> None:
    """The stand-in is a process of its own, as the end of one is what is waited for."""
    program = (
        "import json,sys\n"
        "from gapless.supervisor import rundir\n"
        "folder = rundir.made(rundir.folder('web'))\n"
        "control = rundir.listening(folder + '/' + rundir.CONTROL)\n"
        "control.setblocking(True)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    connected, _ = control.accept()\n"
        "    line = connected.makefile('rb').readline()\n"
        "    if line:\n"
        '        connected.sendall(b\'{"ok": true, "code": 0}\\n\')\n'
        "        if sys.argv[1:] != ['stays'] and b'stop' in line:\n"
        "            break\n"
    )
    for words, more, code, told in (
        ((), ("web",), 0, "Stopped web"),
        (("stays",), ("--timeout", "0.1"), 7, "is being stopped"),
        (("stays",), ("--no-wait",), 0, "is being stopped"),
    ):
        with subprocess.Popen(
            [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            ended = gl("run", "stop", *more)
            process.kill()
        assert (ended.code, told in ended.out + ended.err) == (code, True)


# -- run ------------------------------------------------------------------------------------------


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[Spec]:
    """What the process would have become."""
    found: list[Spec] = []
    monkeypatch.setattr(launching, "become", found.append)
    return found


def test_a_run_file(became: list[Spec], tmp_path: Path, gl: Run) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("{command: /bin/true, listen: 8080}")
    assert gl("run", "-c", str(file)).code == 0
    assert gl("run", "--name", "shop", "-c", str(file)).code == 0
    assert [spec.name for spec in became] == ["web", "shop"]


def test_a_command_line(became: list[Spec], gl: Run) -> None:
    words = ("--listen", "8080", "--listen", "unix:///run/x", "--ready", "notify", "--settle", "1s")
    assert gl("run", *words, "--", "/bin/true", "--workers", "4", "--", "-c", "x").code == 0
    (spec,) = became
    assert spec.command == ("/bin/true", "--workers", "4", "--", "-c", "x")
    assert (spec.name, len(spec.listen), spec.ready.kind, spec.settle) == ("true", 2, "notify", 1.0)


@pytest.mark.parametrize("word", [*WORDS, "--help", "-c", "adopt"])
def test_behind_the_dashes_everything_is_the_command(
    became: list[Spec], gl: Run, word: str
) -> None:
    assert gl("run", "--name", "x", "--", word, "--json").code == 0
    assert became[0].command == (word, "--json")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Give a run file"),
        (("--",), "Give a run file"),
        (("-c", "x.yaml", "--", "true"), "With -c everything but --name"),
        (("-c", "x.yaml", "--listen", "80"), "With -c everything but --name"),
        (("-c", "/gone.yaml"), "there is no /gone.yaml"),
        (("statsu",), "Did you mean 'status'?"),
        (("./serve",), "A command stands behind --"),
        (("status", "--", "true"), "takes no command"),
        (("--listen", ":80", "--", "true"), "names no host"),
        (("--", ""), "the command is empty"),
    ],
)
def test_wrong_command_lines(
    became: list[Spec], gl: Run, words: tuple[str, ...], told: str
) -> None:
    ended = gl("run", *words)
    assert ended.code == 2
    assert told in ended.err
    assert became == []


def test_problems_of_a_run_file_are_all_told(tmp_path: Path, gl: Run) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("comand: x\nsettle: 3\n")
    ended = gl("run", "-c", str(file))
    assert ended.code == 2
    assert f"{file}:1:1: unknown key 'comand'\n   did you mean 'command'?" in ended.err
    assert f"{file}:2:9: settle: a duration needs a unit" in ended.err


@pytest.mark.parametrize("verb", ["run", "flip"])
def test_help_is_quick(verb: str) -> None:
    modules = imported(verb, "--help")
    assert not modules & {*HEAVY, "gapless.config.compiling", "subprocess"}
    assert not {m for m in modules if m.startswith("gapless.cli.verbs.run_")}


@pytest.mark.parametrize(
    ("words", "held"),
    [
        (("run", "-c", "x"), True),
        (("run", "--", "x", "status", "--help"), True),
        (("run", "status"), False),
        (("run", "--help"), False),
        (("flip",), False),
        ((), False),
    ],
)
def test_signals_are_held_as_soon_as_it_is_clear_what_we_become(
    words: tuple[str, ...], held: bool
) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        hold_signals(["gapless", *words])
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert (signal.SIGHUP in blocked) is held
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_they_are_held_before_anything_slow_is_imported(tmp_path: Path) -> None:
    """click is imported after it: a stand-in for it sends the signal that would end us."""
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "__init__.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\nos._exit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "gapless", "run", "--", "true"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [False, True])
def test_who_is_told_to_end_does_so_before_anything_is_started(
    tmp_path: Path, number: int, *, ignored: bool
) -> None:
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "__init__.py").write_text(
        f"import os, signal\nos.kill(os.getpid(), {int(number)})\nos._exit(7)\n"
    )
    before = signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gapless", "run", "--", "true"], capture_output=True,
            env=os.environ | {"PYTHONPATH": str(tmp_path)}, timeout=30, check=False,
        )  # fmt: skip
    finally:
        signal.signal(number, before)
    assert (done.returncode, done.stderr) == (7 if ignored else -number, b"")


def test_an_interpreter_that_may_not_be_executed_is_told(tmp_path: Path) -> None:
    (tmp_path / "python").touch()
    program = (
        "import sys\n"
        "from gapless.supervisor import upgrade\n"
        f"upgrade.PROGRAM = ({str(tmp_path / 'python')!r},)\n"
        "from gapless.cli.main import run\n"
        "sys.exit(run(['run', '--', 'true']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 3
    assert f"{tmp_path}/python cannot be executed" in said(done.stderr)
    assert "Permission denied" in done.stderr
