"""The driver over a real local transport."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gapless.config.hosts import HostConfig
from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.archive import ArchiveRelease
from gapless.drivers.releases.directory import DirectoryRelease
from gapless.drivers.releases.git import GitRelease
from gapless.drivers.releases.workshop import Workshop
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.testing.release_suite import ODD, ReleaseRig
from tests.unit.drivers.releases.sources import commit, pack


def workshop(beside: Path) -> Workshop:
    """A controller's folder beside the source; nobody builds on hosts."""
    return Workshop(beside.parent / "controller", _no_host)


def _no_host(name: str) -> Transport:
    raise AssertionError(f"{name} was asked")


def repository(source: Path) -> Path:
    """Where the repository of a work tree lies."""
    return source.parent / f"repo {ODD}.git"


def config(source: Path, to: Path, **settings: Any) -> ReleaseConfig:
    return ReleaseConfig.model_validate({"directory": str(source), "to": str(to), **settings})


class LocalRig(ReleaseRig):
    def transport(self, folder: Path) -> LocalTransport:
        return LocalTransport("web1", HostConfig(transport="local", state_dir=str(folder)))

    def release(self, source: Path, to: Path, **settings: Any) -> DirectoryRelease:
        if self.in_place:
            settings["in_place"] = True
        return DirectoryRelease(config(source, to, **settings), "shop.api", workshop(source))


class GitRig(LocalRig):
    """The source is the work tree of a repository that lies elsewhere, at an odd path."""

    every_mode = False
    fetch = "controller"

    def publish(self, source: Path) -> None:
        commit(source, repository(source), "what it holds now")

    def release(self, source: Path, to: Path, **settings: Any) -> GitRelease:
        given = {"git": str(repository(source)), "to": str(to), "fetch": self.fetch, **settings}
        if self.in_place:
            given["in_place"] = True
        return GitRelease(ReleaseConfig.model_validate(given), "shop.api", workshop(source))


class ArchiveRig(LocalRig):
    """The source is packed before it is looked at."""

    kind = ".tar.gz"
    links_outside = False

    def publish(self, source: Path) -> None:
        pack(source, source.parent / f"shop-1.4{self.kind}")

    def release(self, source: Path, to: Path, **settings: Any) -> ArchiveRelease:
        file = source.parent / f"shop-1.4{self.kind}"
        given = {"archive": str(file), "to": str(to), **settings}
        return ArchiveRelease(ReleaseConfig.model_validate(given), "shop.api", workshop(source))


class InPlaceRig(LocalRig):
    in_place = True
