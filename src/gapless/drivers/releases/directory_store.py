"""The folder that holds the versions: complete ones by name, anything else under a hidden name.

A version comes into being, and ceases to be, by one rename(2): whatever is interrupted, a folder
with a version's name is complete.
"""

from __future__ import annotations

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.directory_host import (
    LONG,
    NO_PROGRAM,
    do,
    is_folder,
    write_note,
)
from gapless.drivers.releases.directory_places import INCOMING, REMOVED, Places
from gapless.drivers.transports.base import Transport


class Store:
    """Accepting, listing and discarding versions on a host."""

    def __init__(self, places: Places) -> None:
        self._places = places

    async def accept(self, transport: Transport, ref: ReleaseRef) -> None:
        """What lies in ``incoming`` becomes the version, on the disk before it gets its name."""
        incoming, final = self._places.incoming(ref.name), self._places.version(ref.name)
        await do(transport, "sync", "-f", "--", incoming, timeout=LONG, fine=(0, NO_PROGRAM))
        await self.discard(transport, ref.name)
        await write_note(transport, self._places.note(ref.name), ref)
        await do(transport, "mv", "-fT", "--", incoming, final)

    async def discard(self, transport: Transport, name: str) -> None:
        """Remove a version; nothing there is fine."""
        removed = self._places.removed(name)
        if await is_folder(transport, self._places.version(name)):
            await do(transport, "rm", "-rf", "--", removed, timeout=LONG)
            await do(transport, "mv", "-fT", "--", self._places.version(name), removed)
        note = self._places.note(name)
        await do(transport, "rm", "-rf", "--", removed, note, timeout=LONG)

    async def names(self, transport: Transport) -> tuple[list[str], list[str]]:
        """Versions that gapless brought, newest first, and hidden leftovers of interrupted work.

        Newest by the time of the last change of the folder itself: its mtime is the source's.
        """
        if not await is_folder(transport, self._places.store):
            return [], []
        listed = await do(transport, "ls", "-1Atc", "--", self._places.store)
        all_ = listed.stdout.splitlines()
        there = set(all_)
        versions = [name for name in all_ if name[:1] != "." and f".{name}.json" in there]
        leftovers = [
            name for name in all_ if name[:1] == "." and name.endswith((INCOMING, REMOVED))
        ]
        return versions, leftovers

    async def sweep(self, transport: Transport, leftovers: list[str]) -> None:
        """Remove what interrupted work left."""
        if leftovers:
            paths = [f"{self._places.store}/{name}" for name in leftovers]
            await do(transport, "rm", "-rf", "--", *paths, timeout=LONG)
