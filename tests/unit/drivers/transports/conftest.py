from __future__ import annotations

import os
import shutil
import tempfile
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
def sshd() -> Iterator[Sshd]:
    if os.geteuid() != 0 or not program():
        pytest.skip("needs root and OpenSSH's sshd")
    # Not in pytest's own folder: other users' sessions read keys in there.
    folder = Path(tempfile.mkdtemp(prefix="gapless-sshd-"))
    try:
        with Sshd(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder)
