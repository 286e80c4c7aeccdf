"""Starts, stops and tells of one process: ``keeper.py FOLDER NAME start|stop|status``.

What a service manager would do. ``FOLDER/NAME.argv`` holds the words of the program as JSON, and
``FOLDER/NAME.pid`` its process while it is to run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PATIENCE = 30.0


def main(folder: Path, name: str, verb: str) -> None:
    """What was asked for; ends the program with a status other than 0 where that does not hold."""
    if verb == "start" and not _runs(folder, name):
        _start(folder, name)
    elif verb == "stop":
        _stop(folder, name)
    elif verb == "status":
        if not _runs(folder, name):
            sys.exit(f"{name} does not run")
        print((folder / f"{name}.pid").read_text())


def _start(folder: Path, name: str) -> None:
    argv = json.loads((folder / f"{name}.argv").read_text())
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    (folder / f"{name}.pid").write_text(str(process.pid))


def _stop(folder: Path, name: str) -> None:
    if not _runs(folder, name):
        return
    os.kill(_pid(folder, name), signal.SIGTERM)
    until = time.monotonic() + _PATIENCE
    while _runs(folder, name):
        if time.monotonic() > until:
            sys.exit(f"{name} runs on after {_PATIENCE:g} s")
        time.sleep(0.01)


def _runs(folder: Path, name: str) -> bool:
    try:
        stat = Path(f"/proc/{_pid(folder, name)}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _pid(folder: Path, name: str) -> int:
    return int((folder / f"{name}.pid").read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
