"""Releases from a directory on the machine gapless runs on. What is built of one is kept by the
controller; of a plain one nothing is."""

from __future__ import annotations

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.carriers import Pushed
from gapless.drivers.releases.directory_origin import DirectoryOrigin
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.directory_source import Source
from gapless.drivers.releases.kept_source import KeptSource
from gapless.drivers.releases.versions import Versions
from gapless.drivers.releases.workshop import Workshop


class DirectoryRelease(Versions):
    """The versions of one service that come from a directory."""

    def __init__(self, config: ReleaseConfig, service: str, workshop: Workshop) -> None:
        places = Places.of(config, service)
        if config.build is None:
            source = Source(config, service, places)
            carrier = Pushed(lambda _: source.folder, config.exclude)
            super().__init__(config, service, places, source, carrier)
        else:
            origin = DirectoryOrigin(config, service, places)
            kept = KeptSource(config, service, places, workshop, origin)
            super().__init__(config, service, places, kept, Pushed(kept.folder))
