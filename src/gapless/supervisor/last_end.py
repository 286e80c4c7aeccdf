"""How the program of a supervisor that is gone has ended, for whoever asks when nobody answers.

What was told to end has not died: of that nothing is written.
"""

from __future__ import annotations

import contextlib
import os
import time

from gapless.supervisor import rundir


def remember(folder: str, how: str, code: int) -> None:
    """It ended by itself; ``how`` in words, ``code`` as a shell has it."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime())
    with contextlib.suppress(OSError), open(f"{folder}/{rundir.LAST_END}", "w") as file:
        file.write(f"its program {how} at {when} (exit {code})\n")


def forget(folder: str) -> None:
    """Another one runs now, or it was told to end."""
    with contextlib.suppress(OSError):
        os.unlink(f"{folder}/{rundir.LAST_END}")


def recall(folder: str) -> str:
    """In words; "" where nobody knows, or it ended as it was told. A supervisor that ends takes
    its socket along, one that is killed cannot."""
    if os.path.lexists(f"{folder}/{rundir.CONTROL}"):
        return f"its supervisor {KILLED}, and the program with it"
    with contextlib.suppress(OSError), open(f"{folder}/{rundir.LAST_END}") as file:
        return file.read(_MOST).strip()
    return ""


KILLED = "was killed"
_MOST = 300
