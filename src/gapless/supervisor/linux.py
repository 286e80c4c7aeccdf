"""The few calls of the kernel that the standard library does not have."""

from __future__ import annotations

import ctypes
import os

_PDEATHSIG, _NAME, _SUBREAPER = 1, 15, 36
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: int) -> None:
    """Have this process sent a signal when the thread that started it ends. A change of user
    clears it, so it comes after that."""
    _prctl(_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Whatever our children leave behind becomes our child, and not that of process 1."""
    _prctl(_SUBREAPER, 1)


def call_itself(name: bytes) -> None:
    """As this process is shown by ps and top."""
    _prctl(_NAME, name)


def checked(result: int) -> int:
    """What a call returned. Raises OSError when it failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _prctl(option: int, value: int | bytes) -> None:
    argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    checked(libc.prctl(option, argument, 0, 0, 0))
