"""Where releases are on a host.

    TO/releases/NAME          complete releases; each came here by one rename
    TO/releases/NAME.json     what is known of it, written before that rename
    TO/releases/NAME.incoming being brought, never live
    TO/current                link to the live one, switched by rename(2)

In place, TO is the live content itself and all of this is in TO.gapless beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gapless.drivers.releases.base import ReleaseRef
from gapless.errors import Refused

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one service's releases."""

    to: str
    in_place: bool

    @property
    def base(self) -> str:
        """What holds releases and link."""
        return f"{self.to}.gapless" if self.in_place else self.to

    @property
    def releases(self) -> str:
        """The folder of all releases."""
        return f"{self.base}/releases"

    @property
    def link(self) -> str:
        """What names the live one."""
        return f"{self.base}/current"

    def new_link(self, name: str) -> str:
        """The link before it takes the place of the live one."""
        return f"{self.base}/.current.{safe(name)}"

    def path(self, name: str) -> str:
        """A release's folder."""
        return f"{self.releases}/{safe(name)}"

    def incoming(self, name: str) -> str:
        """The folder it is brought into."""
        return f"{self.path(name)}.incoming"

    def known(self, name: str) -> str:
        """The file of what is known of it."""
        return f"{self.path(name)}.json"

    def pointee(self, ref: ReleaseRef) -> str:
        """What the link says: relative for our own, so that TO may be moved or mounted elsewhere;
        as it was for a release that somebody else had put somewhere."""
        own = ref.path in ("", self.path(ref.name))
        return f"releases/{ref.name}" if own else ref.path


def safe(name: str) -> str:
    """A name that is one harmless path component; anything else is refused, for it is about to be
    removed or renamed with privilege."""
    if not _SAFE.fullmatch(name):
        raise Refused(f"{name!r} is not the name of a release")
    return name
