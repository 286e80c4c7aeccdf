"""The container probe: what a container's own test says of it, now.

1. A container that its engine calls healthy is.
2. Any other is asked its own test at once, by the same command, account and environment as the
   engine asks it, and its status decides as there. The engine itself asks only at its interval,
   which may be half a minute.
3. A test that failed is not asked anew before twice the time that it took: it may be heavy, and the
   program is just starting. One that does not end in time is killed.
4. Without a test all that is known is that it runs; the answer says so.

What the test is stays on the host: it may hold secrets.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time

from gapless.hostside.exchange import connect
from gapless.hostside.faults import Fault
from gapless.hostside.http_message import Malformed, read_answer, request
from gapless.hostside.probes import FAIL, INCONCLUSIVE, PASS, in_short, no_answer, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LARGEST = 1 << 20
_LONGEST_REST = 1.0
_SHELL = ("/bin/sh", "-c")
CORD = "/.gapless-cord"
"""A shell and its script come before it, and two numbers after it."""
_FRAME = 8
"""Bytes before each piece of output: which stream it is of, and its length."""
UNKNOWN = "it cannot be told whether it is well: it has no HEALTHCHECK, and health: asks nothing"


def ask_container(spec: dict[str, Any], limit: float, cancelled: threading.Event) -> dict[str, Any]:
    """Ask and judge."""
    verdict = {"asked": f"HEALTHCHECK of {spec['name']}", "wanted": "exit 0"}
    try:
        return {**verdict, **_judged(Engine(spec["socket"], limit), spec["id"], limit, cancelled)}
    except (OSError, Malformed, Fault, ValueError, KeyError) as error:
        return {**verdict, "status": INCONCLUSIVE, "answer": trouble(error, limit)}


def _judged(
    engine: Engine, identity: str, limit: float, cancelled: threading.Event
) -> dict[str, Any]:
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None:
        return {"status": FAIL, "answer": "it is gone"}
    state, health = one["State"], one["State"].get("Health") or {}
    if state["Status"] != "running":
        return {"status": FAIL, "answer": f"it is {_ended(state)}", "wanted": "running"}
    if health.get("Status") == "healthy":
        return {"status": PASS, "answer": "healthy"}
    test = argv_of(one["Config"])
    if not test:
        return {"status": PASS, "answer": UNKNOWN}
    asked = _own_limit(one["Config"], limit)
    began = time.monotonic()
    found = Run(engine, identity, asked).judged(test)
    if found["status"] != PASS:
        cancelled.wait(min(2 * (time.monotonic() - began), _LONGEST_REST))
    return found


def _ended(state: dict[str, Any]) -> str:
    """One that was killed did not end by itself."""
    if state["Status"] != "exited":
        return str(state["Status"])
    killed = " (killed)" if state["ExitCode"] == 128 + signal.SIGKILL else ""
    return f"exited with status {state['ExitCode']}{killed}"


def argv_of(config: dict[str, Any]) -> list[str]:
    """The test of a container; empty when it has none, or none any more. Of one with a cord, which
    says whether it is to get traffic, what follows that."""
    kind, *words = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if kind == "CMD-SHELL":
        return [*(config.get("Shell") or _SHELL), *words]
    if words[3:4] == [CORD]:
        return words[6:]
    return words if kind == "CMD" else []


def _own_limit(config: dict[str, Any], limit: float) -> float:
    """The engine counts in nanoseconds, and 0 is its default."""
    own = (config["Healthcheck"].get("Timeout") or 0) / 1e9
    return min(limit, own) if own else limit


class Engine:
    """Its API on a unix socket, a connection for each question."""

    def __init__(self, path: str, limit: float) -> None:
        self._path = path
        self._limit = limit

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Plain data; None when there is no such thing. Raises Fault for what it refuses."""
        status, told = self.raw(method, path, body, self._limit)
        return None if status == 404 else json.loads(told)

    def raw(self, method: str, path: str, body: Any, limit: float) -> tuple[int, bytes]:
        """Status and bytes of an answer that ends within the limit. Raises TimeoutError."""
        sent = b"" if body is None else json.dumps(body).encode()
        heads = {"Host": "localhost", "Connection": "close", "Content-Type": "application/json"}
        heads["Content-Length"] = str(len(sent))
        with connect(self._path, limit) as connection, connection.makefile("rb") as stream:
            with _ending(connection, limit) as expired:
                connection.sendall(request(method, path, heads) + sent)
                status, _, told = read_answer(stream, method, _LARGEST)
            if expired.is_set():
                raise TimeoutError
        if status >= 400 and status != 404:
            raise Fault(json.loads(told or b"{}").get("message") or f"the engine said {status}")
        return status, told


@contextlib.contextmanager
def _ending(connection: Any, limit: float) -> Any:
    """However slowly the answer drips, the connection ends then."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        with contextlib.suppress(OSError):
            connection.shutdown(2)

    timer = threading.Timer(limit, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


class Run:
    """One run of a test in a container, apart from those of the engine."""

    def __init__(self, engine: Engine, identity: str, limit: float) -> None:
        self._engine = engine
        self._identity = identity
        self._limit = limit

    def judged(self, test: list[str]) -> dict[str, Any]:
        """Its status as the engine would take it."""
        wanted = {"Cmd": test, "AttachStdout": True, "AttachStderr": True}
        made = self._engine.ask("POST", f"/containers/{self._identity}/exec", wanted)
        if made is None:
            return {"status": FAIL, "answer": "it is gone"}
        place = f"/exec/{made['Id']}"
        try:
            attached = {"Detach": False, "Tty": False}
            _, told = self._engine.raw("POST", f"{place}/start", attached, self._limit)
        except (TimeoutError, socket.timeout):
            self._kill(place)
            return {"status": FAIL, "answer": no_answer(self._limit)}
        ended = self._engine.ask("GET", f"{place}/json")
        status = ended["ExitCode"] if ended else None
        words = in_short(_output(told))
        answer = f"exit {status}" + (f": {words}" if words else "")
        return {"status": PASS if status == 0 else FAIL, "answer": answer}

    def _kill(self, place: str) -> None:
        """The engine cannot end it: its process is one of this host."""
        with contextlib.suppress(OSError, Fault, Malformed, ValueError):
            left = self._engine.ask("GET", f"{place}/json")
            if left and left.get("Running") and left.get("Pid"):
                os.kill(left["Pid"], signal.SIGKILL)


def _output(told: bytes) -> str:
    """Both streams without the frames around their pieces."""
    text, rest = b"", told
    while len(rest) >= _FRAME:
        length = int.from_bytes(rest[4:_FRAME], "big")
        text, rest = text + rest[_FRAME : _FRAME + length], rest[_FRAME + length :]
    return text.decode("utf-8", "replace")
