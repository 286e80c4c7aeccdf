"""The helper's life: read requests, answer each in its own thread, end all when left alone."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

from gapless.hostside import cage, launch, launcher, tree, wire
from gapless.hostside.calls import Call
from gapless.hostside.children import CHILDREN
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.payload import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

_TICK = 0.25


class Loop:
    """One session of a controller with this host."""

    def __init__(self, reader: BinaryIO, writer: int, patience: float) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._heard = time.monotonic()
        self._calls: dict[int, Call] = {}
        self._writing = threading.Lock()
        self._ending = threading.Lock()
        self._cage: cage.Cage | None = None

    def serve(self) -> None:
        """Until the end of stdin or the controller's silence; never returns."""
        tree.become_subreaper()
        self._cage = cage.enter_cage()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._look_around, daemon=True).start()
        self._write(wire.READY + wire.encode({"hello": _hello()}))
        while True:
            message = self._next()
            if message is None:
                self.end()
            else:
                self._take(message)

    def _next(self) -> dict[str, Any] | None:
        try:
            return wire.read(self._reader)
        except (OSError, ValueError):
            return None

    def _take(self, message: dict[str, Any]) -> None:
        self._heard = time.monotonic()
        verb, number = message["verb"], message["id"]
        if verb == "heartbeat":
            self._send({"id": number, "result": None})
        elif verb == "cancel":
            call = self._calls.get(message["args"]["id"])
            if call is not None:
                call.cancelled.set()
        else:
            call = self._calls[number] = Call(number, verb, message["args"])
            threading.Thread(target=self._answer, args=(call,), daemon=True).start()

    def _answer(self, call: Call) -> None:
        message: dict[str, Any] = {"id": call.number}
        try:
            from gapless.hostside import verbs

            message["result"] = verbs.answer(call)
        except Fault as fault:
            message["fault"] = fault.to_json()
        except OSError as error:
            message["fault"] = from_os_error(error, call.verb).to_json()
        except Exception as error:  # a bug must not end the session of the others
            message["fault"] = _bug(call, error).to_json()
        self._calls.pop(call.number, None)
        self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        self._write(wire.encode(message))

    def _write(self, data: bytes) -> None:
        try:
            with self._writing:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._writer, view) :]
        except OSError:
            self.end()

    def _look_around(self) -> None:
        while True:
            time.sleep(_TICK)
            CHILDREN.reap_strays()
            if time.monotonic() - self._heard > self._patience:
                self.end()

    def _on_signal(self, _number: int, _frame: object) -> None:
        # Not in the handler: it may have interrupted a thread that holds a lock.
        threading.Thread(target=self.end, daemon=True).start()

    def end(self) -> None:
        """Kill all cancellable work and leave."""
        with self._ending:
            for call in list(self._calls.values()):
                call.cancelled.set()
            tree.end(_ours, CHILDREN.reap_strays)
            if self._cage is not None:
                self._cage.destroy()
            os._exit(0)


def _ours() -> set[int]:
    if CHILDREN.none():
        return set()  # a look at every process of the host costs more than all of the end
    return tree.descendants({os.getpid()}, tree.snapshot())


def _hello() -> dict[str, Any]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {"python": python, "uid": os.geteuid(), "pid": os.getpid()}


def _bug(call: Call, error: Exception) -> Fault:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace else None  # byte code travels without line numbers
    place = f"{code.co_name} in {code.co_filename}" if code else ""
    return Fault(
        f"the helper failed at {call.verb}: {type(error).__name__}: {error}", evidence=place
    )


def main() -> None:
    """Speak over stdin and stdout; nothing else in this process may write there."""
    SETTINGS["launcher"] = launcher.split() if launch.choose() == "process" else None
    writer = os.dup(1)
    os.dup2(2, 1)
    with contextlib.suppress(OSError):
        os.chdir("/")
    Loop(sys.stdin.buffer, writer, float(SETTINGS["patience"])).serve()
