from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .sshd import Sshd, program
from .users import temporary_users


@pytest.fixture(scope="session")
def users() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("needs root: users are created")
    if shutil.which("sudo") is None:
        pytest.skip("needs sudo")
    with temporary_users():
        yield


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if os.geteuid() != 0 or not program():
        pytest.skip("needs root and OpenSSH's sshd")
    folder = tmp_path_factory.mktemp("sshd")
    for parent in (folder, *folder.parents):
        if parent != Path("/") and parent.owner() == "root":
            parent.chmod(parent.stat().st_mode | 0o011)  # other users read keys in there
    with Sshd(folder) as running:
        yield running
