"""The main process of a critical action: runs its commands in order and writes the outcome.

It has its own copy of everything it needs; connection, helper and controller may die.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time

from gapless.hostside import files, tree
from gapless.hostside.children import CHILDREN
from gapless.hostside.payload import SETTINGS
from gapless.hostside.processes import Execution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_BRIEF = 2000


def main() -> None:
    """As an interpreter of its own, in a transient unit."""
    work(sys.stdin.buffer, SETTINGS["spec_path"])


def work(stream: BinaryIO, spec_path: str) -> None:
    """Read what to do, do it, leave the outcome."""
    spec = json.loads(stream.read(int(stream.readline())))
    with contextlib.suppress(OSError):
        os.unlink(spec_path)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tree.become_subreaper()
    os.environ.clear()
    os.environ.update(spec["environment"])
    completed = run_all(spec["commands"], spec["timeout"])
    if not _succeeded(completed):
        tree.end(_started, CHILDREN.reap_strays)
    leave(spec["outcome"], {"completed": completed, "ended": time.time()})


def run_all(commands: list[dict[str, Any]], timeout: float) -> list[dict[str, Any]]:
    """In order, up to the first failure that matters or the end of the time."""
    until = time.monotonic() + timeout
    completed: list[dict[str, Any]] = []
    for command in commands:
        left = until - time.monotonic()
        if left <= 0:
            completed.append(_not_begun(command, timeout))
            break
        limited = {**command, "timeout": min(command["timeout"], left)}
        completed.append(Execution(limited, threading.Event(), forks=True).run())
        if command["check"] and not _succeeded(completed):
            break
    return completed


def leave(paths: list[str], outcome: dict[str, Any]) -> None:
    """Write it to the first place that takes it, if need be without most of the output."""
    brief = {**outcome, "completed": [_shortened(entry) for entry in outcome["completed"]]}
    for candidate in (outcome, brief):
        for path in paths:
            with contextlib.suppress(OSError):
                files.write_atomically(path, json.dumps(candidate).encode())
                return


def _succeeded(completed: list[dict[str, Any]]) -> bool:
    return bool(completed) and completed[-1]["status"] == 0 and not completed[-1]["timed_out"]


def _started() -> set[int]:
    return tree.descendants({os.getpid()}, tree.snapshot())


def _not_begun(command: dict[str, Any], timeout: float) -> dict[str, Any]:
    return {
        "argv": command["argv"],
        "status": -1,
        "stdout": "",
        "stderr": f"not begun: the action's {timeout:g} s were over",
        "elapsed": 0.0,
        "timed_out": True,
        "dropped": 0,
    }


def _shortened(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "stdout": entry["stdout"][-_BRIEF:], "stderr": entry["stderr"][-_BRIEF:]}
