"""What a build needs of the place where it runs, whichever that is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gapless.model import Command, Completed

BUILT_AT = "gapless-build"
"""Part of the name of every folder that a build runs in."""


@dataclass(frozen=True, slots=True)
class Work:
    """``source`` is only read; ``beside`` is a folder for what is in between; what is to be kept
    (``keep``) goes to ``left``, at its name."""

    source: Path
    beside: Path
    left: Path
    keep: tuple[str, ...]


class Place(Protocol):
    """Where builds run."""

    async def platform(self) -> str:
        """System, machine and C library."""
        ...

    async def build(self, work: Work, command: Command) -> Completed:
        """Run the command in a fresh copy of the source and bring what it leaves; its answer,
        whatever it is."""
        ...

    async def close(self) -> None:
        """Nothing is built here any more."""
        ...
