"""Releases out of an archive file.

1. A release is called after the file's own name and its content.
2. An https address needs the sha256 of the file: what comes is compared before it is opened, and
   kept, so that a server that is gone takes nothing away.
3. It is unpacked as if somebody hostile had made it (``unpack``).
4. When everything in it lies in one folder, as in archives of a forge, that folder is left out.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.archive_kinds import kind_of, opened
from gapless.drivers.releases.download import download
from gapless.drivers.releases.origin import Identity
from gapless.drivers.releases.unpack import Rules
from gapless.drivers.releases.unpack_formats import unpack_tar, unpack_zip
from gapless.drivers.releases.workshop import Workshop, short_hash
from gapless.errors import Refused, UsageError

_LONGEST = 40


class ArchiveOrigin:
    """One file, here or at an address."""

    def __init__(self, config: ReleaseConfig, workshop: Workshop) -> None:
        assert config.archive is not None
        self.where = config.archive
        self._sha256 = config.sha256
        self._workshop = workshop

    async def identify(self) -> Identity:
        """What the file holds now."""
        file = await self._file()
        found = await asyncio.to_thread(self._digest, file)
        if self._sha256 not in (None, found):
            raise Refused(
                "the archive is not what sha256 says",
                where=self.where,
                evidence=f"wanted {self._sha256}, is {found}",
                next=f"sha256sum {file}",
            )
        label = await asyncio.to_thread(self._label)
        return Identity(key=found, label=label, notes=(f"archive {self.where}",))

    async def recall(self, name: str) -> Identity | None:
        """The file that is there; whether it is the one is seen by what comes out of it."""
        try:
            return await self.identify()
        except (Refused, UsageError):
            return None

    async def unpack(self, identity: Identity, into: Path, beside: Path) -> None:
        """Its files."""
        file = await self._file()
        await asyncio.to_thread(self._unpack, file, into, beside)

    async def _file(self) -> Path:
        if not self.where.startswith("https://"):
            return Path(self.where)
        assert self._sha256 is not None
        place = self._workshop.place("archives") / short_hash(self._sha256)
        return await download(self.where, self._sha256, place)

    def _digest(self, file: Path) -> str:
        try:
            with file.open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise UsageError(
                f"the archive cannot be read: {error.strerror}",
                where=self.where,
                next=f"ls -l {file}",
            ) from error

    def _label(self) -> str:
        name = self.where.rsplit("/", 1)[-1].split("?", 1)[0]
        kind = kind_of(name, self.where)
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name.removesuffix(kind)).lstrip(".-")
        return plain[:_LONGEST].rstrip(".-") or "archive"

    def _unpack(self, file: Path, into: Path, beside: Path) -> None:
        rules = Rules(self.where)
        kind = kind_of(self.where.split("?", 1)[0], self.where)
        target = beside / "unpacked"
        target.mkdir()
        with opened(file, kind, self.where) as content:
            (unpack_zip if kind == ".zip" else unpack_tar)(content, target, rules)
        inner = list(target.iterdir())
        alone = len(inner) == 1 and inner[0].is_dir() and not inner[0].is_symlink()
        top = inner[0] if alone else target
        for path in top.iterdir():
            path.rename(into / path.name)
