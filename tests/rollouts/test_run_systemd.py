"""Units of a real systemd (252) under ``gapless run``: what a start and a reload promise, what a
stop waits for, what a kill of the supervisor costs."""

from __future__ import annotations

import http.client
import json
import shlex
import time

import pytest

from tests.lab.load import Load, Report
from tests.rollouts.units.unit import DROP_IN, PORT, START, Unit, until


def refused(report: Report) -> list[str]:
    """Connects that nobody took."""
    return [one.error for one in report.errors if "refused" in one.error.lower()]


def test_a_plain_unit_is_adopted_reloaded_and_given_back(web: Unit) -> None:
    web.install("ExecReload=/bin/kill -HUP $MAINPID")
    printed = web.gapless("run", "adopt", "web", "--listen", web.address)
    assert printed.stdout.startswith("# Written by gapless run adopt")
    assert web.host.run(["ls", DROP_IN], check=False).returncode != 0, "only printed"

    web.adopt("--listen", web.address)
    assert web.host.run(["stat", "-c", "%a %U", DROP_IN]).stdout.split() == ["644", "root"]
    before = web.pid
    with Load(f"http://{web.address}/", rate=100) as load:
        web.publish("2")
        done = web.systemctl("reload", "web")
        assert (done.returncode, done.stderr) == (0, "")
        web.alone()
    assert load.report.failed == 0, load.report
    assert load.report.versions.keys() == {"1", "2"}
    assert web.show("MainPID", "ActiveState") == [before, "active"]
    told = web.systemctl("status", "web").stdout
    assert "version 2 is at your service" in told.partition("Status:")[2].partition("\n")[0]

    web.gapless("run", "adopt", "--undo", "web")
    web.systemctl("restart", "web")
    assert web.version() == "2"
    assert web.show("Type", "DropInPaths", "KillMode") == ["notify", "", "control-group"]
    assert web.processes() == ["python3"]


# A start and a reload tell the truth


def test_a_start_is_over_when_the_program_serves_and_fails_with_it(web: Unit) -> None:
    web.adopted()
    web.publish("2", "slow")
    web.systemctl("restart", "web")
    assert web.version() == "2", "systemctl waited for it"
    web.publish("3", "exit")
    assert web.systemctl("restart", "web", check=False).returncode != 0
    assert web.show("ActiveState", "Result", "ExecMainStatus") == ["failed", "exit-code", "3"]
    assert not web.processes()


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("exit", "ended with status 3 before it was ready"),
        ("never", "not ready"),
        ("settle", "ended with status 4"),
    ],
)
def test_a_reload_with_a_failing_new_copy_fails_and_the_old_one_serves(
    web: Unit, behaviour: str, told: str
) -> None:
    web.adopted("TimeoutStartSec=3")
    before, pid = web.get(), web.pid
    with Load(f"http://{web.address}/", rate=100) as load:
        web.publish("2", behaviour)
        done = web.systemctl("reload", "web", check=False)
        assert done.returncode != 0
        web.alone()
    assert load.report.failed == 0, load.report
    assert web.get() == before
    assert web.show("ActiveState", "SubState", "Result") == ["active", "running", "success"]
    assert told in web.host.journal("web")
    web.publish("3")
    web.systemctl("reload", "web")
    assert (web.version(), web.pid) == ("3", pid)


def test_a_reload_with_a_broken_run_file_fails_and_nothing_changes(web: Unit) -> None:
    web.install()
    text = f"command: {START}\nlisten: {web.address}\nready: {{notify: true}}\nname: web\n"
    web.host.put_file("/srv/web/run.yaml", text)
    web.supervised("-c /srv/web/run.yaml")
    before = web.get()
    web.host.put_file("/srv/web/run.yaml", text.replace("ready", "reday"))
    assert web.systemctl("reload", "web", check=False).returncode != 0
    assert "unknown key 'reday'" in web.host.journal("web")
    assert web.get() == before


def test_a_reload_while_the_old_copy_drains_is_run(web: Unit) -> None:
    web.adopted()
    slow = web.later("/slow?6")
    for version in ("2", "3"):
        web.publish(version)
        web.systemctl("reload", "web")
        assert web.version() == version
    assert len(web.copies()) == 2, "the first one drains"
    assert slow()["version"] == "1"
    web.alone()


def test_the_old_copy_dies_in_a_reload_and_the_unit_goes_on(web: Unit) -> None:
    web.adopted()
    pid = web.pid
    with Load(f"http://{web.address}/", rate=20) as load:
        web.publish("2", "slow")
        reload = web.reloading()
        until(lambda: len(web.copies()) == 2, "the new copy")
        web.host.run(["kill", "-KILL", str(web.get()["pid"])])
        assert reload() == 0
        assert web.version() == "2"
    assert not refused(load.report), load.report
    assert web.show("MainPID", "ActiveState", "NRestarts") == [pid, "active", "0"]


