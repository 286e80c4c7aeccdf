"""The driver over a real local transport."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gapless.config.hosts import HostConfig
from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.directory import DirectoryRelease
from gapless.drivers.transports.local import LocalTransport
from gapless.testing.release_suite import ReleaseRig


def config(source: Path, to: Path, **settings: Any) -> ReleaseConfig:
    return ReleaseConfig.model_validate({"directory": str(source), "to": str(to), **settings})


class LocalRig(ReleaseRig):
    def transport(self, folder: Path) -> LocalTransport:
        return LocalTransport("web1", HostConfig(transport="local", state_dir=str(folder)))

    def release(self, source: Path, to: Path, **settings: Any) -> DirectoryRelease:
        if self.in_place:
            settings["in_place"] = True
        return DirectoryRelease(config(source, to, **settings), "shop.api", "shop")


class InPlaceRig(LocalRig):
    in_place = True
