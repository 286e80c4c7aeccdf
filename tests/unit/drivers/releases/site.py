"""A repository, a controller and hosts that are folders of this machine, for one test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapless.config.hosts import HostConfig
from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.git import GitRelease
from gapless.drivers.releases.workshop import Workshop
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from tests.unit.drivers.releases.sources import commit, make


@dataclass
class Site:
    """``tree`` is what is committed into ``repository``; every release made is a new process's."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository = make(self.folder / "shop.git")
        self.tree = self.folder / "tree"
        self.tree.mkdir()

    def write(self, name: str, content: str, mode: int = 0o644) -> None:
        """A file of the work tree."""
        file = self.tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)

    def commit(self, subject: str = "what it holds now", at: int = 1_700_000_000) -> str:
        """Commit the work tree."""
        return commit(self.tree, self.repository, subject, at)

    def workshop(self) -> Workshop:
        """The controller's folder."""
        return Workshop(self.folder / "controller", self.host)

    def host(self, name: str) -> Transport:
        """A host."""
        state = str(self.folder / f"state-{name}")
        return LocalTransport(name, HostConfig(transport="local", state_dir=state))

    def to(self, host: str) -> Path:
        """Where its releases go."""
        return self.folder / "srv" / host

    def release(self, host: str = "web1", **settings: Any) -> GitRelease:
        """The driver, for releases to one host."""
        given = {"git": str(self.repository), "to": str(self.to(host)), **self.settings, **settings}
        return GitRelease(ReleaseConfig.model_validate(given), "shop.api", self.workshop())

    def resolve(self, name: str = "", **settings: Any) -> ReleaseRef:
        """What is meant now."""
        return self.release(**settings).resolve(name)

    def deploy(self, host: str = "web1", name: str = "", **settings: Any) -> ReleaseRef:
        """Resolve, stage and activate on a host."""
        return asyncio.run(self._deploy(self.host(host), host, name, settings))

    def on(self, transport: Transport, name: str = "", **settings: Any) -> ReleaseRef:
        """The same over another transport, whose host is called as it is."""
        return asyncio.run(self._deploy(transport, transport.host, name, settings))

    async def _deploy(
        self, transport: Transport, host: str, name: str, settings: dict[str, Any]
    ) -> ReleaseRef:
        release = self.release(host, **settings)
        await transport.connect()
        try:
            ref = release.resolve(name)
            await release.stage(transport, ref)
            for command in release.activation(ref):
                assert (await transport.run(command)).ok or not command.check
            await release.prune(transport, (ref.name,))
        finally:
            await transport.close()
        return ref

    def live(self, host: str = "web1") -> Path:
        """The folder a service would run from."""
        return self.to(host) / "current"

    def store(self, kind: str) -> Path:
        """A folder of the controller's."""
        return self.folder / "controller" / kind

    def shelf(self, kind: str) -> Path:
        """What it keeps there of the service."""
        (shelf,) = self.store(kind).iterdir()
        return shelf


def files(folder: Path) -> Sequence[str]:
    """Names of all files in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
