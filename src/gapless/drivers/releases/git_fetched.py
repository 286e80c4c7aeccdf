"""A commit fetched by the host itself: a bare mirror there, and an export into each release's
folder.

1. The mirror lies among the releases, hidden; what it has already is not fetched again.
2. The commit was resolved once, on the controller: no host asks what a branch means.
3. The files come out of the mirror as they do on the controller (``git_commands``), so both have
   the same digest. What the configuration excludes is removed by the names the controller found.
4. What a build left is pushed beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from gapless.config.git_url import GitSshConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.directory_host import LONG, do, is_folder, run
from gapless.drivers.releases.directory_places import INCOMING, Places
from gapless.drivers.releases.git_commands import ATTRIBUTES, Git, environment
from gapless.drivers.releases.git_export import Part
from gapless.drivers.releases.workshop import short_hash
from gapless.drivers.transports.base import Transport
from gapless.errors import ActionFailed
from gapless.model import Command

_AT_ONCE = 200
"""Names in one command."""


class Fetched:
    """``folder`` and ``more`` tell what the controller made of the same commit."""

    def __init__(
        self,
        places: Places,
        ssh: GitSshConfig | None,
        folder: Callable[[ReleaseRef], Path],
        more: Callable[[ReleaseRef], dict[str, Any]],
    ) -> None:
        self._places = places
        self._git = Git(environment(ssh))
        self._folder = folder
        self._more = more

    async def fill(self, transport: Transport, ref: ReleaseRef, incoming: str, linked: str) -> int:
        """Fetch and export all parts, then what is not in git; bytes of all that."""
        told, brought = self._more(ref), 0
        for part in (Part(*words) for words in told.get("parts", [])):
            mirror = await self._mirror(transport, part)
            brought += await self._export(transport, mirror, part, incoming, ref.name)
        await _remove(transport, incoming, told.get("excluded", []))
        for name in told.get("artifact", {}).get("names", []):
            brought += await self._push(transport, ref, incoming, linked, name)
        return brought

    async def _mirror(self, transport: Transport, part: Part) -> str:
        """The mirror that has the commit."""
        mirror = f"{self._places.store}/.{short_hash(part.url)}.git"
        attributes = f"{mirror}/info/attributes"
        if not (await do(transport, "test", "-f", attributes, fine=(0, 1))).ok:
            await self._do(transport, self._git.make(mirror), part)
            await do(transport, "mkdir", "-p", "--", f"{mirror}/info")
            await transport.put(ATTRIBUTES.encode(), attributes, mode=0o644)
        if not await self._has(transport, mirror, part):
            await self._do(transport, self._git.fetch(mirror, part.url), part)
        if not await self._has(transport, mirror, part):  # of a ref that is no branch and no tag
            await self._do(transport, self._git.fetch(mirror, part.url, (part.commit,)), part)
        await self._do(transport, self._git.keep(mirror, part.commit), part)
        return mirror

    async def _has(self, transport: Transport, mirror: str, part: Part) -> bool:
        return (await transport.run(self._git.has(mirror, part.commit))).ok

    async def _export(
        self, transport: Transport, mirror: str, part: Part, incoming: str, name: str
    ) -> int:
        target = f"{incoming}/{part.path}".rstrip("/")
        tar = f"{self._places.store}/.{name}.tar{INCOMING}"
        try:
            await self._do(transport, self._git.archive(mirror, part.commit, tar), part)
            size = await do(transport, "stat", "-c", "%s", "--", tar)
            await do(transport, "mkdir", "-p", "--", target)
            await do(
                transport, "tar", "-x", "-p", "--no-same-owner", "-f", tar, "-C", target,
                timeout=LONG,
            )  # fmt: skip
        finally:
            await run(transport, "rm", "-f", "--", tar)
        return int(size.stdout)

    async def _push(
        self, transport: Transport, ref: ReleaseRef, incoming: str, linked: str, name: str
    ) -> int:
        """A folder of the artifact. A lone file is put; it is what lock files are made to."""
        source = self._folder(ref) / name
        target = f"{incoming}/{name}"
        if not source.is_dir():
            content = source.read_bytes()
            await transport.put(content, target, mode=source.stat().st_mode & 0o777)
            return len(content)
        await do(transport, "rm", "-rf", "--", target, timeout=LONG)
        await do(transport, "mkdir", "-p", "--", target)
        before = f"{linked}/{name}" if linked else ""
        if before and not await is_folder(transport, before):
            before = ""
        sent = await transport.push(source, target, link_from=before)
        for path in (PurePosixPath(name), *PurePosixPath(name).parents[:-1]):
            mode = (self._folder(ref) / path).stat().st_mode & 0o777
            await do(transport, "chmod", f"{mode:o}", "--", f"{incoming}/{path}")
        return sent

    async def _do(self, transport: Transport, command: Command, part: Part) -> None:
        done = await transport.run(command)
        if done.ok:
            return
        what = "did not end in time" if done.timed_out else f"ended with status {done.status}"
        raise ActionFailed(
            f"git {what} on the host",
            where=transport.host,
            evidence=f"$ {command}\n{done.evidence()}".rstrip(),
            next=f"on {transport.host}: git ls-remote {part.url}; or release.fetch: controller",
        )


async def _remove(transport: Transport, incoming: str, names: Sequence[str]) -> None:
    for begin in range(0, len(names), _AT_ONCE):
        paths = [f"{incoming}/{name}" for name in names[begin : begin + _AT_ONCE]]
        await do(transport, "rm", "-rf", "--", *paths, timeout=LONG)
