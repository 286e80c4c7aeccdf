"""The transport suite on the real transports."""

from __future__ import annotations

import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.local import LocalTransport
from gapless.drivers.transports.ssh import SshTransport
from gapless.testing.transport_suite import TransportSuite

from .sshd import Sshd
from .users import PLAIN, SUDOER

CAN = frozenset({"shell", "sockets", "push"})


class Rig:
    can = CAN

    def __init__(self, folder: Path) -> None:
        self.state = str(folder / "state")
        self.folder = str(folder / "files")

    def transport(self) -> Transport:
        raise NotImplementedError


class LocalRig(Rig):
    def transport(self) -> Transport:
        return LocalTransport("here", HostConfig(transport="local", state_dir=self.state))


class SshRig(Rig):
    def __init__(self, folder: Path, sshd: Sshd, user: str, sudo: bool) -> None:
        super().__init__(folder)
        self.config = sshd.host(user, sudo=sudo, state_dir=self.state)

    def transport(self) -> Transport:
        return SshTransport("there", self.config, connections=Held(30))


@contextmanager
def place(owner: str = "") -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gapless-suite-"))
    try:
        (folder / "files").mkdir()
        if owner:
            entry = pwd.getpwnam(owner)
            for path in (folder, folder / "files"):
                shutil.chown(path, entry.pw_uid, entry.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder)


class TestLocal(TransportSuite):
    @contextmanager
    def rig(self) -> Iterator[Rig]:
        with place() as folder:
            yield LocalRig(folder)


class OverSsh(TransportSuite):
    user = "root"
    sudo = True

    @pytest.fixture(autouse=True)
    def _sshd(self, sshd: Sshd) -> None:
        self.sshd = sshd

    @contextmanager
    def rig(self) -> Iterator[Rig]:
        with place(self.user) as folder:
            yield SshRig(folder, self.sshd, self.user, self.sudo)


class TestSshAsRoot(OverSsh):
    pass


@pytest.mark.usefixtures("users")
class TestSshWithSudo(OverSsh):
    user = SUDOER


@pytest.mark.usefixtures("users")
class TestSshAsPlainUser(OverSsh):
    user = PLAIN
    sudo = False
