"""A directory as a source that something is built of: copied, so that the build leaves it alone."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.directory_source import SHORT, Source
from gapless.drivers.releases.excludes import Excludes
from gapless.drivers.releases.origin import Identity


class DirectoryOrigin:
    """One folder of this machine, without what is excluded."""

    def __init__(self, config: ReleaseConfig, service: str, places: Places) -> None:
        self.where = config.directory or ""
        self._excludes = Excludes(config.exclude)
        self._source = Source(config, service, places)

    async def identify(self) -> Identity:
        """What the folder holds now; its name's beginning is that of its VERSION file."""
        ref = await asyncio.to_thread(self._source.resolve)
        return Identity(key=ref.digest, label=ref.name[: -SHORT - 1])

    async def recall(self, name: str) -> Identity | None:
        """The folder as it is; whether it is the one is seen by what comes out of it."""
        return await self.identify()

    async def unpack(self, identity: Identity, into: Path, beside: Path) -> None:
        """A copy."""
        await asyncio.to_thread(
            shutil.copytree, self.where, into, symlinks=True, dirs_exist_ok=True, ignore=self._left
        )

    def _left(self, folder: str, names: list[str]) -> list[str]:
        """The names in a folder that are excluded."""
        above = os.path.relpath(folder, self.where)
        prefix = "" if above == "." else f"{above}/"
        return [name for name in names if self._excluded(folder, prefix, name)]

    def _excluded(self, folder: str, prefix: str, name: str) -> bool:
        path = Path(folder, name)
        return self._excludes.match(prefix + name, folder=path.is_dir() and not path.is_symlink())
