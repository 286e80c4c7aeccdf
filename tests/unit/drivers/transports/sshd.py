"""A real sshd of our own on 127.0.0.1, with its own keys and configuration."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.hostside import tree
from tests.ports import free_port

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
{addresses}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 1000
PerSourcePenalties no
"""


class Sshd:
    """Started in ``__enter__``, ended with all its sessions in ``__exit__``."""

    def __init__(self, folder: Path, addresses: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.addresses = addresses
        self.key = folder / "client_key"
        self.known_hosts = folder / "known_hosts"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sshd:
        Path("/run/sshd").mkdir(exist_ok=True)
        self.folder.chmod(0o755)  # other users' sessions read authorized_keys here
        for name in ("host_key", "client_key", "other_key"):
            make_key(self.folder / name)
        shutil.copy(self.key.with_suffix(".pub"), self.folder / "authorized_keys")
        (self.folder / "authorized_keys").chmod(0o644)
        self.trust(self.folder / "host_key.pub")
        listen = "\n".join(f"ListenAddress {address}" for address in self.addresses)
        text = CONFIG.format(port=self.port, folder=self.folder, addresses=listen)
        if b"PerSourcePenalties" not in Path(program()).read_bytes():
            text = text.replace("PerSourcePenalties no\n", "")
        config = self.folder / "sshd_config"
        config.write_text(text)
        self.start(config)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def start(self, config: Path) -> None:
        argv = [program(), "-D", "-e", "-f", str(config)]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def sessions(self) -> list[int]:
        """Processes of sshd that serve connections: to kill all of them is to cut the cable."""
        assert self._process is not None
        processes = tree.snapshot()
        found = tree.descendants({self._process.pid}, processes)
        return [pid for pid in found if _name(pid).startswith("sshd")]

    def trust(self, public: Path) -> None:
        kind, key, *_ = public.read_text().split()
        places = [f"[{address}]:{self.port}" for address in ("127.0.0.1", *self.addresses)]
        self.known_hosts.write_text(f"{','.join(places)} {kind} {key}\n")

    def host(self, user: str | None = None, **changes: object) -> HostConfig:
        """How to reach it."""
        given = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": user or getpass.getuser(),
            "key": str(self.key),
            "known_hosts": str(self.known_hosts),
        }
        return HostConfig.model_validate({**given, **changes})


def program() -> str:
    return shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or ""


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: users are created")
needs_sshd = pytest.mark.skipif(
    not program() or os.geteuid() != 0, reason="needs root and OpenSSH's sshd"
)


def _name(pid: int) -> str:
    """Of a program; "" where it has just ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
