"""Units of a real systemd (252) under ``gapless run``: what a reload promises, what a stop waits
for, what a kill of the supervisor costs, and that adoption changes nothing else."""

from __future__ import annotations

import http.client
import json
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import LabHost
from tests.lab.load import Load
from tests.rollouts.units.package import COMMAND, install_gapless

PROGRAM = Path(__file__).parent / "units" / "web.py"
PORT = 8080
LIMIT = 30.0
DROP_IN = "/etc/systemd/system/web.service.d/zz-gapless.conf"


def until(true: Callable[[], Any], what: str, limit: float = LIMIT) -> Any:
    """Wait for something to be the case; its value."""
    end = time.monotonic() + limit
    while not (value := true()):
        assert time.monotonic() < end, f"not within {limit:g} s: {what}"
        time.sleep(0.02)
    return value


@dataclass
class Unit:
    """web.service on a host."""

    host: LabHost

    @property
    def address(self) -> str:
        return f"{self.host.address}:{PORT}"

    def install(self, *lines: str, start: str = "/usr/bin/python3 /srv/web/web.py") -> None:
        """As it was before anybody knew of gapless; it is running then."""
        self.host.put_file("/srv/web/web.py", PROGRAM.read_bytes(), mode="755")
        self.publish("1")
        text = ["[Unit]", "Description=web", "[Service]", "Type=notify", f"ExecStart={start}",
                f"Environment=ADDRESS={self.address}", "TimeoutStopSec=20", *lines]  # fmt: skip
        self.host.install_unit("web.service", "\n".join(text) + "\n", start=True)
        self.version()

    def adopt(self, *words: str) -> None:
        """Put it under gapless, and restart it for that."""
        self.gapless("run", "adopt", "web", "--settle", "300ms", "--write", *words)
        self.systemctl("restart", "web")

    def adopted(self, *lines: str, **more: str) -> None:
        """Both, with a socket."""
        self.install(*lines, **more)
        self.adopt("--listen", self.address)

    def publish(self, version: str, behaviour: str = "") -> None:
        """What the next copy is."""
        text = f"VERSION={version}\nBEHAVIOUR={behaviour}\n"
        self.host.put_file("/srv/web/release", text)

    def gapless(self, *words: str, user: str = "root", check: bool = True) -> Any:
        return self.host.run([COMMAND, *words], user=user, check=check, timeout=60)

    def systemctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.host.run(["systemctl", *words], check=check, timeout=120)

    def show(self, *properties: str) -> list[str]:
        """Values of properties."""
        shown = self.host.show("web", *properties)
        return [shown[name] for name in properties]

    @property
    def pid(self) -> str:
        return self.show("MainPID")[0]

    def get(self, path: str = "/", limit: float = LIMIT) -> dict[str, Any]:
        """Over a new connection."""
        link = http.client.HTTPConnection(self.host.address, PORT, timeout=limit)
        try:
            link.request("GET", path)
            answer: dict[str, Any] = json.loads(link.getresponse().read())
            return answer
        finally:
            link.close()

    def version(self) -> str:
        """Of the copy that answers."""
        return str(self.get()["version"])

    def later(self, path: str) -> Callable[[], dict[str, Any]]:
        """Ask now, in a thread; called, it gives the answer."""
        heard: list[dict[str, Any]] = []
        asking = threading.Thread(target=lambda: heard.append(self.get(path)))
        asking.start()

        def answer() -> dict[str, Any]:
            asking.join(LIMIT)
            assert heard, f"{path} was not answered"
            return heard[0]

        return answer

    def processes(self) -> list[str]:
        """Names of all in its cgroup."""
        told = self.host.run(["ps", "-e", "-o", "unit:40=,comm="]).stdout.splitlines()
        return [line.split()[1] for line in told if line.startswith("web.service ")]

    def copies(self) -> list[str]:
        """Pids of the program."""
        words = ["pgrep", "-f", "^/usr/bin/python3 /srv/web/web.py"]
        return self.host.run(words, check=False).stdout.split()


@pytest.fixture
def web(host: LabHost) -> Unit:
    """A host with gapless on it."""
    install_gapless(host)
    return Unit(host)


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
        until(lambda: len(web.copies()) == 1, "the old copy's end")
    assert load.report.failed == 0, load.report
    assert load.report.versions.keys() == {"1", "2"}
    assert web.show("MainPID", "ActiveState") == [before, "active"]
    told = web.systemctl("status", "web").stdout
    assert "version 2 is at your service" in told.partition("Status:")[2].partition("\n")[0]

    refused = web.gapless("run", "adopt", "web", check=False)
    assert (refused.returncode, "adopted already" in refused.stderr) == (3, True)
    web.gapless("run", "adopt", "--undo", "web")
    web.systemctl("restart", "web")
    assert web.version() == "2"
    assert web.show("Type", "DropInPaths", "KillMode") == ["notify", "", "control-group"]
    assert web.processes() == ["python3"]


