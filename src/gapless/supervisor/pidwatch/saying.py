"""What is told, to whoever reads our errors."""

from __future__ import annotations

import os
from contextlib import suppress

from gapless.supervisor.pidwatch.stop import REFUSED, Stop


def say(text: str) -> None:
    """Something happened."""
    _write(f"pidwatch: {text}\n")


def complain(stop: Stop) -> int:
    """Returns its exit code."""
    _write("\n".join(stop.lines) + "\n")
    return stop.code


def impossible(error: OSError) -> Stop:
    """The kernel does not let us."""
    where = {"where": str(error.filename)} if error.filename else {}
    return Stop(
        REFUSED, "pidwatch cannot work here", **where, evidence=error.strerror or str(error)
    )


def _write(text: str) -> None:
    with suppress(OSError):
        os.write(2, text.encode(errors="surrogateescape"))
