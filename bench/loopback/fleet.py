"""The fleet: sshd with keys of its own and a service per address, all ended with it.

OpenSSH takes at most 16 addresses, so one idle listener is started per 16; a connection costs the
same. Sessions get an empty home, since a shell's start files can cost more than what is measured.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.ports import free_port

_PER_LISTENER = 16
_PER_NET = 250

_SSHD = """\
Port {port}
{listen}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/client_key.pub
SetEnv HOME={folder}/home
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
MaxStartups 1000
"""

_SERVER = """\
import socket, sys, time
time.sleep(float(sys.argv[3]))
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    asker = listener.accept()[0]
    asker.settimeout(5)
    try:
        asker.recv(65536)
        asker.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nok\\n")
    except OSError:
        pass
    asker.close()
"""

# status prints the process id: it changes when the service is replaced. A process that ended and
# was not waited for yet (first processes of containers are slow at that) has no exe any more.
_CONTROL = """\
#!/bin/sh
# start, stop or status of the service of one address: the second word, or where ssh arrived
[ $# = 2 ] || set -- $1 ${{SSH_CONNECTION#* * }}
pid={folder}/pids/$2
case $1 in
start)
    [ -e $pid ] && read -r p <$pid && [ -e /proc/$p/exe ] && exit 0
    setsid {python} -I -S {folder}/server.py $2 {service_port} {boot} >/dev/null 2>&1 </dev/null &
    echo $! >$pid;;
stop)
    [ -e $pid ] && read -r p <$pid || exit 0
    kill $p 2>/dev/null
    while [ -e /proc/$p/exe ]; do sleep 0.01; done;;
status)
    read -r p <$pid && [ -e /proc/$p/exe ] && echo $p;;
wait)
    until curl -fs -o {null} http://$2:{service_port}/health; do sleep 0.1; done;;
esac
"""


class Fleet:
    """Up between ``__enter__`` and ``__exit__``. ``describe`` is what programs need to know."""

    def __init__(self, folder: Path, hosts: int, *, boot: float = 0.3) -> None:
        self.folder = folder
        self.addresses = [f"127.0.{1 + n // _PER_NET}.{1 + n % _PER_NET}" for n in range(hosts)]
        self.boot = boot
        self.port = free_port(self.addresses[0])
        self.service_port = free_port(self.addresses[0])
        self.control = folder / "control"
        self._listeners: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for name in ("home", "pids", "states"):
            (self.folder / name).mkdir()
        for name in ("host_key", "client_key"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(argv, check=True)
        self._write_files()
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def start_services(self, count: int) -> None:
        """Have the service run on the first ``count`` addresses; those behind them stop."""
        for number, address in enumerate(self.addresses):
            self._tell("start" if number < count else "stop", address)
        for address in self.addresses[:count]:
            self._tell("wait", address)

    def running(self) -> dict[str, str]:
        """Process ids of services by address, to see that all were replaced."""
        files = (self.folder / "pids").iterdir()
        return {file.name: file.read_text().strip() for file in files}

    def cpu(self) -> float:
        """Seconds of processor its sessions have used so far, as far as they have ended."""
        ticks = 0
        for listener in self._listeners:
            fields = Path(f"/proc/{listener.pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(field) for field in fields[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def description(self) -> Path:
        """A JSON file with everything a program needs to know."""
        return self.folder / "fleet.json"

    def _write_files(self) -> None:
        kind, key, *_ = (self.folder / "host_key.pub").read_text().split()
        places = ",".join(f"[{address}]:{self.port}" for address in self.addresses)
        (self.folder / "known_hosts").write_text(f"{places} {kind} {key}\n")
        (self.folder / "server.py").write_text(_SERVER)
        python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
        text = _CONTROL.format(
            folder=self.folder, python=python, service_port=self.service_port, boot=self.boot,
            null=os.devnull,
        )  # fmt: skip
        self.control.write_text(text)
        self.control.chmod(0o755)
        told = {
            "folder": str(self.folder),
            "port": self.port,
            "service_port": self.service_port,
            "user": getpass.getuser(),
            "key": str(self.folder / "client_key"),
            "known_hosts": str(self.folder / "known_hosts"),
            "control": str(self.control),
            "python": python,
            "addresses": self.addresses,
        }
        self.description.write_text(json.dumps(told))

    def _start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        for first in range(0, len(self.addresses), _PER_LISTENER):
            some = self.addresses[first : first + _PER_LISTENER]
            listen = "\n".join(f"ListenAddress {address}" for address in some)
            text = _SSHD.format(port=self.port, folder=self.folder, listen=listen)
            if b"PerSourcePenalties" in Path(sshd()).read_bytes():
                text += "PerSourcePenalties no\n"
            config = self.folder / f"sshd_config.{first}"
            config.write_text(text)
            with (self.folder / "sshd.log").open("ab") as log:
                argv = [sshd(), "-D", "-e", "-f", str(config)]
                self._listeners.append(
                    subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
                )
            self._wait_for(some[-1])

    def _wait_for(self, address: str) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex((address, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("sshd did not start:\n" + (self.folder / "sshd.log").read_text()[-2000:])

    def _tell(self, what: str, address: str) -> None:
        subprocess.run([str(self.control), what, address], check=True, timeout=30)

    def _end(self) -> None:
        for pid in self.running().values():
            with contextlib.suppress(ProcessLookupError, ValueError):
                if b"server.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(int(pid), signal.SIGTERM)
        for listener in self._listeners:
            listener.terminate()
        for listener in self._listeners:
            listener.wait()


def sshd() -> str:
    """The program, or ""."""
    return shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or ""


def missing() -> str:
    """Why no fleet can be had here, or ""."""
    if not sys.platform.startswith("linux"):
        return "needs Linux: only there all of 127.0.0.0/8 answers"
    gone = [name for name in ("ssh-keygen", "curl", "setsid") if not shutil.which(name)]
    gone += [] if sshd() else ["sshd"]
    if gone:
        return f"needs {', '.join(gone)} (Debian: openssh-server curl)"
    if os.geteuid() != 0:
        return "needs root: sshd gives sessions an environment of their own"
    return ""