def test_a_reload_with_a_failing_new_copy_fails_and_the_old_one_serves(web: Unit) -> None:
    web.adopted()
    before = web.get()
    with Load(f"http://{web.address}/", rate=100) as load:
        web.publish("2", "exit")
        done = web.systemctl("reload", "web", check=False)
    assert done.returncode != 0
    assert load.report.failed == 0, load.report
    assert web.get() == before
    assert web.show("ActiveState", "SubState", "Result") == ["active", "running", "success"]
    assert "ended with status 3 before it was ready" in web.host.journal("web")
    assert "this release cannot start" in web.host.journal("web")
    web.publish("3")
    web.systemctl("reload", "web")
    assert web.version() == "3"


def test_a_reload_while_the_old_copy_drains_is_run(web: Unit) -> None:
    web.adopted()
    slow = web.later("/slow?6")
    time.sleep(0.3)  # it has been accepted: nothing tells
    for version in ("2", "3"):
        web.publish(version)
        web.systemctl("reload", "web")
        assert web.version() == version
    assert len(web.copies()) == 2, "the first one drains"
    assert slow()["version"] == "1"
    until(lambda: len(web.copies()) == 1, "the end of the first copy")


def test_a_stop_waits_for_both_copies(web: Unit) -> None:
    web.adopted()
    first = web.later("/slow?6")
    time.sleep(0.3)
    web.publish("2")
    web.systemctl("reload", "web")
    second = web.later("/slow?6")
    time.sleep(0.3)
    web.systemctl("stop", "web")
    assert [first()["version"], second()["version"]] == ["1", "2"]
    assert web.show("ActiveState", "Result") == ["inactive", "success"]
    assert not web.copies()


def test_a_killed_supervisor_comes_back_and_no_connect_is_refused(web: Unit) -> None:
    web.adopted("Restart=always", "RestartSec=500ms",
                start="/usr/bin/python3 /srv/web/web.py --child")  # fmt: skip
    old, supervisor = web.get()["pid"], web.pid
    with Load(f"http://{web.address}/", rate=100) as load:
        web.host.run(["kill", "-KILL", supervisor])
        until(lambda: web.show("NRestarts", "ActiveState") == ["1", "active"], "the restart")
        until(lambda: web.get()["pid"] != old, "an answer of the new copy")
    refused = [one.error for one in load.report.errors if "refused" in one.error.lower()]
    assert not refused, load.report
    assert len(web.copies()) == 1
    assert len(web.processes()) == 4, "supervisor, its guard, the copy and its child"
    assert web.pid != supervisor


def test_a_program_that_crashes_fails_the_unit_with_its_status(web: Unit) -> None:
    web.adopted()
    with pytest.raises((http.client.HTTPException, OSError)):
        web.get("/crash?7")
    until(lambda: web.show("ActiveState")[0] == "failed", "the failure")
    assert web.show("Result", "ExecMainStatus", "ExecMainCode") == ["exit-code", "7", "1"]
    assert not web.copies()


def test_a_program_that_dies_of_term_stops_without_a_failure(web: Unit) -> None:
    web.install()
    web.publish("1", "no-term")
    web.adopt("--listen", web.address)
    web.systemctl("stop", "web")
    assert web.show("ActiveState", "Result") == ["inactive", "success"]


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


def supervised(web: Unit, words: str, *lines: str) -> None:
    """Under gapless by a drop-in of one's own."""
    web.host.put_file(
        "/etc/systemd/system/web.service.d/run.conf",
        "\n".join(["[Service]", "NotifyAccess=main", "KillMode=mixed", "ExecStart=",
                   f"ExecStart={COMMAND} run {words}",
                   f"ExecReload={COMMAND} flip --pid $MAINPID", *lines, ""]),
    )  # fmt: skip
    web.systemctl("daemon-reload")
    web.systemctl("restart", "web")


def test_systemds_limits_are_extended_to_ours(web: Unit) -> None:
    """A first start that asks for more time; a reload and a stop that take longer than systemd
    gives them by itself."""
    web.install()
    web.publish("2", "slow")
    words = f"--listen {web.address} --ready notify --settle 100ms"
    words += " -- /usr/bin/python3 /srv/web/web.py"
    supervised(web, words, "TimeoutStartSec=3", "TimeoutStopSec=2")
    assert web.version() == "2"
    web.publish("3", "late")
    web.systemctl("reload", "web")
    assert web.version() == "3"
    slow = web.later("/slow?6")
    time.sleep(0.3)
    web.systemctl("stop", "web")
    assert slow()["version"] == "3"
    assert web.show("Result") == ["success"]


