"""Releases out of a git repository.

1. A ref is resolved to a commit once, on the controller, when the plan is made; the plan, the
   journal and every host are told the commit.
2. The repository is only read: no tags, no refs, no settings, nothing is left in it.
3. The controller makes the release of the commit: its files and those of its submodules, without
   what is excluded, and what the build leaves. Its digest is what every host is compared with,
   whichever way the files come to it.
"""

from __future__ import annotations

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.carriers import Carrier, Pushed
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.git_fetched import Fetched
from gapless.drivers.releases.git_origin import GitOrigin
from gapless.drivers.releases.kept_source import KeptSource
from gapless.drivers.releases.versions import Versions
from gapless.drivers.releases.workshop import Workshop


class GitRelease(Versions):
    """The versions of one service that come from a repository."""

    def __init__(self, config: ReleaseConfig, service: str, workshop: Workshop) -> None:
        places = Places.of(config, service)
        source = KeptSource(config, service, places, workshop, GitOrigin(config, workshop))
        carrier: Carrier = (
            Fetched(places, config.ssh, source.folder, source.more)
            if config.fetch == "host"
            else Pushed(source.folder)
        )
        super().__init__(config, service, places, source, carrier)
