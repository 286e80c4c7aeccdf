"""Signals, read and not taken."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

from gapless.supervisor.linux import checked, libc

ALL = signal.valid_signals()
OURS = {
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGURG,
    signal.SIGKILL,
    signal.SIGSTOP,
}
"""Everything else is passed on."""
_SIGNAL_INFO = 128
"""Bytes of a struct signalfd_siginfo."""


class Signals:
    """All of them stay blocked and are read, so that none is lost or acts on us, not even when we
    are process 1 or have not come to read them yet."""

    def __init__(self) -> None:
        everything = (ctypes.c_ulong * 16)(*[ctypes.c_ulong(-1).value] * 16)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = checked(libc.signalfd(-1, ctypes.byref(everything), flags))

    def read(self) -> list[tuple[int, int]]:
        """Numbers and who sent them (0 is the kernel)."""
        try:
            found = os.read(self.fd, 64 * _SIGNAL_INFO)
        except BlockingIOError:
            return []
        starts = range(0, len(found), _SIGNAL_INFO)
        return [(n, who) for n, _, _, who in (struct.unpack_from("IiiI", found, s) for s in starts)]
