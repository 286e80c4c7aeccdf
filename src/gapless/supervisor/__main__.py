"""The resident process: ``--spec FD`` begins, ``--state FD`` goes on where another process was,
``--check FD`` only says whether it could."""

from __future__ import annotations

import os
import signal
import sys
import types

signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

# The package's own front door is for those who call it from Python, and would load what they need.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.modules["gapless"] = types.ModuleType("gapless")
sys.modules["gapless"].__path__ = [_PACKAGE]

from gapless.supervisor import launching, linux, upgrade  # noqa: E402
from gapless.supervisor.spec import Spec  # noqa: E402
from gapless.supervisor.supervisor import Supervisor, understands  # noqa: E402

_TAKEN = 6
"""Exit code when another one of this name runs."""


def main() -> int:
    """The exit code is that of the program."""
    how, fd = sys.argv[1], int(sys.argv[2])
    if how == "--check":
        understands(upgrade.read(fd))
        return 0
    os.set_inheritable(fd, False)
    launching.forget_coercion()
    linux.adopt_orphans()
    if how == "--state":
        state = upgrade.read(fd)
        os.close(fd)
        return Supervisor(Spec.from_json(state["spec"])).run(state)
    spec = Spec.from_json(os.pread(fd, os.fstat(fd).st_size, 0).decode())
    os.close(fd)
    try:
        return Supervisor(spec).run()
    except BlockingIOError:
        return _refused(f"{spec.name} is supervised already; see: gapless run status {spec.name}")
    except PermissionError as error:
        return _refused(f"{error.filename} {error.strerror}")


def _refused(what: str) -> int:
    os.write(2, f"✗  {what}\n".encode())
    return _TAKEN


if __name__ == "__main__":
    sys.exit(main())
