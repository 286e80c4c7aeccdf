"""Versioned folders and a link: going live is one rename(2) of a new link over the old."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.directory_host import do, read_note, target_of
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.transports.base import Transport
from gapless.errors import Refused
from gapless.model import Command


class Linked:
    """``TO/current`` points to one of ``TO/releases``, or, before gapless, to anything."""

    runs_from_store = True

    def __init__(self, places: Places) -> None:
        self._places = places
        self._link = f"{places.top}/current"

    async def current(self, transport: Transport) -> ReleaseRef | None:
        """Where the link points to."""
        target = await target_of(transport, self._link)
        if not target:
            return None
        path = PurePosixPath(self._places.top, target)
        if str(path.parent) != self._places.store:
            return ReleaseRef(target, path=str(path))
        known = await read_note(transport, self._places.note(path.name))
        return replace(known or ReleaseRef(path.name), name=path.name, path=str(path))

    def activation(self, ref: ReleaseRef) -> tuple[Command, ...]:
        """The folder must be there; then the link is made aside and renamed into place."""
        path = PurePosixPath(ref.path or self._places.version(ref.name))
        inside = str(path.parent) == self._places.store
        target = f"releases/{path.name}" if inside else str(path)
        fresh = f"{self._places.top}/.current.{path.name}"
        return (
            Command(("test", "-d", str(path))),
            Command(("ln", "-sfn", "--", target, fresh)),
            Command(("mv", "-fT", "--", fresh, self._link)),
        )

    def deactivation(self) -> tuple[Command, ...]:
        """Without the link, as before the first deploy."""
        return (Command(("rm", "-f", "--", self._link)),)

    async def prepare(self, transport: Transport, ref: ReleaseRef, live: ReleaseRef | None) -> None:
        """Say now, not in the middle of the switch, that the link cannot be made."""
        if live is None and (await do(transport, "test", "-e", self._link, fine=(0, 1))).ok:
            raise Refused(
                f"{self._link} is there and is not a link",
                where=transport.host,
                next=f"move it to {self._places.store}/ and make {self._link} a link to it,"
                " or set release.in_place: true",
            )

    async def unprepare(self, transport: Transport, live: ReleaseRef | None) -> None:
        """Nothing was kept."""
