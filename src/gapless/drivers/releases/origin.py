"""Where the files of a kept release come from: git, an archive, a directory that is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gapless.drivers.releases.git_export import Part


@dataclass(frozen=True, slots=True)
class Identity:
    """One state of a source. ``key`` says all that decides its content, ``label`` begins the name
    of a release made of it, ``time`` is when it was made (seconds since the epoch), ``notes`` are
    sentences for a plan."""

    key: str
    label: str
    commit: str = ""
    time: int = 0
    notes: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    """From git: the commits it is made of, the release itself first."""


class Origin(Protocol):
    """A source whose releases are unpacked on the controller before they go anywhere."""

    where: str
    """What a person calls it: an address or a path."""

    async def identify(self) -> Identity:
        """What the configuration means now."""
        ...

    async def recall(self, name: str) -> Identity | None:
        """What a release called ``name`` was made of; None when the source does not have it."""
        ...

    async def unpack(self, identity: Identity, into: Path, beside: Path) -> None:
        """Its files, into an empty folder; ``beside`` is a folder for what is in between."""
        ...
