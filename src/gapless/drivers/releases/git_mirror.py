"""Our own bare copy of a repository on this machine. The repository itself is only ever read.

A commit that was brought once is kept by a ref of ours: a branch that is moved or deleted there
takes nothing from what was deployed.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gapless.config.git_url import GitSshConfig
from gapless.drivers.releases import git_refs
from gapless.drivers.releases.git_commands import ATTRIBUTES, Git, environment
from gapless.drivers.releases.here import Here, own_environment
from gapless.drivers.releases.telling import tell
from gapless.drivers.releases.workshop import Workshop, locked, short_hash
from gapless.errors import Refused, UsageError
from gapless.model import Command, Completed

OURS = (
    "PATH", "HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
"""Variables of ours that git may see: those by which it finds its way and its credentials."""
LOCK = 1800.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a commit says of itself."""

    time: int
    subject: str


class Mirror:
    """The copy of one repository."""

    def __init__(self, workshop: Workshop, url: str, ssh: GitSshConfig | None) -> None:
        self.url = url
        self._workshop = workshop
        self._git = Git({**own_environment(*OURS), **environment(ssh)})
        self._here = Here()
        self._advertised: Mapping[str, str] | None = None

    async def resolve(self, ref: str | None) -> str:
        """The commit ``ref`` means now, in the mirror when this returns."""
        if ref is not None and git_refs.is_whole(ref) and await self._has(ref):
            return ref
        refs = await self.advertised()
        commit = ref if ref and git_refs.is_whole(ref) else git_refs.commit_of(ref, refs, self.url)
        if commit:
            await self.bring(commit)
            return commit
        assert ref is not None
        return await self.find(ref)

    async def advertised(self) -> Mapping[str, str]:
        """Its refs, asked once."""
        if self._advertised is None:
            done = await self._run(self._git.advertised(self.url))
            self._advertised = git_refs.read(done.stdout)
        return self._advertised

    async def bring(self, commit: str) -> None:
        """Have a commit, from the repository if need be."""
        async with self._own() as folder:
            if not await self._has(commit):
                await self._fetch(folder, commit)
            if not (await self._here.run(self._git.has(folder, commit))).ok:
                raise UsageError(
                    f"{commit} is not a commit of this repository",
                    where=self.url,
                    next=f"git ls-remote {self.url}",
                )
            await self._run(self._git.keep(folder, commit))

    async def find(self, begin: str) -> str:
        """The one commit that begins so: known already, or in the repository's history."""
        async with self._own() as folder:
            found = await self._here.run(self._git.find(folder, begin))
            if not found.ok:
                await self._run(self._git.fetch(folder, self.url))
                found = await self._here.run(self._git.find(folder, begin))
        if not found.ok and "ambiguous" in found.stderr:
            raise UsageError(
                f"more than one commit begins with {begin}",
                where=self.url,
                evidence=found.evidence(),
                next="write more digits of it as ref",
            )
        if not found.ok:
            raise git_refs.unknown(begin, await self.advertised(), self.url)
        await self.bring(found.stdout.strip())
        return found.stdout.strip()

    async def told(self, commit: str) -> Told:
        """When it was made, and its subject line."""
        done = await self._run(self._git.told(self._folder, commit))
        time, _, subject = done.stdout.splitlines()[0].partition(" ")
        return Told(int(time), subject)

    async def tree(self, commit: str) -> str:
        """Every entry of it, as ``ls-tree -z`` prints them."""
        return (await self._run(self._git.tree(self._folder, commit))).stdout

    async def modules(self, commit: str) -> str:
        """What its .gitmodules says, as ``config -z`` prints it."""
        return (await self._run(self._git.modules(self._folder, commit))).stdout

    async def archive(self, commit: str, file: Path) -> None:
        """Its files as a tar."""
        await self._run(self._git.archive(self._folder, commit, str(file)))

    @property
    def _folder(self) -> str:
        return str(self._workshop.place("git") / f"{short_hash(self.url)}.git")

    @contextlib.asynccontextmanager
    async def _own(self) -> AsyncIterator[str]:
        """The mirror's folder, made when it is not there, while nobody else writes into it."""
        lock = self._workshop.place("git") / f"{short_hash(self.url)}.lock"
        async with locked(lock, LOCK, lambda who: tell(f"waiting: {who} reads {self.url}")):
            folder = Path(self._folder)
            if not self._is_made():
                await self._run(self._git.make(str(folder)))
                (folder / "info").mkdir(exist_ok=True)
                (folder / "info" / "attributes").write_text(ATTRIBUTES)
            yield str(folder)

    async def _has(self, commit: str) -> bool:
        if not self._is_made():
            return False
        return (await self._here.run(self._git.has(self._folder, commit))).ok

    def _is_made(self) -> bool:
        return Path(self._folder, "info", "attributes").exists()

    async def _fetch(self, folder: str, commit: str) -> None:
        tell(f"fetching {self.url}")
        await self._run(self._git.fetch(folder, self.url))
        if not await self._has(commit):  # of another ref, or a branch moved away meanwhile
            await self._here.run(self._git.fetch(folder, self.url, (commit,)))

    async def _run(self, command: Command) -> Completed:
        done = await self._here.run(command)
        if done.ok and not done.dropped:
            return done
        raise self._failed(done)

    def _failed(self, done: Completed) -> Refused:
        what = "did not end in time" if done.timed_out else f"ended with status {done.status}"
        what = f"said {done.dropped:,} bytes too much" if done.dropped else what
        return Refused(
            f"the git repository cannot be read: git {what}",
            where=self.url,
            evidence=done.evidence(),
            next=f"git ls-remote {self.url}",
        )
