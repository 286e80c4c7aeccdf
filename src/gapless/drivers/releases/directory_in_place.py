"""Copying over the live folder, for those who cannot run from a link.

1. stage keeps the live content aside, without what is excluded, afresh each time: a way back
   brings back what was there, not what once was deployed.
2. Going live copies a kept version over the folder and compares contents, not times and sizes:
   builds with fixed times are common.
3. While the folder is half of this and half of that, the marker lies aside; who asks then hears
   an unfinished version, whose way back is the one that was live before.
4. What is excluded is left alone on the host, both ways.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import PurePosixPath

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.directory_host import LONG, do, is_folder, read_note, write_note
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.directory_store import Store
from gapless.drivers.transports.base import Transport
from gapless.errors import GaplessError
from gapless.model import Command

BEFORE = "before-gapless"
"""Name of content that was there before gapless was."""
UNFINISHED = "+unfinished"
"""Ends the name of a folder that was being copied over."""
_COPY = 600.0
_VANISHED = 24
"""rsync: files went away while they were copied; the service runs, that is its right."""


class InPlace:
    """``TO`` itself is live; a marker beside it tells what it is."""

    runs_from_store = False

    def __init__(self, config: ReleaseConfig, places: Places, store: Store) -> None:
        self._places = places
        self._store = store
        self._excludes = tuple(f"--exclude={pattern}" for pattern in config.exclude)
        self._marker = f"{places.top}.gapless-release"
        self._aside = f"{places.top}.gapless-changing"

    async def current(self, transport: Transport) -> ReleaseRef | None:
        """What the marker tells; a folder without one was there before gapless."""
        known = await read_note(transport, self._marker)
        if known is not None:
            return replace(known, path=self._places.version(known.name))
        known = await read_note(transport, self._aside)
        if known is not None:
            path = self._places.version(known.name)
            return replace(known, name=known.name + UNFINISHED, path=path)
        if await is_folder(transport, self._places.top):
            return ReleaseRef(BEFORE, path=self._places.version(BEFORE))
        return None

    def activation(self, ref: ReleaseRef) -> tuple[Command, ...]:
        """Marker aside, content over the folder, the version's own note becomes the marker."""
        path = PurePosixPath(ref.path or self._places.version(ref.name))
        fresh = f"{self._marker}.new"
        return (
            Command(("test", "-d", str(path))),
            # There is no marker on the first deploy to a host, or when this is done again.
            Command(("mv", "-fT", "--", self._marker, self._aside), check=False),
            Command(
                (*self._copying("--checksum"), "--", f"{path}/", f"{self._places.top}/"),
                timeout=_COPY,
            ),
            Command(("cp", "-aT", "--", self._places.note(path.name), fresh)),
            Command(("mv", "-fT", "--", fresh, self._marker)),
            Command(("rm", "-f", "--", self._aside)),
        )

    def deactivation(self) -> tuple[Command, ...]:
        """The folder goes with all that was brought; what is excluded keeps it there."""
        nothing = f"{self._places.store}/.nothing"
        return (
            Command(("mkdir", "-p", "--", nothing)),
            Command(("mv", "-fT", "--", self._marker, self._aside), check=False),
            Command((*self._copying(), "--", f"{nothing}/", f"{self._places.top}/"), timeout=_COPY),
            Command(("rm", "-f", "--", self._aside)),
            Command(("rmdir", "--", nothing, self._places.top), check=False),
        )

    async def prepare(self, transport: Transport, ref: ReleaseRef, live: ReleaseRef | None) -> None:
        """Keep the live content aside. Of a folder that is half this and half that there is
        nothing worth keeping: what was live before it is kept already."""
        if live is None or live.name.endswith(UNFINISHED) or live.name == ref.name:
            return
        incoming, kept = self._places.incoming(live.name), self._places.version(live.name)
        await do(transport, "rm", "-rf", "--", incoming, timeout=LONG)
        try:
            await do(transport, "mkdir", "-p", "--", incoming)
            # What equals the copy of last time is linked to it: both are only ever read.
            argv = self._copying("--checksum", f"--link-dest={kept}")
            argv = (*argv, "--", f"{self._places.top}/", f"{incoming}/")
            await do(transport, *argv, timeout=LONG, fine=(0, _VANISHED))
            await self._store.accept(transport, replace(live, path=kept))
        except BaseException:
            with contextlib.suppress(GaplessError):
                await do(transport, "rm", "-rf", "--", incoming, timeout=LONG)
            raise
        if live.name == BEFORE:
            await write_note(transport, self._marker, live)

    async def unprepare(self, transport: Transport, live: ReleaseRef | None) -> None:
        """The copy of what was there before gapless goes, and with it the marker."""
        if live is not None and live.name == BEFORE:
            await do(transport, "rm", "-f", "--", self._marker)
            await self._store.discard(transport, BEFORE)

    def _copying(self, *options: str) -> tuple[str, ...]:
        return ("rsync", "-aH", "--delete", *options, *self._excludes)
