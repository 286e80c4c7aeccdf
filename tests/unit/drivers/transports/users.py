"""Users that exist while a test runs: with and without sudo."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
SUDOER, PLAIN = f"gapless-sudoer{_WORKER}", f"gapless-plain{_WORKER}"


@contextmanager
def temporary_users() -> Iterator[None]:
    """Both users; gone afterwards with all that runs in their name."""
    rule = Path(f"/etc/sudoers.d/{SUDOER}")
    try:
        for user in (SUDOER, PLAIN):
            _run("userdel", "--force", "--remove", user)
            _run("useradd", "--create-home", "--shell", "/bin/bash", user, check=True)
            _run("usermod", "--password", "*", user, check=True)
        rule.write_text(f"{SUDOER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
        rule.chmod(0o440)
        yield
    finally:
        rule.unlink(missing_ok=True)
        for user in (SUDOER, PLAIN):
            _run("userdel", "--force", "--remove", user)


def _run(*argv: str, check: bool = False) -> None:
    subprocess.run(argv, check=check, capture_output=True)