def test_a_socket_that_is_not_wanted_any_more_is_really_closed(web: Unit) -> None:
    """Though systemd keeps listeners: at a flip, and at a restart with other sockets."""
    web.install()
    other, run = PORT + 1, "/srv/web/run.yaml"
    text = "command: /usr/bin/python3 /srv/web/web.py\nready: {notify: true}\nname: web\n"
    both = f"listen: [{web.address}, {web.host.address}:{other}]\n"
    web.host.put_file(run, text + both)
    supervised(web, f"-c {run}", "FileDescriptorStoreMax=8")
    assert connects(web, other)
    web.host.put_file(run, text + f"listen: {web.address}\n")
    web.systemctl("reload", "web")
    assert not connects(web, other)
    assert connects(web, PORT)
    web.host.put_file(run, text + f"listen: {web.host.address}:{other}\n")
    web.systemctl("restart", "web")
    assert connects(web, other)
    assert not connects(web, PORT)


def connects(web: Unit, port: int) -> bool:
    """Whether anybody listens."""
    try:
        socket.create_connection((web.host.address, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_slow_start_extends_the_limit_of_the_copy(web: Unit) -> None:
    web.adopted("TimeoutStartSec=3")
    web.publish("2", "slow")
    web.systemctl("reload", "web")
    assert web.version() == "2"


@pytest.mark.parametrize(
    "lines",
    [
        ("User=plain",),
        ("User=plain", "RuntimeDirectory=web other", "ProtectSystem=strict"),
        ("DynamicUser=yes",),
        ("ProtectSystem=strict", "PrivateTmp=yes", "ProtectHome=yes", "NoNewPrivileges=yes"),
    ],
)
def test_a_reload_reaches_the_supervisor_of_any_user(web: Unit, lines: tuple[str, ...]) -> None:
    web.install(*lines)
    before = web.get("/facts")["environment"]
    web.adopt("--listen", web.address)
    pid = web.pid
    web.publish("2")
    web.systemctl("reload", "web")
    facts = web.get("/facts")
    assert (facts["version"], web.pid) == ("2", pid)
    assert same(facts["environment"]) == same(before)
    assert "web" in web.gapless("run", "status").stdout
    web.gapless("flip", "web")
    web.systemctl("stop", "web")
    assert web.show("Result") == ["success"]


def same(environment: dict[str, str]) -> dict[str, str]:
    """Without what differs from start to start, or is ours to set."""
    changing = ("GAPLESS_", "LISTEN_", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM",
                "SYSTEMD_EXEC_PID")  # fmt: skip
    return {k: v for k, v in environment.items() if not k.startswith(changing)}


def test_words_specifiers_and_variables_reach_the_program_as_before(web: Unit) -> None:
    words = (
        r'''%n %%n "two words" 'it''s' $MANY ${MANY} "$MANY" $$HOME \x41 a\\b "%N \"q\"" '''
        "--name $NONE -- --undo"
    )
    web.install(
        'Environment="MANY=one  two" PERCENT=%%',
        start=f"/usr/bin/python3 /srv/web/web.py {words} \\\n  # a comment\n  continued",
    )
    before = web.get("/facts")["argv"]
    assert before[1:4] == ["web.service", "%n", "two words"]
    web.adopt("--listen", web.address)
    facts = web.get("/facts")
    assert facts["argv"] == before
    assert facts["environment"]["PERCENT"] == "%"
    web.systemctl("reload", "web")
    assert web.get("/facts")["argv"] == before


def test_a_socket_unit_is_taken_over(web: Unit) -> None:
    web.install()
    web.systemctl("stop", "web")
    text = f"[Socket]\nListenStream={web.address}\n[Install]\nWantedBy=sockets.target\n"
    web.host.install_unit("web.socket", text)
    web.systemctl("start", "web.socket")
    names = web.get("/facts")["environment"]["LISTEN_FDNAMES"]
    with Load(f"http://{web.address}/", rate=50) as load:
        web.adopt()
        web.publish("2")
        web.systemctl("reload", "web")
        web.systemctl("restart", "web")
    assert load.report.failed == 0, load.report
    facts = web.get("/facts")
    assert facts["version"] == "2"
    assert facts["environment"]["LISTEN_FDNAMES"] == names
    assert web.show("TriggeredBy") == ["web.socket"]


def test_a_flip_asked_for_by_hand_finds_units_by_name(web: Unit) -> None:
    web.adopted()
    web.publish("2")
    done = web.gapless("flip", "web")
    assert (done.returncode, web.version()) == (0, "2")
    shown = json.loads(web.gapless("run", "status", "web", "--json").stdout)
    assert shown["pid"] == int(web.pid)
    assert shlex.join(shown["command"]) == "/usr/bin/python3 /srv/web/web.py"
