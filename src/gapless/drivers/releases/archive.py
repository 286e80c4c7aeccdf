"""Releases out of an archive: a file here, or one that is fetched and compared with its sha256."""

from __future__ import annotations

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.archive_origin import ArchiveOrigin
from gapless.drivers.releases.carriers import Pushed
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.kept_source import KeptSource
from gapless.drivers.releases.versions import Versions
from gapless.drivers.releases.workshop import Workshop


class ArchiveRelease(Versions):
    """The versions of one service that come from archives."""

    def __init__(self, config: ReleaseConfig, service: str, workshop: Workshop) -> None:
        places = Places.of(config, service)
        source = KeptSource(config, service, places, workshop, ArchiveOrigin(config, workshop))
        super().__init__(config, service, places, source, Pushed(source.folder))
