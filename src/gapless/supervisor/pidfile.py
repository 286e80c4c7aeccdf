"""A file with our number, for others; never read here."""

from __future__ import annotations

import contextlib
import os


def write(path: str) -> None:
    """Whole, or as it was. Raises OSError."""
    fresh = f"{path}.{os.getpid()}"
    with open(fresh, "w") as file:
        file.write(f"{os.getpid()}\n")
    os.rename(fresh, path)


def remove(path: str) -> None:
    """Nothing when there is none."""
    if path:
        with contextlib.suppress(OSError):
            os.unlink(path)