def test_a_flip_asked_for_by_hand_finds_units_by_name(web: Unit) -> None:
    web.adopted()
    web.publish("2")
    done = web.gapless("flip", "web")
    assert (done.returncode, web.version()) == (0, "2")
    shown = json.loads(web.gapless("run", "status", "web", "--json").stdout)
    assert shown["pid"] == int(web.pid)
    assert shlex.join(shown["command"]) == START


# What a stop waits for


def test_a_stop_waits_for_both_copies(web: Unit) -> None:
    web.adopted()
    first = web.later("/slow?6")
    web.publish("2")
    web.systemctl("reload", "web")
    second = web.later("/slow?6")
    web.systemctl("stop", "web")
    assert [first()["version"], second()["version"]] == ["1", "2"]
    assert web.show("ActiveState", "Result") == ["inactive", "success"]
    assert not web.processes()


def test_a_stop_ends_a_reload_that_is_under_way(web: Unit) -> None:
    web.adopted()
    slow = web.later("/slow?4")
    web.publish("2", "never")
    reload = web.reloading()
    until(lambda: len(web.copies()) == 2, "the new copy")
    web.systemctl("stop", "web")
    assert reload() != 0
    assert slow()["version"] == "1"
    assert web.show("ActiveState", "Result") == ["inactive", "success"]
    assert not web.processes()


@pytest.mark.alone
def test_what_does_not_hear_a_stop_is_killed_at_its_limit(web: Unit) -> None:
    """And all that it started; by gapless, which knows the limit of each copy."""
    web.install("TimeoutStopSec=2", start=f"{START} --child")
    web.publish("1", "deaf")
    web.adopt("--listen", web.address)
    assert web.show("KillMode", "KillSignal") == ["mixed", "15"]
    begun = time.monotonic()
    web.systemctl("stop", "web")
    assert time.monotonic() - begun < 8
    assert not web.processes()
    assert "SIGKILL" not in web.host.journal("web").rpartition("Stopping")[2], "by systemd"


def test_a_program_that_dies_of_term_stops_without_a_failure(web: Unit) -> None:
    web.install()
    web.publish("1", "no-term")
    web.adopt("--listen", web.address)
    web.systemctl("stop", "web")
    assert web.show("ActiveState", "Result") == ["inactive", "success"]


def test_a_program_that_crashes_fails_the_unit_with_its_status(web: Unit) -> None:
    web.adopted()
    with pytest.raises((http.client.HTTPException, OSError)):
        web.get("/crash?7")
    until(lambda: web.show("ActiveState")[0] == "failed", "the failure")
    assert web.show("Result", "ExecMainStatus", "ExecMainCode") == ["exit-code", "7", "1"]
    assert not web.processes()


# What a kill of the supervisor costs, and what an upgrade does


def kill_supervisor(web: Unit) -> None:
    """And wait until systemd has started it again, and it serves."""
    restarts, pid, old = web.show("NRestarts")[0], web.pid, web.get()["pid"]
    web.host.run(["kill", "-KILL", pid])
    again = [str(int(restarts) + 1), "active"]
    until(lambda: web.show("NRestarts", "ActiveState") == again, "the restart")
    until(lambda: web.get()["pid"] != old, "an answer of the new copy")
    assert web.pid != pid


def test_a_killed_supervisor_comes_back_and_no_connect_is_refused(web: Unit) -> None:
    web.adopted("Restart=always", "RestartSec=500ms", start=f"{START} --child")
    with Load(f"http://{web.address}/", rate=100) as load:
        kill_supervisor(web)
        kill_supervisor(web)
    assert not refused(load.report), load.report
    assert len(web.copies()) == 1
    assert len(web.processes()) == 4, "supervisor, its guard, the copy and its child"
    assert web.show("NFileDescriptorStore") == ["1"]


def test_a_killed_supervisor_keeps_its_socket_in_a_runtime_directory(web: Unit) -> None:
    web.install("Restart=always", "RestartSec=100ms", "RuntimeDirectory=web")
    web.adopt("--listen", web.address, "--listen", "unix:///run/web/web.sock")
    ask = ["curl", "-sS", "--unix-socket", "/run/web/web.sock", "http://web/"]
    kill_supervisor(web)
    assert web.host.run(["stat", "-c", "%F", "/run/web/web.sock"]).stdout == "socket\n"
    assert json.loads(web.host.run(ask).stdout)["version"] == "1"
    web.systemctl("stop", "web")
    assert web.host.run(["ls", "/run/web"], check=False).returncode != 0


