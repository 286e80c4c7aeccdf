"""Files and command lines become a Spec; environment files; what is read again at a flip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gapless.config import env_file
from gapless.config.compiling import compile_file, compile_words
from gapless.config.problems import Findings
from gapless.errors import ConfigError, UsageError
from gapless.supervisor.spec import Spec

SECRET = "hunter2"


def run_file(folder: Path, *lines: str, name: str = "web.yaml") -> Path:
    file = folder / name
    file.write_text("\n".join(("command: /bin/true", "listen: 8080", *lines)))
    return file


# -- environment files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=x", "x"),
        ("A=", ""),
        ("  A =  x y  ", "x y"),
        ("A='x # y'", "x # y"),
        ("A=x # y", "x # y"),
        ('A="x \\"y\\" \\$z \\n"', 'x "y" $z \\n'),
        ("A=x\\ \\\\y\\ ", "x \\y "),
        ("A=x\\\ny", "xy"),
        ('A="x\ny"', "x\ny"),
        ('A="x\\\ny"', "xy"),
        ("A='x'\"y\" z", "xyz"),
        ("A=it's", "it's"),
        ("A=x=y", "x=y"),
        ("# A=no\\\nstill\n; no\nA=x", "x"),
        ("A=x\r\n", "x"),
        ("A=1\nA=2", "2"),
        ("A=$B {slot}", "$B {slot}"),
    ],
)
def test_lines_are_read_as_systemd_reads_them(text: str, value: str) -> None:
    findings = Findings("env")
    assert env_file.read(text, findings) == {"A": value}
    assert findings.problems == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\nnonsense " + SECRET, "env:2:1: not a line of the form KEY=VALUE"),
        ("export A=" + SECRET, "export is a word of shells"),
        ("A='" + SECRET, "env:1:3: a quote is opened here and never closed"),
        ('A="' + SECRET, "env:1:3: a quote is opened here and never closed"),
        ("1A=" + SECRET, "1A: the name of a variable has letters, digits and _"),
        ("LISTEN_FDS=" + SECRET, "LISTEN_FDS: gapless sets it for each copy"),
        ("A=" + SECRET + "\0", "A: a value cannot hold a NUL byte"),
        ("=" + SECRET, "not a line of the form KEY=VALUE"),
    ],
)
def test_what_is_wrong_is_told_without_the_value(text: str, told: str) -> None:
    findings = Findings("env")
    env_file.read(text, findings)
    (problem,) = map(str, findings.problems)
    assert told in problem
    assert SECRET not in problem


def test_files_lie_under_the_environment_and_the_later_one_wins(tmp_path: Path) -> None:
    (tmp_path / "one.env").write_text("A=1\nB=1\nC=1\n")
    (tmp_path / "two.env").write_text("B=2\nC=2\n")
    file = run_file(tmp_path, "env_files: [one.env, -two.env, -gone.env]", "environment: {C: 3}")
    assert compile_file(file).environment == {"A": "1", "B": "2", "C": "3"}


def test_inputs_are_the_file_and_its_environment_files(tmp_path: Path) -> None:
    (tmp_path / "one.env").write_text("A=1\n")
    file = run_file(tmp_path, "env_files: [one.env, -gone.env]")
    found = compile_file(file).inputs
    assert found == (
        (str(file), file.stat().st_mtime_ns, file.stat().st_size),
        (str(tmp_path / "one.env"), (tmp_path / "one.env").stat().st_mtime_ns, 4),
        (str(tmp_path / "gone.env"), 0, -1),
    )


def test_problems_of_both_kinds_of_file_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.env").write_text(f"A='{SECRET}\n")
    file = run_file(tmp_path, "env_files: one.env", "settl: 1s")
    with pytest.raises(ConfigError) as caught:
        compile_file(file)
    assert [Path(p.file).name for p in caught.value.problems] == ["web.yaml", "one.env"]
    assert SECRET not in caught.value.evidence


# -- files ----------------------------------------------------------------------------------------


def test_paths_are_seen_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    run_file(tmp_path, "directory: ./app", "pidfile: run/web.pid")
    monkeypatch.chdir(tmp_path)
    found = compile_file("web.yaml")
    assert found.source == str(tmp_path / "web.yaml")
    assert found.directory == str(tmp_path / "app")
    assert found.pidfile == str(tmp_path / "run/web.pid")


def test_a_name_given_beside_it_wins(tmp_path: Path) -> None:
    file = run_file(tmp_path, "name: inside")
    assert compile_file(file).name == "inside"
    assert compile_file(file, "outside").name == "outside"


@pytest.mark.timeout(10)
def test_only_files_are_read(tmp_path: Path) -> None:
    """A pipe would keep us waiting; a link to a file is one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="pipe cannot be read: it is not a regular file"):
        compile_file(pipe)
    with pytest.raises(ConfigError) as caught:
        compile_file(run_file(tmp_path, "env_files: pipe"))
    assert "pipe cannot be read: it is not a regular file" in caught.value.evidence
    (tmp_path / "link.yaml").symlink_to(run_file(tmp_path))
    assert compile_file(tmp_path / "link.yaml").name == "link"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        compile_file(tmp_path / "gone.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        compile_file(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"command: caf\xe9")
    with pytest.raises(ConfigError) as caught:
        compile_file(tmp_path / "latin.yaml")
    assert "the byte 0xe9 is not UTF-8" in caught.value.evidence


# -- as a program ---------------------------------------------------------------------------------


def program(*words: str, told: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gapless.config.compiling", *words], input=told,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_the_program_prints_one_line(tmp_path: Path) -> None:
    file = run_file(tmp_path)
    done = program(str(file), "shop")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert Spec.from_json(done.stdout) == compile_file(file, "shop")


def test_the_program_prints_problems_and_ends_with_2(tmp_path: Path) -> None:
    file = run_file(tmp_path, "settl: 1s", "flip_signal: KILL", f"environment: {{A B: {SECRET}}}")
    done = program(str(file), "web")
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0] == f"{file}:3:1: unknown key 'settl' — did you mean 'settle'?"
    assert len(lines) == 3
    assert SECRET not in done.stderr
    assert program(str(tmp_path / "gone.yaml"), "web").stderr.startswith("there is no")
    assert program().returncode == 2


# -- the command line -----------------------------------------------------------------------------


def test_words_of_a_command_line() -> None:
    found = compile_words(["8080", "unix:///run/x.sock"], ["/bin/true", "-c", "status"])
    assert (found.name, found.source, found.inputs) == ("true", "", ())
    assert [one.address for one in found.listen] == ["tcp://127.0.0.1:8080", "unix:///run/x.sock"]
    assert found.command == ("/bin/true", "-c", "status")
    again = compile_words([], ["/bin/true"], name="shop", ready="notify", settle="5s")
    assert (again.name, again.ready.kind, again.settle) == ("shop", "notify", 5.0)


@pytest.mark.parametrize(
    ("ready", "kind", "target"),
    [("alive=1s", "alive", ""), ("http=probe:/health", "http", "probe:/health"),
     ("unix=/run/{slot}", "unix", "/run/{slot}"), ("command=test -e x=y", "command", "")],
)  # fmt: skip
def test_ready_on_the_command_line(ready: str, kind: str, target: str) -> None:
    found = compile_words([], ["/bin/true"], ready=ready).ready
    assert (found.kind, found.target) == (kind, target)


def test_what_is_wrong_on_the_command_line_is_all_told() -> None:
    with pytest.raises(UsageError) as caught:
        compile_words([":80"], ["x"], ready="notfy", settle="3")
    told = f"{caught.value.what}\n{caught.value.evidence}"
    assert "names no host" in told
    assert "--ready: unknown kind 'notfy' — did you mean 'notify'?" in told
    assert "--settle: '3' is not a duration" in told
    with pytest.raises(UsageError, match="cannot be a name"):
        compile_words([], ["/"])


BOGUS = "known: alive, notify, command, http, tcp, unix, docker"
UNSAID = [
    (["stop.timeout=abc"], "", "--set stop.timeout: 'abc' is not a duration"),
    (["stop.timeot=5s"], "", "--set stop.timeot: unknown key 'timeot' — did you mean 'timeout'?"),
    (["env_files=gone.env"], "", "--set env_files: there is no "),
    (["command=foo"], "", "--set command: it is given already — see -- COMMAND"),
    (["ready.alive=2s"], "alive=1s", "--set ready.alive: it is given already — see --ready"),
    (["settle=1s", "settle=2s"], "", "--set settle: it is given already — see --set settle"),
    (["stop=1", "stop.timeout=2s"], "", "--set stop.timeout: it is given already — see --set stop"),
    (["max_draining=0"], "", "--set max_draining: must be 1 or more"),
    ([], "bogus", f"--ready: unknown kind 'bogus' — {BOGUS}"),
    ([], "alive:5s", "--ready: unknown kind 'alive:5s' — did you mean 'alive=5s'?"),
    ([], "alive=abc", "--ready: alive: 'abc' is not a duration"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "ready", "told"), UNSAID)
def test_a_problem_is_told_with_its_option(settings: list[str], ready: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        compile_words([], ["/bin/true"], ready=ready, settings=settings)
    lines = [caught.value.what, *caught.value.evidence.splitlines()]
    assert any(line.startswith(told) for line in lines), lines


def test_values_on_the_command_line_are_those_of_a_run_file() -> None:
    settings = ["probe=true", "limits.nofile=[1024, 4096]", "environment.A=007", "umask=0027",
                "environment.B=[x]", "environment.C=true", "listen=[8080, 8081]"]  # fmt: skip
    found = compile_words([], ["/bin/true"], settings=settings)
    assert (found.probe, found.umask) == ("tcp", 0o27)
    assert found.limits == {"nofile": (1024, 4096)}
    assert found.environment == {"A": "007", "B": "[x]", "C": "true"}
    assert len(found.listen) == 2


@pytest.mark.parametrize("said", ["one.env", "-one.env", "[-gone.env, one.env]"])
def test_environment_files_of_the_command_line_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """They are seen from the current folder, and lie under the environment."""
    (tmp_path / "one.env").write_text("A=1\nB=1\n")
    monkeypatch.chdir(tmp_path)
    settings = [f"env_files={said}", "environment.B=2"]
    found = compile_words([], ["/bin/true"], settings=settings)
    assert found.environment == {"A": "1", "B": "2"}
    assert found.source == ""
    assert str(tmp_path / "one.env") in {path for path, _, _ in found.inputs}
    (tmp_path / "one.env").write_text("A=11\n")
    done = program("-", told=found.given)
    assert (done.returncode, done.stderr) == (0, "")
    assert Spec.from_json(done.stdout).environment == {"A": "11", "B": "2"}
    (tmp_path / "one.env").unlink()
    assert program("-", told=found.given).returncode == (0 if said == "-one.env" else 2)


# -- another program's configuration --------------------------------------------------------------


def test_all_that_psflip_can_say_can_be_said_here(tmp_path: Path) -> None:
    """Its seven example files, together."""
    (tmp_path / "web.yaml").write_text(
        """
command: [sh, ./start.sh, "{slot:8081|8082}"]
directory: examples/proxy
environment:
  CONTAINER_NAME: "proxy-{slot:blue|green}"
  BLUE_GREEN: "{slot:blue|green}"
pidfile: /tmp/proxy.pid
proxy:
- listen: unix:///tmp/proxy.sock
  to: "localhost:{slot:8081|8082}"
ready:
  docker: "proxy-{slot:blue|green}"
  interval: 2s
flip_signal: SIGUSR1
start_timeout: 30s
stop: {delay: 5s, signal: SIGSTOP, timeout: 5s}
"""
    )
    found = compile_file(tmp_path / "web.yaml").in_slot("b")
    assert found.command[2] == "8082"
    assert found.environment == {"CONTAINER_NAME": "proxy-green", "BLUE_GREEN": "green"}
    assert [(one.listen, one.to) for one in found.proxy] == [
        ("unix:///tmp/proxy.sock", "127.0.0.1:8082")
    ]
    assert (found.ready.target, found.ready.interval) == ("proxy-green", 2.0)
    assert (found.flip_signal, found.start_timeout) == (10, 30.0)
    assert (found.stop.delay, found.stop.signal, found.stop.timeout) == (5.0, 19, 5.0)
    for ready, kind in (("alive: 10s", "alive"), ("command: [sh, -c, x], interval: 2s", "command")):
        assert compile_file(run_file(tmp_path, f"ready: {{{ready}}}")).ready.kind == kind


def test_compiling_is_quick_enough_for_a_flip(tmp_path: Path) -> None:
    """CPU seconds of the program; the limit is generous because machines differ."""
    file = run_file(tmp_path)
    before = os.times()
    assert json.loads(program(str(file), "web").stdout)["name"] == "web"
    after = os.times()
    assert after.children_user - before.children_user < 1.0
