"""Building on a host: the source goes there, what is left comes back and is compared by digest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from gapless.drivers.releases.build_work import BUILT_AT, Work
from gapless.drivers.releases.directory_host import LONG, do
from gapless.drivers.releases.unpack import Rules
from gapless.drivers.releases.unpack_formats import unpack_tar
from gapless.drivers.transports.base import Transport
from gapless.errors import BuildFailed, GaplessError
from gapless.hostside.files import digest_of
from gapless.model import Command, Completed

_PIECE = 4 << 20
"""Bytes that are held in memory at a time on the way back."""


class BuildThere:
    """A host that builds; its login's environment is what a build there gets, with a home and a
    place for temporary files of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def platform(self) -> str:
        """System, machine and C library."""
        await self._transport.connect()
        names = (await do(self._transport, "uname", "-sm")).stdout.strip()
        library = await do(self._transport, "getconf", "GNU_LIBC_VERSION", fine=(0, 1, 127))
        return f"{names} {library.stdout.strip()}".strip()

    async def build(self, work: Work, command: Command) -> Completed:
        """Run it and fetch what it leaves."""
        await self._transport.connect()
        made = await do(self._transport, "mktemp", "-d", "-t", f"{BUILT_AT}.XXXXXXXXXX")
        place = made.stdout.strip()
        try:
            return await self._build(work, command, place)
        finally:
            await _quietly(self._transport, "rm", "-rf", "--", place)

    async def close(self) -> None:
        """Give the connection back."""
        await self._transport.close()

    async def _build(self, work: Work, command: Command, place: str) -> Completed:
        folder = f"{place}/source"
        await do(self._transport, "mkdir", "--", f"{place}/home", f"{place}/temporary", folder)
        await self._transport.push(work.source, folder)
        env = {"HOME": f"{place}/home", "TMPDIR": f"{place}/temporary", **command.env}
        done = await self._transport.run(replace(command, env=env, cwd=folder))
        if done.ok:
            await self._fetch(work, place, folder)
        return done

    async def _fetch(self, work: Work, place: str, folder: str) -> None:
        there = await self._transport.digest([f"{folder}/{name}" for name in work.keep])
        names = [name for name in work.keep if there[f"{folder}/{name}"]]
        if not names:
            return
        pieces = f"{place}/pieces"
        await do(self._transport, "mkdir", "--", pieces)
        tar = f"{place}/left.tar"
        await do(
            self._transport, "tar", "--sort=name", "--hard-dereference", "-C", folder, "-cf", tar,
            "--", *names, timeout=LONG,
        )  # fmt: skip
        await do(
            self._transport, "split", "-a", "6", "-d", "-b", str(_PIECE), "--", tar, f"{pieces}/",
            timeout=LONG,
        )  # fmt: skip
        await self._join(pieces, work.beside / "left.tar")
        await asyncio.to_thread(_unpack, work.beside / "left.tar", work.left, self._transport.host)
        for name in names:
            if digest_of(str(work.left / name)) != there[f"{folder}/{name}"]:
                raise BuildFailed(
                    f"digest mismatch: {name} came back as something else",
                    where=self._transport.host,
                    evidence=f"built {there[f'{folder}/{name}']}",
                    next="build again",
                )

    async def _join(self, pieces: str, file: Path) -> None:
        listed = await do(self._transport, "ls", "-1", "--", pieces)
        with file.open("wb") as out:
            for name in sorted(listed.stdout.split()):
                content = await self._transport.get(f"{pieces}/{name}", limit=_PIECE)
                await asyncio.to_thread(out.write, content or b"")


def _unpack(tar: Path, into: Path, host: str) -> None:
    with tar.open("rb") as file:
        unpack_tar(file, into, Rules(f"the build on {host}", links_outside=True))
    tar.unlink()


async def _quietly(transport: Transport, *argv: str) -> None:
    try:
        await do(transport, *argv, timeout=LONG)
    except GaplessError:
        return  # a leftover in a temporary folder harms nobody
