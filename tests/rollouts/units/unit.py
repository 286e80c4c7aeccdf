"""web.service on a host: as it was, adopted, reloaded, asked."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import LabHost
from tests.rollouts.units.package import COMMAND, FOLDER

PROGRAM = Path(__file__).with_name("web.py")
START = "/usr/bin/python3 /srv/web/web.py"
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

    def install(self, *lines: str, start: str = START) -> None:
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

    def supervised(self, words: str, *lines: str) -> None:
        """Under gapless by a drop-in of one's own."""
        self.host.put_file(
            "/etc/systemd/system/web.service.d/run.conf",
            "\n".join(["[Service]", "NotifyAccess=main", "KillMode=mixed", "ExecStart=",
                       f"ExecStart={COMMAND} run {words}",
                       f"ExecReload={COMMAND} flip --pid $MAINPID", *lines, ""]),
        )  # fmt: skip
        self.systemctl("daemon-reload")
        self.systemctl("restart", "web")

    def publish(self, version: str, behaviour: str = "") -> None:
        """What the next copy is."""
        text = f"VERSION={version}\nBEHAVIOUR={behaviour}\n"
        self.host.put_file("/srv/web/release", text)

    def gapless(
        self, *words: str, user: str = "root", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.host.run([COMMAND, *words], user=user, check=check, timeout=60)

    def systemctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.host.run(["systemctl", *words], check=check, timeout=120)

    def show(self, *properties: str) -> list[str]:
        """Values of properties."""
        shown = self.host.show("web", *properties)
        return [shown.get(name, "") for name in properties]

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
        """Ask now, in a thread; called, it gives the answer. The copy is at it already."""
        heard: list[dict[str, Any]] = []
        asking = threading.Thread(target=lambda: heard.append(self.get(path)))
        asking.start()
        until(lambda: self.get("/busy")["busy"], f"{path} is begun")

        def answer() -> dict[str, Any]:
            asking.join(LIMIT)
            assert heard, f"{path} was not answered"
            return heard[0]

        return answer

    def reloading(self) -> Callable[[], int]:
        """Reload now, in a thread; called, it gives the exit code."""
        ended: list[int] = []
        command = threading.Thread(
            target=lambda: ended.append(self.systemctl("reload", "web", check=False).returncode)
        )
        command.start()

        def code() -> int:
            command.join(LIMIT)
            assert ended, "the reload has not ended"
            return ended[0]

        return code

    def connects(self, port: int = PORT) -> bool:
        """Whether anybody listens."""
        try:
            socket.create_connection((self.host.address, port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    def processes(self) -> list[str]:
        """Names of all in its cgroup."""
        told = self.host.run(["ps", "-e", "-o", "unit:40=,comm="]).stdout.splitlines()
        return [line.split()[1] for line in told if line.startswith("web.service ")]

    def copies(self) -> list[str]:
        """Pids of the program."""
        return self.host.run(["pgrep", "-f", f"^{START}"], check=False).stdout.split()

    def alone(self) -> None:
        """Wait until the old copies have ended."""
        until(lambda: len(self.copies()) == 1, "the old copy's end")

    def upgrade(self) -> None:
        """Another version of gapless is installed."""
        file = f"{FOLDER}/lib/python3*/site-packages/gapless/supervisor/loop.py"
        self.host.run(["sh", "-c", f"for one in {file}; do echo '# newer' >> $one; done"])

    def command_line(self) -> list[str]:
        """Of the main process."""
        text = self.host.run(["cat", f"/proc/{self.pid}/cmdline"]).stdout
        return text.rstrip("\0").split("\0")
