"""What preflight wants to know of the host, in one answer."""

from __future__ import annotations

import os
import sys
import threading
import time

from gapless.hostside import files, identity, tree
from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.launch import run_brief
from gapless.hostside.store import open_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def facts(call: Call) -> dict[str, Any]:
    """The verb."""
    problems: list[str] = []
    place = _check_state(problems)
    free = {path: _free(path, problems) for path in call.args["paths"]}
    return {
        "booted": booted(),
        "user": identity.login_user(),
        "privileged": os.geteuid() == 0,
        "systemd": _systemd(problems),
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "disk_free": {path: size for path, size in free.items() if size is not None},
        "problems": problems,
        "clock": time.time(),
        "place": place,
    }


def booted() -> float:
    """When PID 1 started: the boot of a machine, or the start of a container."""
    init = tree.read_process(1)
    for line in files.read_text("/proc/stat").splitlines():
        if line.startswith("btime ") and init is not None:
            return float(line.split()[1]) + init.started / os.sysconf("SC_CLK_TCK")
    return 0.0


def _systemd(problems: list[str]) -> str:
    if not os.path.isdir("/run/systemd/system"):
        return ""
    try:
        words = run_brief(["systemctl", "--version"]).stdout.decode(errors="replace").split()
    except (OSError, Fault) as error:
        problems.append(f"systemctl does not answer: {error}")
        return ""
    return words[1] if len(words) > 1 else ""


def _check_state(problems: list[str]) -> str:
    """Whether it can be written; where it is."""
    try:
        store = open_store()
        # each call is answered by a thread of its own
        trial = store.path(f"writable.{os.getpid()}.{threading.get_native_id()}")
        files.write_atomically(trial, b"")
        os.unlink(trial)
        return store.place()
    except Fault as fault:
        problems.append(fault.what)
    except OSError as error:
        problems.append(from_os_error(error, "cannot write the host's state").what)
    return ""


def _free(path: str, problems: list[str]) -> int | None:
    # A folder that is still to be made counts as what it will be made in.
    while path != "/" and not os.path.lexists(path):
        path = os.path.dirname(path) or "/"
    try:
        space = os.statvfs(path)
    except OSError as error:
        problems.append(from_os_error(error, "cannot ask for free space").what)
        return None
    return space.f_bavail * space.f_frsize
