"""Where everything of a directory release lies on a host.

With a link:                        In place:
  TO/current -> releases/NAME         TO                            the live content
  TO/releases/NAME/                   TO.gapless-release            what it is (JSON)
  TO/releases/.NAME.json              TO.gapless-previous/NAME/     staged, and kept aside
                                      TO.gapless-previous/.NAME.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from gapless.config.releases import ReleaseConfig
from gapless.errors import UsageError

INCOMING = ".incoming"
"""Ends the name of a folder that is still being filled."""
REMOVED = ".removed"
"""Ends the name of a folder that is being removed."""


@dataclass(frozen=True, slots=True)
class Places:
    """``top`` is ``to`` of the configuration, ``store`` the folder that holds the versions."""

    top: str
    store: str

    @classmethod
    def of(cls, config: ReleaseConfig, service: str) -> Places:
        """The places of a service; a ``to`` that would be dangerous is refused."""
        top = PurePosixPath(config.to)
        if not top.is_absolute() or not top.name or ".." in top.parts:
            raise UsageError(
                f"release.to of {service} is {config.to!r}, not the absolute path of a folder"
                " of its own",
                where=service,
                next="gapless check",
            )
        # Two slashes at the start are one place of POSIX's own choosing: here they mean one.
        plain = "/" + str(top).lstrip("/")
        return cls(plain, f"{plain}.gapless-previous" if config.in_place else f"{plain}/releases")

    def version(self, name: str) -> str:
        """Folder of a complete version."""
        return f"{self.store}/{name}"

    def incoming(self, name: str) -> str:
        """Folder of a version while it is being filled; never taken for a release."""
        return f"{self.store}/.{name}{INCOMING}"

    def removed(self, name: str) -> str:
        """Folder of a version while it is being removed."""
        return f"{self.store}/.{name}{REMOVED}"

    def note(self, name: str) -> str:
        """What a version is, as JSON; its presence says that gapless brought it."""
        return f"{self.store}/.{name}.json"
