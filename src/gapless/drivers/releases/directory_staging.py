"""Bringing a version to a host: push, owner, digest, and only then its name.

1. Unchanged files are hard links to the live release, unless its files belong to somebody else:
   a link shares the owner, and giving it away would change what runs.
2. The digest is compared on the host with the source's. A mismatch is tried once more from
   nothing: files of equal size and time in the live release or in a leftover fool a delta.
3. On any failure what was brought is removed, so that a full disk is as full as before.
"""

from __future__ import annotations

import asyncio
import contextlib

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.carriers import Carrier, Supply
from gapless.drivers.releases.directory_host import LONG, do, is_folder, run
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.directory_store import Store
from gapless.drivers.transports.base import Transport
from gapless.errors import GaplessError, StepError


class Staging:
    """How one service's source comes to hosts."""

    def __init__(
        self,
        supply: Supply,
        carrier: Carrier,
        places: Places,
        store: Store,
        owner: str | None,
        service: str,
    ) -> None:
        self._supply = supply
        self._carrier = carrier
        self._places = places
        self._store = store
        self._owner = owner
        self._service = service

    async def bring(self, transport: Transport, ref: ReleaseRef, live: ReleaseRef | None) -> int:
        """Push, verify, name; bytes sent."""
        await asyncio.to_thread(self._supply.check, ref)
        incoming = self._places.incoming(ref.name)
        try:
            sent = await self._fill(transport, ref, incoming, live)
            await self._store.accept(transport, ref)
        except BaseException:
            with contextlib.suppress(GaplessError):
                await do(transport, "rm", "-rf", "--", incoming, timeout=LONG)
            raise
        return sent

    async def _fill(
        self, transport: Transport, ref: ReleaseRef, incoming: str, live: ReleaseRef | None
    ) -> int:
        await self._begin(transport, incoming)
        linked = await self._link_from(transport, incoming, live)
        if live is not None and not linked:
            await self._begin_anew(transport, incoming)
        sent = await self._carry(transport, ref, incoming, linked)
        found = await self._digest(transport, incoming)
        if found != ref.digest:
            await self._begin_anew(transport, incoming)
            sent += await self._carry(transport, ref, incoming, "")
            found = await self._digest(transport, incoming)
        if found != ref.digest:
            raise await self._mismatch(transport, ref, found)
        return sent

    async def _begin(self, transport: Transport, incoming: str) -> None:
        await do(transport, "mkdir", "-p", "--", incoming)
        if self._owner:  # an owner the host does not know is found out before anything is sent
            await do(transport, "chown", "--", self._owner, incoming)

    async def _begin_anew(self, transport: Transport, incoming: str) -> None:
        await do(transport, "rm", "-rf", "--", incoming, timeout=LONG)
        await self._begin(transport, incoming)

    async def _link_from(self, transport: Transport, incoming: str, live: ReleaseRef | None) -> str:
        """Folder of the live release when its files may be shared, else ""."""
        if live is None or not await is_folder(transport, live.path):
            return ""
        asked = await run(transport, "stat", "-L", "-c", "%u:%g %d", "--", incoming, live.path)
        lines = asked.stdout.splitlines()
        return live.path if asked.ok and len(lines) == 2 and lines[0] == lines[1] else ""

    async def _carry(
        self, transport: Transport, ref: ReleaseRef, incoming: str, linked: str
    ) -> int:
        sent = await self._carrier.fill(transport, ref, incoming, linked)
        if self._owner:
            await do(transport, "chown", "-hR", "--", self._owner, incoming, timeout=LONG)
        return sent

    async def _digest(self, transport: Transport, incoming: str) -> str:
        return (await transport.digest([incoming]))[incoming]

    async def _mismatch(self, transport: Transport, ref: ReleaseRef, found: str) -> StepError:
        now = await asyncio.to_thread(self._supply.digest_now, ref)
        changed = now != ref.digest
        what = "digest mismatch: " + (
            "the source changed while it was deployed"
            if changed
            else "what arrived on the host is not what was sent"
        )
        return StepError(
            what,
            where=transport.host,
            evidence=f"wanted {ref.digest}, found on the host {found or 'nothing'}"
            + (f", the source is {now}" if changed else ""),
            next=f"gapless deploy {self._service}",
        )
