"""Starting runners of critical actions, and telling whether one is still running."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

from gapless.hostside import identity
from gapless.hostside.action_files import ActionFiles
from gapless.hostside.bundle import RUNNER, interpreter, pack, pack_settings
from gapless.hostside.children import CHILDREN
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.payload import MODULES, SETTINGS
from gapless.hostside.processes import base_environment
from gapless.hostside.store import is_locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BACKSTOP = 15
"""Seconds after which systemd ends a runner that did not end itself."""
_ALIVE = ("active", "activating", "deactivating", "reloading")
_NEEDS = (
    "boot",
    "children",
    "faults",
    "files",
    "identity",
    "output",
    "payload",
    "processes",
    "program",
    "runner",
    "tree",
    "veil",
    "wire",
)


class NotStarted(Fault):
    """The runner certainly does not run and never will."""


def choose() -> str:
    """``unit`` where systemd can run it for us, else ``process``."""
    systemd = os.path.isdir("/run/systemd/system")
    return "unit" if systemd and os.geteuid() == 0 else "process"


def start(action: ActionFiles, how: str, args: dict[str, Any]) -> None:
    """Start the runner; when this returns it no longer needs us."""
    try:
        spec = _spec(action, args)
        path = action.write_spec(_runner(action) + spec if how == "unit" else spec)
    except Fault as fault:
        raise NotStarted(fault.what, evidence=fault.evidence) from fault
    try:
        if how == "unit":
            _start_unit(action, path, args["timeout"])
        else:
            _start_process(action, path)
    except OSError as error:
        why = from_os_error(error, "the action was not started")
        raise NotStarted(why.what, evidence=why.evidence) from error
    finally:
        if how == "process":  # the runner has it open
            with contextlib.suppress(OSError):
                os.unlink(path)


def is_running(action: ActionFiles, how: str) -> bool:
    """Whether the runner of an action is there."""
    if how == "process":
        return is_locked(action.lock_path)
    # A queued job counts: systemd-run does not wait until the unit is active.
    asked = run_brief(["systemctl", "show", "--property=ActiveState,Job", action.unit])
    shown = dict(line.split("=", 1) for line in asked.stdout.decode().splitlines() if "=" in line)
    return shown.get("ActiveState") in _ALIVE or shown.get("Job", "0") not in ("", "0")


def _spec(action: ActionFiles, args: dict[str, Any]) -> bytes:
    # What a runner reads: a length in a line of its own, then what to do.
    body = json.dumps(
        {
            "commands": [_as_login_user(command) for command in args["commands"]],
            "timeout": args["timeout"],
            "outcome": action.outcome_paths(),
            "environment": {**base_environment(), **_asked_by(args["fence"])},
        }
    ).encode()
    return b"%d\n" % len(body) + body


def _asked_by(fence: dict[str, Any] | None) -> dict[str, str]:
    # A program may mark what it makes with the rollout that wanted it.
    return {"GAPLESS_ROLLOUT": fence["rollout"]} if fence else {}


def _runner(action: ActionFiles) -> bytes:
    # A unit starts a fresh interpreter: the runner itself comes before what it is to do.
    names = ["gapless", "gapless.hostside", *("gapless.hostside." + need for need in _NEEDS)]
    settings = pack_settings({"spec_path": action.spec_path()})
    return settings + pack({name: MODULES[name] for name in names}, RUNNER)


def _as_login_user(command: dict[str, Any]) -> dict[str, Any]:
    if os.geteuid() == 0 and not command["privileged"] and not command["user"]:
        return {**command, "user": identity.login_user()}
    return command


def _start_unit(action: ActionFiles, path: str, timeout: float) -> None:
    # KillMode=process: what an action starts (a daemon, say) belongs to it only until it is over;
    # on failure and on timeout the runner itself ends all it started.
    argv = [
        *("systemd-run", "--quiet", "--no-block", "--collect", "--no-ask-password"),
        *("--unit", action.unit, "--description", "gapless critical action"),
        *("-p", f"RuntimeMaxSec={timeout + _BACKSTOP:.0f}", "-p", "KillMode=process"),
        *("-p", f"StandardInput=file:{path}", "-p", "SyslogIdentifier=gapless", "--"),
        *interpreter(sys.executable),
    ]
    done = run_brief(argv)
    if done.returncode != 0 and not is_running(action, "unit"):
        evidence = done.stderr.decode(errors="replace").strip()
        raise NotStarted("systemd did not start the action; nothing was run", evidence=evidence)


def _start_process(action: ActionFiles, path: str) -> None:
    # The runner holds a locked file: the lock lives exactly as long as the runner does.
    SETTINGS["launcher"].start(path, action.lock_path)


def run_brief(argv: list[str]) -> subprocess.CompletedProcess[bytes]:
    """A program of the system whose answer we need at once."""
    process = CHILDREN.spawn(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, err = process.communicate(timeout=10)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise Fault(f"{argv[0]} did not answer within 10 s") from error
    finally:
        CHILDREN.forget(process)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)
