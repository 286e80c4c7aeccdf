"""Starts runners that do not descend from the helper.

The helper adopts whatever its descendants leave behind, to end it with the session. What a
critical action leaves behind, a daemon say, must not come to it. So the process that was started
on the host splits in two before anything else: the child becomes the helper, the parent does
nothing but start runners when told to, and goes when the helper has gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import threading
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ANSWER = 65536


class Launcher:
    """The helper's end."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def start(self, spec: str, lock: str) -> None:
        """Run a runner apart, holding the lock of a file as long as it lives. Raises OSError.

        The launcher forks it from itself: a fresh interpreter would cost ten times as much."""
        with self._lock:
            self._channel.sendall(json.dumps([spec, lock]).encode())
            answer = json.loads(self._channel.recv(_ANSWER) or b'[5, "the launcher is gone", ""]')
        if answer is not None:
            raise OSError(answer[0], answer[1], answer[2])


def split() -> Launcher:
    """Become two processes; returns in the helper only."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    helper = os.fork()
    if helper == 0:
        ours.close()
        return Launcher(theirs)
    theirs.close()
    try:
        _serve(ours, helper)
    finally:
        os._exit(0)


def _serve(channel: socket.socket, helper: int) -> None:
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.kill(helper, signal.SIGTERM))
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # or the controller would not see the end of the helper's stream
    while True:
        request = channel.recv(_ANSWER)
        if not request:
            return
        channel.sendall(json.dumps(_launch(channel, *json.loads(request))).encode())


def _launch(channel: socket.socket, spec: str, lock: str) -> list[Any] | None:
    runner = import_module("gapless.hostside.runner")
    held = given = -1
    try:
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        given = os.open(spec, os.O_RDONLY | os.O_CLOEXEC)
        first = os.fork()
        if first == 0:
            channel.close()
            _become(runner, given, spec)
        os.waitpid(first, 0)
    except OSError as error:
        return [error.errno, error.strerror, error.filename]
    finally:
        for descriptor in (held, given):
            with contextlib.suppress(OSError):
                os.close(descriptor)
    return None


def _become(runner: Any, given: int, spec: str) -> None:
    # Never returns: a copy of us must not go on serving. The lock stays open with this process.
    try:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDWR), 2)
            with os.fdopen(given, "rb") as stream:
                runner.work(stream, spec)
    finally:
        os._exit(0)