def test_a_path_that_went_away_with_the_supervisor_is_opened_anew(web: Unit) -> None:
    """systemd keeps the socket, but nobody can connect to it any more."""
    web.install()
    web.supervised(
        f"--name web --listen unix:///srv/web/web.sock --listen {web.address} --ready notify"
        f" --settle 100ms -- {START}",
        "FileDescriptorStoreMax=8", "Restart=always", "RestartSec=3",
    )  # fmt: skip
    web.host.run(["kill", "-KILL", web.pid])
    until(lambda: web.show("SubState") == ["auto-restart"], "the end")
    web.host.run(["rm", "/srv/web/web.sock"])
    until(lambda: web.show("NRestarts", "SubState") == ["1", "running"], "the restart")
    ask = ["curl", "-sS", "--unix-socket", "/srv/web/web.sock", "http://web/"]
    assert json.loads(web.host.run(ask).stdout)["version"] == "1"
    assert web.show("NFileDescriptorStore") == ["2"]


def test_an_upgrade_of_gapless_keeps_the_main_process_and_what_systemd_keeps(web: Unit) -> None:
    web.adopted("Restart=always", "RestartSec=100ms")
    kill_supervisor(web)  # what it has now was given back by systemd
    pid = web.pid
    with Load(f"http://{web.address}/", rate=100) as load:
        for version in ("2", "3"):
            web.upgrade()
            web.publish(version)
            web.systemctl("reload", "web")
            assert web.version() == version, web.gapless("run", "status", "web", "--json").stdout
            assert "--state" in web.command_line(), "it runs the new code"
            web.systemctl("daemon-reexec")
        web.alone()
    assert load.report.failed == 0, load.report
    assert web.show("MainPID", "NFileDescriptorStore", "NRestarts") == [pid, "1", "1"]
    with Load(f"http://{web.address}/", rate=100) as load:
        kill_supervisor(web)
    assert not refused(load.report), load.report
    web.systemctl("stop", "web")
    assert web.show("Result") == ["success"]


def test_a_socket_that_is_not_wanted_any_more_is_really_closed(web: Unit) -> None:
    """Though systemd keeps listeners: at a flip, and at a restart with other sockets."""
    web.install()
    other, run = PORT + 1, "/srv/web/run.yaml"
    text = f"command: {START}\nready: {{notify: true}}\nname: web\n"
    both = f"listen: [{web.address}, {web.host.address}:{other}]\n"
    web.host.put_file(run, text + both)
    web.supervised(f"-c {run}", "FileDescriptorStoreMax=8")
    assert web.connects(other)
    web.host.put_file(run, text + f"listen: {web.address}\n")
    web.systemctl("reload", "web")
    web.alone()  # the old copy has it as long as it lives
    assert not web.connects(other)
    assert web.connects()
    web.host.put_file(run, text + f"listen: {web.host.address}:{other}\n")
    web.systemctl("restart", "web")
    assert web.connects(other)
    assert not web.connects()


# What the program tells systemd


@pytest.mark.alone
def test_the_watchdog_hears_of_the_active_copy(web: Unit) -> None:
    web.adopted("WatchdogSec=2", "Restart=on-watchdog", "RestartSec=100ms")
    web.publish("2")
    web.systemctl("reload", "web")
    time.sleep(4)  # twice the limit: the new copy's own pings keep the unit alive
    assert web.show("NRestarts", "ActiveState") == ["0", "active"]
    hung = web.get("/hang")["pid"]
    until(lambda: web.show("NRestarts", "ActiveState") == ["1", "active"], "the restart")
    assert web.get()["pid"] != hung
    assert "Watchdog timeout" in web.host.journal("web")


def test_systemds_limits_are_extended_to_ours(web: Unit) -> None:
    """A first start that asks for more time; a reload and a stop that take longer than systemd
    gives them by itself."""
    web.install()
    web.publish("2", "slow")
    words = f"--listen {web.address} --ready notify --settle 100ms -- {START}"
    web.supervised(words, "TimeoutStartSec=3", "TimeoutStopSec=2")
    assert web.version() == "2"
    web.publish("3", "late")
    web.systemctl("reload", "web")
    assert web.version() == "3"
    slow = web.later("/slow?6")
    web.systemctl("stop", "web")
    assert slow()["version"] == "3"
    assert web.show("Result") == ["success"]


def test_a_slow_start_extends_the_limit_of_the_copy(web: Unit) -> None:
    web.adopted("TimeoutStartSec=3")
    web.publish("2", "slow")
    web.systemctl("reload", "web")
    assert web.version() == "2"


def test_a_slow_end_extends_the_limit_of_the_copy(web: Unit) -> None:
    """In a flip, and when everything is stopped."""
    web.install("TimeoutStopSec=2")
    web.publish("1", "long")
    web.adopt("--listen", web.address)
    web.systemctl("reload", "web")
    web.alone()
    web.systemctl("stop", "web")
    assert web.show("Result", "ExecMainStatus") == ["success", "0"]
    assert "generation 1 was killed" not in web.host.journal("web")
