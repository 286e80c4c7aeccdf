"""One flip, seen from outside: who serves, who is told what, what is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor.spec import Ready, Stop
from tests.supervisor.configured import compiler, configure, configured
from tests.supervisor.load import loading
from tests.supervisor.rig import Rig, serve, until

Web = Callable[..., Rig]


def test_a_good_flip_replaces_the_copy_and_keeps_the_pid(web: Web) -> None:
    rig = web().start()
    before, old = rig.pid, rig.active()
    rig.publish("2")
    reply = rig.flip()
    assert reply["ok"]
    assert (reply["code"], reply["generation"]) == (0, 2)
    assert rig.version() == "2"
    until(lambda: not os.path.exists(f"/proc/{old}"))
    assert rig.status()["pid"] == before  # type: ignore[index]
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    rig.nobody_left()


def test_flips_under_load_lose_nothing(web: Web) -> None:
    """New connections and kept ones, a program that serves one request at a time."""
    rig = web("--work", "2", settle=0.1).start()
    with loading(rig.address, rate=200, connections=16, connect="both") as load:
        for version in "23456":
            rig.publish(version)
            assert rig.flip()["ok"]
        result = load.end()
    assert result.failures == 0, result
    assert result.generations.keys() == {"1", "2", "3", "4", "5", "6"}


@pytest.mark.parametrize(
    ("behaviour", "what"),
    [
        ("import-error", "ended with status 1 before it was ready"),
        ("exit-zero", "ended with status 0 before it was ready"),
        ("never-ready", "not ready after 1 s"),
        ("hang", "not ready after 1 s"),
        ("crash-in-settle:0.1", "ended with status 1 while it settled"),
    ],
)
def test_a_new_copy_that_fails_leaves_the_old_one_alone(
    web: Web, behaviour: str, what: str
) -> None:
    rig = web(start_timeout=1.0, settle=0.6).start()
    old = rig.active()
    rig.publish("2", behaviour)
    with loading(rig.address, rate=100) as load:
        reply = rig.flip()
        assert load.end().failures == 0
    assert (reply["ok"], reply["code"]) == (False, 4)
    assert what in reply["what"]
    assert rig.active() == old
    assert rig.version() == "1"
    assert len(rig.everybody()) == 3, "supervisor, its guard, the old copy"
    rig.publish("3")
    assert rig.flip()["ok"]


def test_the_last_lines_of_a_failed_copy_are_told(web: Web) -> None:
    rig = web().start()
    rig.publish("2", "import-error")
    reply = rig.flip()
    assert reply["log"][-1].startswith("ModuleNotFoundError")
    assert reply["pid"] > 0


def test_a_missing_program_is_told(web: Web, tmp_path: Path) -> None:
    program = tmp_path / "app"
    program.write_text("#!/bin/sh\nexec " + " ".join(serve("--notify")) + "\n")
    program.chmod(0o755)
    rig = web(command=(str(program),)).start()
    program.unlink()
    reply = rig.flip()
    assert (reply["code"], reply["what"]) == (4, f"cannot start {program}")
    assert reply["evidence"] == f"No such file or directory: {program}"


@pytest.mark.parametrize(
    ("behaviour", "code"), [("import-error", 1), ("exit-zero", 1), ("oom", 137)]
)
def test_a_first_copy_that_fails_ends_the_supervisor(web: Web, behaviour: str, code: int) -> None:
    """Never with 0: nothing ever served."""
    rig = web(pidfile="pid")
    rig.publish("1", behaviour)
    rig.start(ready=False)
    assert rig.ended() == code
    rig.nobody_left()


def test_a_first_program_that_is_not_there_ends_it_with_127(web: Web) -> None:
    rig = web(command=("/no/such/program",)).start(ready=False)
    assert rig.ended() == 127
    assert "cannot start /no/such/program. No such file or directory" in rig.output()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, 137), (signal.SIGSEGV, 139)])
def test_the_end_of_the_program_is_the_end_of_the_supervisor(
    web: Web, number: int, code: int, tmp_path: Path
) -> None:
    rig = web(pidfile=str(tmp_path / "pid")).start()
    assert (tmp_path / "pid").read_text() == f"{rig.pid}\n"
    os.kill(rig.active(), number)
    assert rig.ended() == code
    assert not (tmp_path / "pid").exists()
    rig.nobody_left()


def test_an_exit_status_is_relayed(web: Web) -> None:
    rig = web(command=("/bin/sh", "-c", "sleep 0.5; exit 7"), ready=Ready("alive", after=0.1))
    rig.start(ready=False)
    assert rig.ended() == 7


def test_a_hangup_right_after_the_start_is_a_flip(web: Web) -> None:
    rig = web().start(ready=False)
    until(lambda: "--spec" in _command(rig.pid), "our own code")
    rig.signal(signal.SIGHUP)
    until(lambda: (s := rig.status()) and s["flips"] == 1, "the flip")


def test_requests_while_busy_become_one_more_flip(web: Web) -> None:
    rig = web(settle=0.5).start()
    first = rig.ask("flip")
    until(lambda: rig.status()["new"])  # type: ignore[index]
    later = [rig.ask("flip") for _ in range(5)]
    for _ in range(20):
        rig.signal(signal.SIGHUP)
    assert first.reply()["generation"] == 2
    assert {asked.reply()["generation"] for asked in later} == {3}
    assert rig.serves()["flips"] == 2


def test_a_flip_while_old_copies_drain(web: Web) -> None:
    """Three at once; a fourth waits until one has gone."""
    rig = web("--linger", "60", settle=0.05, max_draining=3, stop=Stop(timeout=3.0)).start()
    held = []
    for _ in range(3):
        held.append(_hold(rig))
        assert rig.flip()["ok"]
    assert len(rig.status()["draining"]) == 3  # type: ignore[index]
    waits = rig.ask("flip")
    status = until(lambda: (s := rig.status()) and s["queued"] and s)
    assert status["waits_for"] == "one of 3 old copies to end: more may not drain at once"
    held[0].close()
    assert waits.reply()["ok"]


def test_the_old_copy_dies_while_the_new_one_starts(web: Web) -> None:
    rig = web(settle=5.0).start(ready=False)
    until(rig.active)
    rig.publish("2", "slow-start:0.5")
    asked = rig.ask("flip")
    until(lambda: rig.status()["new"])  # type: ignore[index]
    os.kill(rig.active(), signal.SIGKILL)
    assert asked.reply()["ok"]
    assert rig.version() == "2"
    assert rig.process.poll() is None


def test_both_die(web: Web) -> None:
    """The status is that of the copy that served."""
    rig = web().start()
    rig.publish("2", "slow-start:0.5,import-error")
    rig.publish("2", "hang")
    asked = rig.ask("flip")
    new = until(lambda: (s := rig.status()) and s["new"] and s["new"]["pid"])
    os.kill(rig.active(), signal.SIGKILL)
    until(lambda: rig.status() and not rig.active())
    os.kill(new, signal.SIGTERM)
    assert asked.reply()["code"] == 5
    assert rig.ended() == 137
    rig.nobody_left()


def test_a_stop_from_outside_while_old_ones_drain_lets_all_drain(web: Web) -> None:
    rig = web("--linger", "60", settle=0.05, stop=Stop(timeout=8.0)).start()
    old = rig.active()
    held = _hold(rig)
    assert rig.flip()["ok"]
    also = _hold(rig)
    rig.signal(signal.SIGTERM)
    until(lambda: (s := rig.status()) and s["state"] == "stopping")
    held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert held.recv(4096).split()[-3:][0] == str(old).encode()
    also.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert also.recv(4096).startswith(b"HTTP/1.1 200")
    assert rig.ended() == 0
    rig.nobody_left()


@pytest.mark.parametrize("way", ["flip", "outside"])
def test_a_copy_that_ignores_the_stop_is_killed_at_the_limit(web: Web, way: str) -> None:
    rig = web("--child", "session", stop=Stop(timeout=0.7))
    rig.publish("1", "ignores-term")
    rig.start()
    old, began = rig.active(), time.monotonic()
    rig.publish("2")
    if way == "flip":
        assert rig.flip()["ok"]
        until(lambda: not os.path.exists(f"/proc/{old}"))
        assert len(rig.everybody()) == 4, "supervisor, guard, new copy and its child"
    else:
        rig.signal(signal.SIGTERM)
        assert rig.ended() == 137
        rig.nobody_left()
    assert time.monotonic() - began > 0.7


def test_the_stop_waits_the_delay(web: Web) -> None:
    rig = web(stop=Stop(delay=0.6, timeout=2.0)).start()
    old = rig.active()
    assert rig.flip()["ok"]
    began = time.monotonic()
    until(lambda: not os.path.exists(f"/proc/{old}"))
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize("kind", ["group", "session"])
def test_what_a_copy_started_goes_with_it(web: Web, kind: str) -> None:
    rig = web("--child", kind).start()
    child = int(rig.get("/child"))
    os.kill(rig.active(), signal.SIGKILL)
    rig.ended()
    until(lambda: not os.path.exists(f"/proc/{child}"))


@pytest.mark.parametrize("kind", ["group", "session"])
def test_a_killed_supervisor_leaves_no_orphan(web: Web, kind: str) -> None:
    rig = web("--child", kind, "--linger", "60", settle=0.05).start()
    held = _hold(rig)
    assert rig.flip()["ok"]
    assert len(rig.everybody()) == 6
    rig.signal(signal.SIGKILL)
    rig.ended()
    rig.nobody_left()
    held.close()
    rig.start()
    assert rig.version() == "1"


FORWARDED = ("INT", "QUIT", "USR1", "USR2", "WINCH", "CONT", "TTIN", "TTOU", "TSTP", "ALRM", "IO")


def test_signals_are_passed_on(web: Web, tmp_path: Path) -> None:
    script = tmp_path / "signals.py"
    script.write_text(
        "import signal, sys\n"
        f"for n in {FORWARDED!r}:\n"
        "    signal.signal(getattr(signal, 'SIG' + n),"
        " lambda n, f: (print(signal.Signals(n).name, flush=True)))\n"
        "print('hooked', flush=True)\n"
        "while True: signal.pause()\n"
    )
    command = (*serve()[:3], str(script))
    rig = web(command=command, listen=(), ready=Ready("alive", after=0.01), settle=0.0)
    rig.start()
    until(lambda: "hooked" in rig.output())
    for name in FORWARDED:
        rig.signal(getattr(signal, f"SIG{name}"))
        until(lambda name=name: f"SIG{name}\n" in rig.output(), name)
    assert rig.process.poll() is None


def test_signals_are_mapped(web: Web) -> None:
    rig = web(signals={str(int(signal.SIGUSR1)): 15, str(int(signal.SIGUSR2)): 0}).start()
    rig.signal(signal.SIGUSR2)
    assert rig.version() == "1"
    rig.signal(signal.SIGUSR1)
    assert rig.ended() == 0


def test_a_flip_back(web: Web) -> None:
    """To argv, environment and configuration of the one before."""
    rig = web(environment={"COLOUR": "blue"}).start()
    assert rig.ask("rollback").reply()["code"] == 3
    assert rig.flip()["ok"]
    reply = rig.ask("rollback").reply()
    assert (reply["ok"], reply["generation"]) == (True, 3)


def test_a_flip_back_says_whose_settings_it_brings(web: Web, tmp_path: Path) -> None:
    """The last that differ from those that serve, however many flips changed nothing."""
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    configure(rig)
    assert rig.flip()["ok"]
    configure(rig, settle=0.1)
    for _ in range(2):
        assert rig.flip()["settings_of"] is None
    assert rig.serves()["rollback_to"] == 2
    assert rig.ask("rollback").reply()["settings_of"] == 2
    assert rig.ask("rollback").reply()["settings_of"] == 4


def test_two_supervisors_of_one_name(web: Web) -> None:
    rig = web().start()
    other = web()
    other.folder = rig.folder
    other.start(ready=False)
    assert other.ended() == 3
    assert "✗  web is supervised already" in rig.output()
    assert f"   answer  by process {rig.pid}\n   next    gapless run status web\n" in rig.output()
    assert rig.version() == "1"


def _hold(rig: Rig):  # type: ignore[no-untyped-def]
    """A connection that the active copy has accepted and keeps."""
    import socket

    host, _, port = rig.address.rpartition(":")
    to = socket.create_connection((host, int(port)), timeout=10)
    to.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert to.recv(4096).startswith(b"HTTP/1.1 200")
    return to


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def test_a_promotion_counts_as_a_flip(web: Web) -> None:
    rig = web().start()
    rig.publish("2", "slow-start:0.5")
    asked = rig.ask("flip")
    until(lambda: rig.status()["new"])  # type: ignore[index]
    os.kill(rig.active(), signal.SIGKILL)
    assert asked.reply()["ok"]
    assert rig.serves()["flips"] == 1
