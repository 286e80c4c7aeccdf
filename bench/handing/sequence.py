"""The sequence of docs/reference/handover.md by itself: ``sequence.py FOLDER SKEW_MS LOCK``.

One handover and no more. It may be killed at any moment: the next one reads ``state.json`` and
goes on where it says. It is what an orchestrator must do at least, so that the protocol can be
measured apart from ours.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from bench.handing.supervisor import forget, want

_LOOK = 0.01
_STABLE = 0.2
_PATIENCE = 120.0
_LIMIT = 30.0
"""Seconds for one answer: /activate offers all that was kept first."""
Said = dict[str, Any]


def main(folder: Path, skew: float, lock: str) -> None:
    """Raises RuntimeError when it does not come to an end."""
    state = _read(folder)
    if state["phase"] == "done":
        state = _begin(folder, skew, lock, state)
    old, new = state["active"], state["next"]
    if state["phase"] == "standby":
        _want(folder, new, lock)
        _until(f"{new['id']} is ready", lambda: _is_ready(folder, new["id"]))
        time.sleep(_STABLE)
        state = _write(folder, state, phase="joint")
    if state["phase"] == "joint":
        _until(f"{new['id']} is active", lambda: _activated(folder, new, lock))
        time.sleep(2 * skew)
        _until(f"{new['id']} is active", lambda: _is(folder, new["id"], "ACTIVE"))
        _ask(folder, old["id"], f"/deactivate?epoch={new['epoch']}")
        state = _write(folder, state, phase="draining", active=new, next=None, old=old)
    _finish(folder, skew, state)


def _begin(folder: Path, skew: float, lock: str, state: Said) -> Said:
    """Steps 1 and 2."""
    old, epoch = state["active"], state["latest"] + 1
    state = _write(folder, state, lock=True)
    _until(
        "the lock is on", lambda: _ask(folder, old["id"], f"/lock?on=true&epoch={epoch}")[0] == 200
    )
    time.sleep(skew)
    new = {"id": f"bot-{epoch}", "epoch": epoch}
    return _write(folder, state, phase="standby", next=new, latest=epoch)


def _finish(folder: Path, skew: float, state: Said) -> None:
    """Steps 7 and 8."""
    old, new = state["old"], state["active"]
    forget(folder, old["id"])
    # one that died and came again holds nothing, and is told by TERM
    _until(f"{old['id']} is gone", lambda: _is_gone(folder, old["id"]))
    time.sleep(skew)
    _write(folder, state, phase="done", lock=False, old=None)
    off = f"/lock?on=false&epoch={new['epoch']}"
    _until("the lock is off", lambda: _ask(folder, new["id"], off)[0] == 200)


def _want(folder: Path, new: Said, lock: str) -> None:
    variables = {
        "HANDOVER_DIR": str(folder), "HANDOVER_ID": new["id"], "HANDOVER_EPOCH": str(new["epoch"]),
        "HANDOVER_ROLE": "standby", "HANDOVER_STARTED_AT": str(int(time.time() * 1000)),
        "HANDOVER_LOCK": lock,
    }  # fmt: skip
    if not (folder / f"{new['id']}.start").exists():
        want(folder, new["id"], variables)


def _is_ready(folder: Path, name: str) -> bool:
    said = status(folder, name)
    return bool(said.get("ready")) and said["state"] in ("STANDBY", "ACTIVE")


def _activated(folder: Path, new: Said, lock: str) -> bool:
    _want(folder, new, lock)
    done, said = _ask(folder, new["id"], f"/activate?epoch={new['epoch']}")
    return done == 200 and bool(said["ready"])


def _is(folder: Path, name: str, state: str) -> bool:
    said = status(folder, name)
    return said.get("state") == state and bool(said["ready"])


def _is_gone(folder: Path, name: str) -> bool:
    said = status(folder, name)
    if said.get("state") in ("BOOTING", "STANDBY"):
        os.kill(said["pid"], 15)
    with (folder / f"alive-{name}.lock").open() as life:
        try:
            fcntl.flock(life, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _until(what: str, fits: Callable[[], bool]) -> None:
    ends = time.monotonic() + _PATIENCE
    while not fits():
        if time.monotonic() > ends:
            raise RuntimeError(f"not within {_PATIENCE:g} s: {what}")
        time.sleep(_LOOK)


class _Socket(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_LIMIT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_LIMIT)
        self.sock.connect(str(self._path))


def _request(folder: Path, name: str, method: str, target: str) -> tuple[int, Said]:
    link = _Socket(folder / f"ctl-{name}.sock")
    try:
        link.request(method, target)
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, HTTPException, ValueError):
        return 0, {}
    finally:
        link.close()


def _ask(folder: Path, name: str, target: str) -> tuple[int, Said]:
    return _request(folder, name, "POST", target)


def status(folder: Path, name: str) -> Said:
    """{} where nobody answers."""
    return _request(folder, name, "GET", "/handover")[1]


def copies(folder: Path) -> dict[int, int]:
    """Processes of the copies that answer, by epoch."""
    names = [path.name[4:-5] for path in folder.glob("ctl-*.sock")]
    said = [status(folder, name) for name in names]
    return {one["epoch"]: one["pid"] for one in said if one}


def pid_of(folder: Path, which: str) -> int:
    """Of the ``old`` or the ``new`` copy; 0 where it does not answer."""
    state = _read(folder)
    there = copies(folder)
    fresh = state["active"] if state["phase"] == "draining" else state["next"]
    if which == "new":
        return there.get(fresh["epoch"], 0) if fresh else 0
    older = [pid for epoch, pid in there.items() if not fresh or epoch != fresh["epoch"]]
    return older[0] if older else 0


def phase_of(folder: Path) -> str:
    """That of ``state.json``; empty where there is none yet."""
    try:
        return str(_read(folder)["phase"])
    except FileNotFoundError:
        return ""


def is_settled(folder: Path) -> bool:
    """The copy that is to be active is, and is ready."""
    state = _read(folder)
    return state["phase"] == "done" and _is(folder, state["active"]["id"], "ACTIVE")


def _read(folder: Path) -> Said:
    state: Said = json.loads((folder / "state.json").read_text())
    return state


def _write(folder: Path, state: Said, **changed: object) -> Said:
    fresh = folder / "state.json.new"
    fresh.write_text(json.dumps(state | changed))
    fresh.rename(folder / "state.json")
    return state | changed


def first_state(folder: Path, skew: float) -> None:
    """``bot-1`` is active, and nothing has been handed over yet."""
    start = {
        "protocol": "handover/1", "service": "bot", "phase": "done", "next": None, "latest": 1,
        "active": {"id": "bot-1", "epoch": 1}, "lock": False, "skew_ms": int(skew * 1000),
        "horizon_ms": 900_000, "owner": "bench",
    }  # fmt: skip
    _write(folder, start)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) / 1000, sys.argv[3])
