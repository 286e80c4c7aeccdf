"""``gapless pidwatch`` before small daemons written for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from gapless.cli.verbs.pidwatch import PROGRAM
from gapless.supervisor.pidwatch.descendants import descendant
from gapless.supervisor.pidwatch.pidfile import Pidfile
from gapless.supervisor.pidwatch.stop import Stop
from gapless.supervisor.pidwatch.wanted import parsed

from .pidwatch_rig import Rig, alive, asleep, children, eventually, status


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.clean()


class TestExitStatus:
    """The row "child ends 7"."""

    @pytest.mark.parametrize(
        ("script", "code"),
        [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)],
    )
    def test_that_of_the_child_is_relayed(self, rig: Rig, script: str, code: int) -> None:
        rig.start("sh", "-c", script)
        assert rig.end() == code

    @pytest.mark.parametrize(("codes", "code"), [("0,0", 0), ("0,7", 7), ("3,0", 0), ("0,-6", 134)])
    def test_that_of_the_last_main_process_is_relayed(
        self, rig: Rig, codes: str, code: int
    ) -> None:
        first = rig.start(*rig.daemon(codes), wait_for="ready")
        old = rig.until("ready")
        rig.upgrade()
        os.kill(old, signal.SIGTERM)
        rig.until("TERM")
        eventually(lambda: "follows" in rig.errors())
        assert first.poll() is None
        rig.send(signal.SIGTERM)
        assert rig.end() == code
        assert rig.everybody_gone()

    def test_not_found(self, rig: Rig) -> None:
        rig.start("/nowhere/daemon", "-x")
        assert rig.end() == 127
        assert "/nowhere/daemon: not found" in rig.errors()

    def test_an_interpreter_that_is_missing_is_named_so(self, rig: Rig) -> None:
        script = rig.folder / "script"
        script.write_text("#!/nowhere/sh\n")
        script.chmod(0o755)
        rig.start(script)
        assert rig.end() == 127
        assert "its interpreter was not found" in rig.errors()

    def test_not_executable(self, rig: Rig) -> None:
        script = rig.folder / "script"
        script.write_text("#!/bin/sh\n")
        rig.start(script)
        assert rig.end() == 126
        assert "cannot be executed" in rig.errors()
        assert f"ls -ld {script}" in rig.errors()

    def test_no_command_is_a_mistake_of_usage(self, rig: Rig) -> None:
        rig.start()
        assert rig.end() == 2

    @pytest.mark.parametrize("words", [[], ["--pidfile"], ["--pidfile", "x"], ["-x", "--", "true"]])
    def test_the_resident_program_says_how_it_is_called(self, words: list[str]) -> None:
        with pytest.raises(Stop) as stop:
            parsed(words)
        assert stop.value.code == 2


class TestSignals:
    """The rows "TERM before first ready" and "INT QUIT USR1 … all forwarded"."""

    FORWARDED: ClassVar = [
        *("HUP", "USR1", "USR2", "WINCH", "INT", "QUIT"),
        *("CONT", "TTIN", "TTOU", "TSTP", "IO"),
    ]

    def test_all_are_passed_on(self, rig: Rig) -> None:
        rig.start(*rig.daemon(), wait_for="ready")
        for name in self.FORWARDED:
            rig.send(signal.Signals[f"SIG{name}"])
            rig.until(name)
        rig.send(signal.SIGRTMIN + 1)
        rig.until("RTMIN+1")
        rig.send(signal.SIGTERM)
        assert rig.end() == 0

    def test_all_are_passed_on_to_the_new_main_process(self, rig: Rig) -> None:
        rig.start(*rig.daemon(), wait_for="ready")
        old = rig.until("ready")
        rig.upgrade()
        os.kill(old, signal.SIGTERM)
        eventually(lambda: "follows" in rig.errors())
        for name in self.FORWARDED:
            rig.send(signal.Signals[f"SIG{name}"])
            rig.until(name, 2)
        rig.send(signal.SIGTERM)
        assert rig.end() == 0

    def test_the_new_one_gets_them_while_the_old_one_drains(self, rig: Rig) -> None:
        rig.start(*rig.daemon(), wait_for="ready")
        rig.upgrade()
        rig.send(signal.SIGHUP)
        rig.until("HUP", 2)
        assert not [line for line in rig.log() if line[0] == 1 and line[2] == "HUP"]

    def test_child_pipe_and_urgent_data_are_not_passed_on(self, rig: Rig) -> None:
        rig.start(*rig.daemon(), wait_for="ready")
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGURG):
            rig.send(number)
        rig.send(signal.SIGHUP)
        rig.until("HUP")
        assert {what for _, _, what in rig.log()} == {"worker", "ready", "HUP"}

    def test_what_the_keeper_gets_from_others_is_not_passed_on_again(self, rig: Rig) -> None:
        """systemd signals every process of a unit."""
        rig.start(*rig.daemon(), wait_for="ready")
        os.kill(rig.keeper, signal.SIGUSR1)
        rig.send(signal.SIGHUP)
        rig.until("HUP")
        assert "USR1" not in {what for _, _, what in rig.log()}

    def test_term_before_the_daemon_is_ready_is_honoured(self, rig: Rig) -> None:
        """It wrote no pidfile yet; the direct child gets it."""
        started = rig.folder / "started"
        rig.start("sh", "-c", f"trap 'exit 9' TERM; echo > {started}; while :; do sleep 0.05; done")
        eventually(started.exists)
        rig.send(signal.SIGTERM)
        assert rig.end() == 9

    @pytest.mark.parametrize("delay", [0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5])
    def test_term_first_thing_is_honoured(self, rig: Rig, delay: float) -> None:
        rig.start(*rig.daemon())
        time.sleep(delay)  # any moment will do
        rig.send(signal.SIGTERM)
        assert rig.end() in (0, 143)
        rig.log()
        eventually(lambda: not rig.living())

    def test_a_signal_from_before_the_start_is_queued(self, rig: Rig) -> None:
        """The resident program is entered with a signal pending."""
        marker = rig.folder / "marker"
        program = [sys.executable, "-I", "-S", str(PROGRAM), "--pidfile", str(rig.pidfile)]
        child = ["sh", "-c", f"echo > {marker}; exec sleep 1000"]
        code = (
            "import os, signal, sys\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
            "os.kill(os.getpid(), signal.SIGTERM)\n"
            "os.execv(sys.argv[1], sys.argv[1:])\n"
        )
        words = [sys.executable, "-c", code, *program, "--", *child]
        rig.process = subprocess.Popen(words)
        assert rig.end() == 143

    def test_the_child_starts_with_nothing_blocked_or_ignored(self, rig: Rig) -> None:
        out = rig.folder / "status"
        script = f"trap '' USR1 PIPE; exec {sys.executable} -m gapless pidwatch"
        rig.process = subprocess.Popen(
            [
                "sh",
                "-c",
                f"{script} --pidfile x -- grep -E '^Sig(Blk|Ign)' /proc/self/status > {out}",
            ],
            cwd=rig.folder,
        )
        assert rig.end() == 0
        masks = [int(mask, 16) for mask in re.findall(r"\t(\w+)", out.read_text())]
        # 32 and 33 are the C library's own: whoever spawns with it leaves them ignored
        assert [mask & ~(0b11 << 31) for mask in masks] == [0, 0]

    def test_ctrl_c_comes_once(self, rig: Rig) -> None:
        """A terminal signals the whole foreground group, which the daemon is not in."""
        rig.start(*rig.daemon(), prefix=("setsid",), wait_for="ready")
        group = os.getpgid(rig.pid)
        assert group == rig.pid
        os.killpg(group, signal.SIGINT)
        rig.until("INT")
        rig.send(signal.SIGHUP)
        rig.until("HUP")
        assert [what for _, _, what in rig.log()].count("INT") == 1


class TestChange:
    """The main process is another one."""

    def test_several_upgrades_in_a_row(self, rig: Rig) -> None:
        rig.start(*rig.daemon("1,2,3,4"), wait_for="ready")
        main = rig.until("ready")
        for generation in (2, 3, 4):
            new = rig.upgrade(generation)
            os.kill(main, signal.SIGTERM)
            eventually(lambda new=new: f"follows process {new}" in rig.errors(), rig.errors)
            main = new
        rig.send(signal.SIGTERM)
        assert rig.end() == 4
        assert rig.everybody_gone()

    def test_the_pid_stays(self, rig: Rig) -> None:
        process = rig.start(*rig.daemon(), wait_for="ready")
        assert b"supervisor/pidwatch/" in Path(f"/proc/{process.pid}/cmdline").read_bytes()

    def test_an_upgrade_that_fails_leaves_the_old_one_the_main_process(self, rig: Rig) -> None:
        rig.start(*rig.daemon("5,6"), wait_for="ready")
        new = rig.upgrade()
        rig.send(signal.SIGHUP)
        rig.until("HUP", 2)
        os.kill(new, signal.SIGTERM)
        eventually(lambda: "follows" in rig.errors())
        eventually(lambda: not alive(new))
        rig.send(signal.SIGUSR1)
        rig.until("USR1", 1)
        rig.send(signal.SIGTERM)
        assert rig.end() == 5

    def test_the_pidfile_appears_late(self, rig: Rig) -> None:
        """A program that goes into the background writes it after its parent has ended."""
        script = rig.folder / "child.sh"
        script.write_text(
            f"sleep 0.7; trap 'exit 8' TERM; echo $$ > {rig.pidfile}\n"
            "while :; do sleep 0.05; done\n"
        )
        command = f"setsid sh {script} & echo 1 $! ready >> {rig.folder}/log; exit 0"
        rig.start("sh", "-c", command, options=("--wait", "10"))
        rig.until("ready")
        eventually(lambda: "follows" in rig.errors(), rig.errors)
        rig.send(signal.SIGTERM)
        assert rig.end() == 8

    def test_a_signal_between_two_main_processes_waits(self, rig: Rig) -> None:
        gate = rig.folder / "gate"
        child = " ".join(
            [
                f"until test -e {gate}; do sleep 0.05; done;",
                "trap 'exit 8' TERM;",
                f"sh -c 'echo $PPID' > {rig.pidfile};",
                "while :; do sleep 0.05; done",
            ]
        )
        script = rig.folder / "child.sh"
        script.write_text(child)
        rig.start(
            "sh",
            "-c",
            f"setsid sh {script} & echo 1 $! ready >> {rig.folder}/log; exit 0",
            options=("--wait", "60"),
        )
        rig.until("ready")
        eventually(lambda: len(children(rig.keeper)) == 1)
        rig.send(signal.SIGTERM)
        gate.touch()
        assert rig.end() == 8

    def test_the_folder_of_the_pidfile_appears_late(self, rig: Rig) -> None:
        pidfile = rig.folder / "run" / "daemon" / "daemon.pid"
        script = rig.folder / "child.sh"
        script.write_text(
            f"sleep 0.3; mkdir {pidfile.parent.parent}; sleep 0.2; mkdir {pidfile.parent}\n"
            f"sleep 0.2; echo $$ > {pidfile}; exec sleep 1000\n"
        )
        rig.start(
            "sh", "-c", f"setsid sh {script} & exit 0", options=("--wait", "10"), pidfile=pidfile
        )
        eventually(lambda: "follows" in rig.errors(), rig.errors)
        assert f"there is no {pidfile.parent} yet: the daemon has to make it" in rig.errors()
        rig.hold(int(pidfile.read_text()))
        rig.send(signal.SIGTERM)
        assert rig.end() == 143
        assert rig.everybody_gone()

    def test_a_relative_pidfile(self, rig: Rig) -> None:
        """Relative to where pidwatch was started, wherever the daemon goes."""
        script = rig.folder / "child.sh"
        script.write_text(
            f"cd /; echo $$ > {rig.folder}/daemon.pid; trap 'exit 8' TERM;"
            "while :; do sleep 0.05; done"
        )
        rig.start(
            "sh",
            "-c",
            f"cd /; setsid sh {script} & exit 0",
            options=("--wait", "10"),
            pidfile="daemon.pid",
        )
        eventually(lambda: "follows" in rig.errors(), rig.errors)
        rig.send(signal.SIGTERM)
        assert rig.end() == 8

    def test_what_nobody_names_is_waited_for_a_moment_and_killed(self, rig: Rig) -> None:
        rig.start(
            "sh",
            "-c",
            f"setsid sleep 1000 & echo 1 $! ready >> {rig.folder}/log; exit 7",
            options=("--wait", "0.3"),
        )
        assert rig.end() == 7
        assert "named no other of its descendants for 0.3 s" in rig.errors()
        rig.until("ready")
        assert not rig.living()

    def test_a_status_that_another_parent_took_is_not_made_up(self, rig: Rig) -> None:
        script = rig.folder / "child.sh"
        script.write_text(
            f"sleep 0.3 & echo $! > {rig.pidfile}; echo 1 $$ ready >> {rig.folder}/log\n"
            "wait; exec sleep 1000\n"
        )
        rig.start("sh", "-c", f"setsid sh {script} & exit 0")
        rig.until("ready")
        assert rig.end() == 1
        assert "took its exit status: 1 instead" in rig.errors()
        assert rig.everybody_gone()

    def test_the_wait_ends_with_the_last_of_them(self, rig: Rig) -> None:
        rig.start("sh", "-c", "setsid sleep 0.3 & exit 7", options=("--wait", "60"))
        assert rig.end() == 7

    def test_nothing_is_told_when_asked_so(self, rig: Rig) -> None:
        rig.start(*rig.daemon(), options=("--quiet",), wait_for="ready")
        rig.upgrade()
        rig.send(signal.SIGHUP)
        rig.until("HUP", 2)
        assert rig.errors() == ""


class TestPidfile:
    """The row "stale pidfile naming a stranger": no number of a file is believed."""

    @pytest.fixture
    def stranger(self) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(["sleep", "1000"])
        yield process
        process.kill()
        process.wait()

    def test_a_stranger_is_an_error_at_the_start(
        self, rig: Rig, stranger: subprocess.Popen[bytes]
    ) -> None:
        rig.pidfile.write_text(f"{stranger.pid}\n")
        rig.start("touch", rig.folder / "started")
        assert rig.end() == 3
        errors = rig.errors()
        assert "names a process that is not ours; nothing was started" in errors
        assert str(rig.pidfile) in errors
        assert f"process {stranger.pid} of user" in errors
        assert "sleep 1000" in errors
        assert f"ps -fp {stranger.pid}" in errors
        assert not (rig.folder / "started").exists()
        assert stranger.poll() is None

    def test_a_stranger_that_comes_later_gets_no_signal(
        self, rig: Rig, stranger: subprocess.Popen[bytes]
    ) -> None:
        rig.start(*rig.daemon("4"), wait_for="ready")
        rig.pidfile.write_text(f"{stranger.pid}\n")
        rig.send(signal.SIGHUP)
        rig.until("HUP")
        rig.send(signal.SIGTERM)
        assert rig.end() == 4
        assert stranger.poll() is None

    def test_a_stranger_is_not_waited_for(
        self, rig: Rig, stranger: subprocess.Popen[bytes]
    ) -> None:
        rig.start("sh", "-c", f"echo {stranger.pid} > {rig.pidfile}; exit 6")
        assert rig.end() == 6
        assert stranger.poll() is None

    @pytest.mark.parametrize("text", ["", "x\n", "0\n", "-1\n", "99999999999999999999\n"])
    def test_a_file_that_names_nobody_is_fine(self, rig: Rig, text: str) -> None:
        rig.pidfile.write_text(text)
        rig.start("sh", "-c", "exit 7")
        assert rig.end() == 7

    def test_a_number_of_somebody_who_is_gone_is_fine(self, rig: Rig) -> None:
        gone = subprocess.Popen(["true"])
        gone.wait()
        rig.pidfile.write_text(f"{gone.pid}\n")
        rig.start(*rig.daemon("7"), wait_for="ready")
        rig.send(signal.SIGTERM)
        assert rig.end() == 7

    def test_an_old_number_that_means_one_of_ours_by_now_does_not_count(
        self, tmp_path: Path
    ) -> None:
        """In containers the same small numbers come back."""
        file = tmp_path / "daemon.pid"
        file.write_text("99999999\n")
        pidfile = Pidfile(str(file))
        assert pidfile.number() == 0
        file.write_text("99999998\n")
        assert pidfile.number() == 99999998

    def test_more_lines_than_one(self, tmp_path: Path) -> None:
        pidfile = Pidfile(str(tmp_path / "postmaster.pid"))
        (tmp_path / "postmaster.pid").write_text("4711\n/var/lib/postgresql\n1700000000\n")
        assert pidfile.number() == 4711

    def test_what_can_never_be_one_is_refused(self, rig: Rig) -> None:
        """A folder, below a file, in a folder that no daemon makes: with its path and what next."""
        (rig.folder / "file").write_text("")
        marker = rig.folder / "marker"
        for pidfile, why, then in (
            (rig.folder, "the pidfile is a folder", f"--pidfile {rig.folder}/NAME.pid"),
            (rig.folder / "file" / "x", "file is not a folder", f"ls -ld {rig.folder}/file"),
            ("/nosuch/x.pid", "there is no /nosuch", "mkdir -p /nosuch"),
        ):
            rig.start("touch", marker, pidfile=pidfile)
            assert rig.end() == 3
            what, where, last = rig.errors().splitlines()
            assert why in what
            assert "nothing was started" in what
            assert where.split() == ["where", str(pidfile)]
            assert then in last
        assert not marker.exists()

    def test_descendants_are_told_from_strangers(self, stranger: subprocess.Popen[bytes]) -> None:
        assert descendant(os.getppid()) is None
        assert descendant(os.getpid()) is None
        assert descendant(1) is None
        found = descendant(stranger.pid)
        assert found is not None
        found.close()


class TestKilled:
    """The row "kill -9 before / after a flip": all die."""

    def test_before_an_upgrade_nobody_is_left(self, rig: Rig) -> None:
        rig.start(*rig.daemon("ignore"), wait_for="ready")
        self._killed(rig, rig.pid)

    def test_after_an_upgrade_nobody_is_left(self, rig: Rig) -> None:
        rig.start(*rig.daemon("0,ignore"), wait_for="ready")
        old = rig.until("ready")
        rig.upgrade()
        os.kill(old, signal.SIGTERM)
        eventually(lambda: "follows" in rig.errors())
        self._killed(rig, rig.pid)

    def test_during_an_upgrade_nobody_is_left(self, rig: Rig) -> None:
        rig.start(*rig.daemon("ignore"), wait_for="ready")
        rig.upgrade()
        self._killed(rig, rig.pid)

    def test_while_it_waits_for_the_pidfile_nobody_is_left(self, rig: Rig) -> None:
        rig.start(
            "sh",
            "-c",
            f"setsid sleep 1000 & echo 1 $! ready >> {rig.folder}/log; exit 0",
            options=("--wait", "60"),
        )
        rig.until("ready")
        eventually(lambda: len(children(rig.keeper)) == 1)
        self._killed(rig, rig.pid)

    def test_when_the_keeper_is_killed_nobody_is_left(self, rig: Rig) -> None:
        rig.start(*rig.daemon("0,ignore"), wait_for="ready")
        rig.upgrade()
        self._killed(rig, rig.keeper)
        assert rig.end() == 137

    def test_what_forks_all_the_time_is_killed_as_well(self, rig: Rig) -> None:
        script = rig.folder / "child.sh"
        script.write_text("while :; do setsid sleep 0.2 & sleep 0.01; done")
        rig.start("sh", "-c", f"sh {script} & echo 1 $! ready >> {rig.folder}/log; exec sleep 1000")
        rig.until("ready")
        self._killed(rig, rig.pid)

    @pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
    def test_at_any_moment_of_the_start_nobody_is_left(self, rig: Rig, delay: float) -> None:
        rig.start(*rig.daemon())
        time.sleep(delay)  # any moment will do
        rig.send(signal.SIGKILL)
        rig.end()
        rig.log()
        eventually(lambda: not _named(str(rig.folder)), lambda: str(_named(str(rig.folder))))
        eventually(lambda: not rig.living())

    def _killed(self, rig: Rig, pid: int) -> None:
        rig.log()
        rig.hold(rig.keeper)
        assert len(rig.living()) >= 2
        os.kill(pid, signal.SIGKILL)
        assert rig.everybody_gone()


def _named(text: str) -> list[bytes]:
    """Command lines with a text in them."""
    found = []
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit():
                words = Path(f"/proc/{name}/cmdline").read_bytes()
                if text.encode() in words:
                    found.append(words)
    return found


class TestCost:
    def test_idle_is_asleep_and_small(self, rig: Rig) -> None:
        rig.start(*rig.daemon(), wait_for="ready")
        both = (rig.pid, rig.keeper)
        eventually(lambda: all(asleep(pid) for pid in both))
        before = [_switches(pid) for pid in both]
        time.sleep(2.0)  # what is measured
        assert [_switches(pid) for pid in both] == before
        assert all(_kilobytes(pid, "Rss") <= 15 * 1024 for pid in both)
        assert sum(_kilobytes(pid, "Private_Dirty") for pid in both) <= 9 * 1024

    def test_the_wait_for_the_pidfile_is_asleep_as_well(self, rig: Rig) -> None:
        rig.start("sh", "-c", "setsid sleep 1000 & exit 0", options=("--wait", "60"))
        eventually(lambda: len(children(rig.pid)) == 1)
        eventually(lambda: len(children(rig.keeper)) == 1)
        keeper = rig.keeper
        eventually(lambda: asleep(keeper) and _inotify(keeper))
        before = _switches(keeper)
        time.sleep(1.0)  # what is measured
        assert _switches(keeper) - before <= 2  # the end of the child

    def test_the_environment_and_descriptors_are_the_given_ones(self, rig: Rig) -> None:
        out = rig.folder / "out"
        script = f"env > {out}; ls /proc/self/fd >> {out}"
        words = ["--pidfile", "x", "--", "/bin/sh", "-c", script]
        rig.process = subprocess.Popen(
            [Path(sys.executable).parent / "gapless", "pidwatch", *words],
            cwd=rig.folder,
            env={"A": "1"},
        )
        assert rig.end() == 0
        lines = out.read_text().split()
        assert [w for w in lines if not w.startswith(("PWD=", "_=", "SHLVL=", "OLDPWD="))] == [
            "A=1",
            "0",
            "1",
            "2",
            "3",
        ]  # 3 is the folder that ls reads

    def test_an_inherited_socket_is_the_daemons(self, rig: Rig) -> None:
        """systemd names the process that it started; the daemon is another."""
        code = (
            "import os, sys\n"
            "os.environ['LISTEN_PID'] = str(os.getpid())\n"
            "os.execv(sys.argv[1], sys.argv[1:])\n"
        )
        gapless = str(Path(sys.executable).parent / "gapless")
        script = "test $$ = $LISTEN_PID"
        rig.process = subprocess.Popen(
            [sys.executable, "-c", code, gapless, "pidwatch", "--pidfile", "x", "sh", "-c", script],
            cwd=rig.folder,
        )
        assert rig.end() == 0


def _switches(pid: int) -> int:
    return sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", status(pid))))


def _kilobytes(pid: int, what: str) -> int:
    found = re.search(rf"^{what}:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert found
    return int(found[1])


def _inotify(pid: int) -> bool:
    folder = Path(f"/proc/{pid}/fd")
    return any("inotify" in os.readlink(fd) for fd in folder.iterdir())
