"""Words for what cannot be known of supervised processes: they are not ours to ask, or hang."""

from __future__ import annotations

import pwd
import shlex
from os import environ
from pathlib import Path

from gapless.cli.again import again
from gapless.cli.exit_codes import ExitCode
from gapless.errors import Refused
from gapless.supervisor import rundir


class Unknown(Refused):
    """Somebody may be supervised there: not the same as nobody, which is told with 3."""

    exit_code = ExitCode.MIXED


def unknown(error: OSError) -> Unknown:
    """Why it cannot be told who is supervised."""
    path = str(error.filename)
    if isinstance(error, NotADirectoryError):
        return Unknown(f"{path} is not a folder", next="choose one with GAPLESS_RUN_DIR")
    if isinstance(error, PermissionError):
        what = f"{path} belongs to {_who_owns(path)}: ask as root"
        return Unknown(what, evidence=str(error.strerror), next=_as_root())
    if isinstance(error, BlockingIOError):
        name = Path(path).name
        return Unknown(f"{name} does not answer within {rundir.PATIENCE} s", next=f"ls -l {path}")
    return Unknown(f"{path} cannot be read", evidence=str(error.strerror))


def _who_owns(path: str) -> str:
    try:
        number = Path(path).stat().st_uid
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
    except OSError:
        return "another user"


def _as_root() -> str:
    theirs = rundir.base() != rundir.ROOTS
    where = f"GAPLESS_RUN_DIR={shlex.quote(rundir.base())} " if theirs else ""
    return f"sudo {where}{again()}"


def elsewhere(name: str) -> str:
    """What may help when nobody is here: root's are elsewhere."""
    if "GAPLESS_RUN_DIR" in environ or rundir.base() == rundir.ROOTS:
        return ""
    try:
        Path(rundir.ROOTS, name).stat()
    except PermissionError:
        pass  # it may be there
    except OSError:
        return ""
    return f"sudo {again()}"


def hangs(wanted: str | int, pid: int) -> Unknown:
    """Of one that does not answer."""
    name = wanted if isinstance(wanted, str) else "the supervisor"
    stopped = _state(pid) in ("T", "t")
    return Unknown(
        f"{name} does not answer within {rundir.PATIENCE} s (pid {pid})",
        evidence="it is stopped (SIGSTOP)" if stopped else "",
        next=f"kill -CONT {pid}" if stopped else f"ps -o pid,stat,wchan:20,args -p {pid}",
    )


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
