"""The end of a container, and that nothing starts it anew."""

from __future__ import annotations

import contextlib
import time

from gapless.drivers.runtimes.engine_script.arming import NEVER, forget, restarted_by_engine
from gapless.hostside.container_engine import BREATH, LIMIT, Engine
from gapless.hostside.faults import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KILLED = 128 + 9
"""Status of what SIGKILL ended."""


def hook(name: str, limit: float, argv: Sequence[str]) -> str:
    """How a command ended that did not end well, with its last word."""
    import subprocess

    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"note: {name} did not end within {limit:g} s and is not waited for"
    if not done.returncode:
        return ""
    said = done.stdout.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
    return f"note: {name} ended with status {done.returncode}: {last}"


def end(engine: Engine, identity: str, grace: float) -> str:
    """Stop it and remove it; nothing starts it anew meanwhile. What does not heed its signal is
    killed by the engine, and that is told."""
    before = engine.ask("GET", f"/containers/{identity}/json")
    if before is None:
        return "there is no container " + identity
    if restarted_by_engine(before):
        with contextlib.suppress(Fault):  # a full disk: to stop and to remove needs none
            engine.ask("POST", f"/containers/{identity}/update", NEVER)
    grace, began = round(grace), time.monotonic()
    engine.ask("POST", f"/containers/{identity}/stop?t={grace}", patience=grace)
    late = before["State"]["Running"] and time.monotonic() - began >= grace
    after = engine.ask("GET", f"/containers/{identity}/json") if late else None
    killed = after is not None and after["State"]["ExitCode"] == KILLED
    remove(engine, identity)
    forget(before)
    name = before["Name"].lstrip("/")
    return f"note: {name} did not end within {grace:g} s and was killed" if killed else ""


def remove(engine: Engine, identity: str) -> None:
    """Until it is gone: the engine may be about to, by itself."""
    until = time.monotonic() + LIMIT
    while not removed(engine, identity):
        if time.monotonic() > until:
            raise Fault(f"{identity[:12]} is still being removed after {LIMIT:g} s")
        time.sleep(BREATH)


def removed(engine: Engine, identity: str) -> bool:
    """Whether there is no such container any more."""
    try:
        engine.ask("DELETE", f"/containers/{identity}?force=1")
    except Fault as error:
        if "in progress" not in str(error):
            raise
        return False
    return True


def ended(engine: Engine, identity: str, seconds: str) -> str:
    """``ID SECONDS``"""
    return end(engine, identity, float(seconds))


def hooked(engine: Engine, name: str, seconds: str, _: str, *argv: str) -> str:
    """``NAME SECONDS -- EXEC...``"""
    return hook(name, float(seconds), argv)


ORDERS = {"end": ended, "hook": hooked}
