"""Releases out of a git repository: a ref, looked up once, is a commit from then on."""

from __future__ import annotations

from pathlib import Path

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.git_export import export, parts_of
from gapless.drivers.releases.git_mirror import Mirror
from gapless.drivers.releases.origin import Identity
from gapless.drivers.releases.workshop import Workshop
from gapless.errors import UsageError

SHORT = 12
"""Digits of the commit in a release's name."""
_SUBJECT = 60


class GitOrigin:
    """One repository, and the submodules it leads to."""

    def __init__(self, config: ReleaseConfig, workshop: Workshop) -> None:
        assert config.git is not None
        self.where = config.git
        self._config = config
        self._workshop = workshop
        self._mirrors: dict[str, Mirror] = {}

    async def identify(self) -> Identity:
        """The commit that ``ref`` means now."""
        return await self._identity(await self._top.resolve(self._config.ref))

    async def recall(self, name: str) -> Identity | None:
        """The commit in a release's name, wherever branches have gone."""
        begin = name.partition("-")[0]
        if len(begin) != SHORT:
            return None
        try:
            return await self._identity(await self._top.find(begin))
        except UsageError:
            return None

    async def unpack(self, identity: Identity, into: Path, beside: Path) -> None:
        """The files of the commit and of its submodules."""
        await export(list(identity.parts), self._mirror, into, beside)

    @property
    def _top(self) -> Mirror:
        return self._mirror(self.where)

    def _mirror(self, url: str) -> Mirror:
        if url not in self._mirrors:
            self._mirrors[url] = Mirror(self._workshop, url, self._config.ssh)
        return self._mirrors[url]

    async def _identity(self, commit: str) -> Identity:
        submodules = self._config.submodules
        parts = await parts_of(self._top, commit, self._mirror, submodules=submodules)
        told = await self._top.told(commit)
        subject = "".join(letter for letter in told.subject if letter.isprintable())
        subject = subject if len(subject) <= _SUBJECT else f"{subject[:_SUBJECT]}…"
        meant = f" ({self._config.ref})" if self._config.ref else ""
        return Identity(
            key=" ".join(f"{part.path}={part.commit}" for part in parts),
            label=commit[:SHORT],
            commit=commit,
            time=told.time,
            notes=(f"commit {commit[:SHORT]}{meant}: {subject}",),
            parts=tuple(parts),
        )
