"""What fills the folder of a release on a host, and what there is to fill it with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.transports.base import Transport


class Supply(Protocol):
    """A source as staging needs it."""

    @property
    def where(self) -> str:
        """What a person calls it."""
        ...

    def resolve(self, name: str = "") -> ReleaseRef:
        """The version it holds, or the one called ``name``."""
        ...

    def check(self, ref: ReleaseRef) -> None:
        """Raise when a planned version cannot be brought as it was planned."""
        ...

    def digest_now(self, ref: ReleaseRef) -> str:
        """What would be sent, at this moment."""
        ...

    def needed_by(self, host: str, names: tuple[str, ...]) -> None:
        """A host has committed and needs these versions; others may go here, too."""
        ...


class Carrier(Protocol):
    """A way of files to a host."""

    async def fill(self, transport: Transport, ref: ReleaseRef, incoming: str, linked: str) -> int:
        """Fill the folder ``incoming``, which may hold a part of it; unchanged files are links
        into the folder ``linked`` where that is given. Returns bytes sent."""
        ...


class Pushed:
    """Files of this machine, over the connection there is."""

    def __init__(self, folder: Callable[[ReleaseRef], Path], exclude: Sequence[str] = ()) -> None:
        self._folder = folder
        self._exclude = exclude

    async def fill(self, transport: Transport, ref: ReleaseRef, incoming: str, linked: str) -> int:
        """Push the folder."""
        source = self._folder(ref)
        return await transport.push(source, incoming, exclude=self._exclude, link_from=linked)
