"""The few calls of the kernel that the standard library does not have."""

from __future__ import annotations

import ctypes
import os

_PDEATHSIG, _SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: int) -> None:
    """Have this process sent a signal when the thread that started it ends. A change of user
    clears it, so it comes after that."""
    _prctl(_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Whatever our children leave behind becomes our child, and not that of process 1."""
    _prctl(_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
