"""sd_notify, both ways: what a copy tells us, and what we tell the service manager."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Mapping

from gapless.supervisor.loop import READ, Loop

_MOST = 64
"""Messages of one copy in one turn."""
_CREDENTIALS = struct.Struct("3i")

Told = Callable[[dict[str, str], int, int], None]
"""Called with the assignments of a message, and process and user that sent it."""


class NotifySocket:
    """Where one copy tells that it is ready. Its name is nobody else's business: it is random, and
    the kernel says who sent what."""

    def __init__(self, loop: Loop, told: Told) -> None:
        self._loop, self._told = loop, told
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        name = f"gapless/{os.urandom(16).hex()}"
        self._socket.bind("\0" + name)
        self.name = "@" + name
        self._begin()

    @classmethod
    def inherited(cls, loop: Loop, fd: int, told: Told) -> NotifySocket:
        """The one that the process had before it replaced itself."""
        self = cls.__new__(cls)
        self._loop, self._told = loop, told
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        at = self._socket.getsockname()
        self.name = "@" + (at[1:].decode() if isinstance(at, bytes) else str(at)[1:])
        self._begin()
        return self

    def _begin(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._loop.watch(self._socket.fileno(), READ, self._read)

    def fileno(self) -> int:
        """Of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """The copy has ended."""
        self._loop.forget(self._socket.fileno())
        self._socket.close()

    def _read(self, _events: int) -> None:
        for _ in range(_MOST):
            try:
                text, extra, _, _ = self._socket.recvmsg(
                    8192, socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(256)
                )
            except OSError:
                return
            sender, user = _take(extra)
            lines = text.decode(errors="replace").split("\n")
            self._told(dict(line.split("=", 1) for line in lines if "=" in line), sender, user)
            if self._socket.fileno() < 0:
                return


def _take(extra: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    """The sender's process and user; descriptors that came along are closed."""
    sender, user = 0, -1
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for fd in struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4]):
                os.close(fd)
        elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            sender, user, _group = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
    return sender, user


class Manager:
    """The service manager that started us, or nobody."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        for_us = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        self.watchdog = environment.get("WATCHDOG_USEC", "") if for_us and name else ""
        """Within so many microseconds it wants to hear of the active copy."""

    def tell(self, *lines: str, fds: tuple[int, ...] = ()) -> None:
        """Nothing when nobody listens."""
        if not self._address:
            return
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as to:
            to.connect(self._address)
            to.sendmsg(["\n".join(lines).encode()], rights if fds else [])

    def allow(self, seconds: float) -> None:
        """What it waits for (start, reload or stop) may take so long from now on: our limits hold,
        and it hears the truth."""
        self.tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def keep(self, name: str, fd: int) -> None:
        """Have a listener kept while we are away (FileDescriptorStoreMax= of the unit)."""
        self.tell("FDSTORE=1", f"FDNAME={name}", fds=(fd,))

    def drop(self, name: str) -> None:
        """A listener that is not used any more: it would be kept open for nobody."""
        self.tell("FDSTOREREMOVE=1", f"FDNAME={name}")
