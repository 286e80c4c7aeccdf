"""A folder on this machine as a release.

1. Its name is the digest of its content (after its VERSION, where it has one).
2. Staging brings it into an ``.incoming`` folder — a delta against the live one, unchanged files
   hard-linked — verifies the digest there and renames it. So a release that has its name is
   complete, and is never written to again.
3. Activation makes a new link and renames it over ``current``: at no instant is there none.
4. In place there is no link to switch: the live content is kept aside as a release of its own
   while staging, and activation copies over it. That is not atomic, and says so in the plan.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases import staging
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.layout import Layout, safe
from gapless.drivers.releases.tree import digest_tree
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault, Refused, StalePlan
from gapless.model import Command

ORIGINAL = "original"
"""Name of what was live in place before gapless came."""
COPY = 600.0
"""Limit in seconds of a copy between folders of one host."""
_SHORT = 12


class DirectoryRelease:
    """Releases from one folder to one folder."""

    def __init__(self, config: ReleaseConfig, service: str, project: str) -> None:
        self._config = config
        self._service = service
        self._project = project
        self._layout = Layout(config.to.rstrip("/"), config.in_place)

    @property
    def source(self) -> Path:
        """The folder on this machine."""
        return Path(self._config.directory or "")

    def resolve(self) -> ReleaseRef:
        """The version that is in the folder now. Raises Refused when there is none."""
        digest = self._digest()
        if not digest:
            raise Refused("the release's folder is empty", where=str(self.source))
        version = self._read("VERSION") or ""
        label = re.sub(r"[^A-Za-z0-9._+-]", "-", version.strip()).lstrip(".+-")[:60]
        name = f"{label}-{digest[:_SHORT]}" if label else digest[:_SHORT]
        wanted = self._config.schema_
        return ReleaseRef(
            name,
            digest,
            self._layout.path(name),
            self._schema(),
            wanted.reads if wanted else None,
        )

    async def current(self, transport: Transport) -> ReleaseRef | None:
        """The live one: what the link names, or in place what is there without one."""
        done = await transport.run(Command(("readlink", "--", self._layout.link)))
        if done.ok:
            return await self._known(transport, done.stdout.strip())
        if self._config.in_place and await staging.holds(transport, "-d", self._layout.to):
            return ReleaseRef(ORIGINAL, path=self._layout.path(ORIGINAL))
        return None

    async def stage(self, transport: Transport, ref: ReleaseRef) -> int:
        """Bring it, verify it, name it; bytes sent."""
        safe(ref.name)
        live = await self.current(transport)
        await self._prepare(transport, live)
        if self._config.in_place and live is not None and live.name != ref.name:
            await self._keep_aside(transport, live)
        path = ref.path or self._layout.path(ref.name)
        there = (await transport.digest([path]))[path]
        if there and (there == ref.digest or self._is_fixed(ref, live)):
            return 0
        sent = await self._bring(transport, ref, live)
        await self._write_known(transport, ref)
        await staging.enter(transport, self._layout.incoming(ref.name), path)
        return sent

    async def unstage(self, transport: Transport, ref: ReleaseRef) -> None:
        """Remove it unless it is live."""
        live = await self.current(transport)
        if live is not None and live.name == ref.name:
            raise Refused(f"{ref.name} is live and stays", where=transport.host)
        await self._remove(transport, ref.name)

    def activation(self, ref: ReleaseRef) -> tuple[Command, ...]:
        """Make it live. The first command ends the action where the release is not there: a link
        to nothing would be made without complaint."""
        layout = self._layout
        path = ref.path or layout.path(ref.name)
        new = layout.new_link(ref.name)
        return (
            Command(("test", "-d", path)),
            *(self._copy(path, layout.to) if self._config.in_place else ()),
            Command(("ln", "-sfn", "--", layout.pointee(ref), new)),
            Command(("mv", "-fT", "--", new, layout.link)),
        )

    async def prune(self, transport: Transport, keep: tuple[str, ...]) -> tuple[str, ...]:
        """Remove the oldest by the time they were brought; folders of others are left alone."""
        live = await self.current(transport)
        spared = {*keep, *([live.name] if live else [])}
        listed = await transport.run(Command(("ls", "-1t", "--", self._layout.releases)))
        names = [name.removesuffix(".json") for name in listed.stdout.split("\n")
                 if name.endswith(".json")]  # fmt: skip
        removed = [name for name in names if name not in spared][self._config.keep :]
        for name in removed:
            await self._remove(transport, name)
        return tuple(removed)

    # -- the source ------------------------------------------------------------------------------

    def _digest(self) -> str:
        try:
            return digest_tree(self.source, self._config.exclude)
        except OSError as error:
            raise Refused(
                f"the release's folder cannot be read: {error.strerror}",
                where=str(error.filename or self.source),
                next="gapless check",
            ) from error

    def _read(self, name: str) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return (self.source / name).read_text(encoding="utf-8", errors="replace")
        return None

    def _schema(self) -> int | None:
        wanted = self._config.schema_
        if wanted is None or wanted.file is None:
            return wanted.version if wanted else None
        text = (self._read(wanted.file) or "").strip()
        if not text.isdigit():
            where = str(self.source / wanted.file)
            raise Refused("the schema version is not an integer", where=where, evidence=text[:80])
        return int(text)

    # -- bringing it -----------------------------------------------------------------------------

    def _is_fixed(self, ref: ReleaseRef, live: ReleaseRef | None) -> bool:
        """Whether what is there is to be left although its content is no longer what it was: it
        is live, or the source has moved on and it is what a rollback goes back to."""
        return (live is not None and live.name == ref.name) or self._digest() != ref.digest

    async def _prepare(self, transport: Transport, live: ReleaseRef | None) -> None:
        link = self._layout.link
        if live is None and await staging.holds(transport, "-e", link):
            raise Refused(
                f"{link} is not a link; it cannot be switched in one step",
                where=transport.host,
                next=f"move it to {self._layout.releases}/NAME and link it, or set in_place: true",
            )
        if self._config.in_place and not await staging.succeeds(transport, "rsync", "--version"):
            raise Refused("in_place needs rsync on the host", where=transport.host)
        await staging.run(transport, "mkdir", "-p", "--", self._layout.releases)

    async def _bring(self, transport: Transport, ref: ReleaseRef, live: ReleaseRef | None) -> int:
        incoming = self._layout.incoming(ref.name)
        basis = live.path if live is not None else ""
        sent = await self._push(transport, incoming, basis)
        got = (await transport.digest([incoming]))[incoming]
        if got != ref.digest and self._digest() == ref.digest:
            # times and sizes alike, content not: the delta was fooled, bring all of it
            await staging.run(transport, "rm", "-rf", "--", incoming)
            sent += await self._push(transport, incoming, "")
            got = (await transport.digest([incoming]))[incoming]
        if got != ref.digest:
            await staging.discard(transport, incoming)
            raise self._mismatch(transport, ref, got)
        await self._own(transport, incoming)
        return sent

    async def _push(self, transport: Transport, incoming: str, basis: str) -> int:
        try:
            return await transport.push(
                self.source, incoming, exclude=self._config.exclude, link_from=basis
            )
        except HostFault:
            # a full disk must not stay full of the part that did fit
            await staging.discard(transport, incoming)
            raise

    def _mismatch(self, transport: Transport, ref: ReleaseRef, got: str) -> Exception:
        now = self._digest()
        if now != ref.digest:
            return StalePlan(
                f"the release's folder has changed since {ref.name} was planned",
                where=str(self.source),
                evidence=f"planned {ref.digest[:_SHORT]}, now {now[:_SHORT]}",
                next="gapless plan",
            )
        return HostFault(
            "what arrived is not what was sent",
            where=transport.host,
            evidence=f"sent {ref.digest[:_SHORT]}, arrived {got[:_SHORT]}",
        )

    async def _own(self, transport: Transport, path: str) -> None:
        # pushed with privilege the files are root's; who logs in would own what they copied by hand
        owner = self._config.owner or f"{(await transport.facts()).user}:"
        if owner not in ("root:", ":"):
            await staging.run(transport, "chown", "-Rh", "--", owner, path)

    async def _keep_aside(self, transport: Transport, live: ReleaseRef) -> None:
        """What is live goes back exactly as it was, hand-made changes included."""
        incoming = self._layout.incoming(live.name)
        for command in self._copy(self._layout.to, incoming):
            await staging.execute(transport, command)
        await self._write_known(transport, live)
        await staging.enter(transport, incoming, self._layout.path(live.name))

    def _copy(self, source: str, target: str) -> tuple[Command, ...]:
        excludes = [f"--exclude={pattern}" for pattern in self._config.exclude]
        # contents decide: reproducible builds give all their files one time
        argv = ("rsync", "-a", "--checksum", "--delete", *excludes)
        return (Command((*argv, "--", f"{source}/", f"{target}/"), timeout=COPY),)

    # -- what is known ---------------------------------------------------------------------------

    async def _known(self, transport: Transport, pointee: str) -> ReleaseRef:
        path = str(PurePosixPath(self._layout.base) / pointee)
        name = PurePosixPath(pointee).name
        found = ReleaseRef(name, path=path)
        if path != f"{self._layout.releases}/{name}":
            return found
        content = await transport.get(f"{path}.json")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return replace(ReleaseRef.from_json(json.loads(content or b"")), path=path)
        return found

    async def _write_known(self, transport: Transport, ref: ReleaseRef) -> None:
        text = json.dumps(ref.to_json(), indent=1)
        await transport.put(text.encode(), self._layout.known(ref.name), mode=0o644)

    async def _remove(self, transport: Transport, name: str) -> None:
        layout = self._layout
        paths = (layout.known(name), layout.incoming(name), layout.path(name))
        await staging.run(transport, "rm", "-rf", "--", *paths)
