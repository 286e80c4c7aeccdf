"""From the command line to the resident part: the same process, with nothing but the standard
library loaded."""

from __future__ import annotations

import os
import signal

from gapless.supervisor import upgrade
from gapless.supervisor.spec import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def become(spec: Spec) -> NoReturn:
    """Replace this process by the supervisor of ``spec``. Signals stay blocked until it listens
    to them. Raises OSError, which names the file, when our interpreter may not be executed."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    forget_coercion()
    _open_streams()
    fd = os.memfd_create("gapless-spec")
    os.write(fd, spec.to_json().encode())
    os.set_inheritable(fd, True)
    try:
        os.execv(upgrade.PROGRAM[0], [*upgrade.PROGRAM, "--spec", str(fd)])
    except OSError as error:
        raise OSError(error.errno, error.strerror, upgrade.PROGRAM[0]) from None


def forget_coercion() -> None:
    """In the C locale Python sets LC_CTYPE for itself; our children are not to inherit that."""
    with open("/proc/self/environ", "rb") as file:
        given = {line.partition(b"=")[0] for line in file.read().split(b"\0")}
    if b"LC_CTYPE" not in given:
        os.environ.pop("LC_CTYPE", None)


def _open_streams() -> None:
    """The number of a stream that was closed would go to a socket or a lock of ours, and copies
    would write to that."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free
