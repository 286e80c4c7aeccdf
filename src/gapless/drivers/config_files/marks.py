"""Digests of configuration that do not give away what is in it.

A plain digest of a file with a short password in it can be searched for the password. A mark is
keyed by a secret of the controller, so that only this controller can tell whether two are the same;
it begins with the name of the key, so that marks of another controller are known as such.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from gapless.drivers.config_files.base import FILE, LiveFile, RenderedFile


@dataclass(frozen=True, slots=True)
class Marks:
    """Makes marks with one key."""

    key: bytes = field(repr=False)

    def of_live(self, files: Iterable[LiveFile]) -> str:
        """Of what is on a host; the owner counts as far as the files name one."""
        return self._mark([[f.path, f.kind, f.mode, f.owner, f.target, f.sha256] for f in files])

    def of_rendered(self, files: Iterable[RenderedFile]) -> str:
        """Of what is to be there: the same once it is."""
        return self.of_live(as_live(file) for file in files)

    def knows(self, mark: str) -> bool:
        """Whether it was made with this key."""
        return mark.partition("-")[0] == self._name

    @property
    def _name(self) -> str:
        return hashlib.sha256(b"name of " + self.key).hexdigest()[:6]

    def _mark(self, data: object) -> str:
        text = json.dumps(data, sort_keys=True).encode()
        return f"{self._name}-{hmac.new(self.key, text, hashlib.sha256).hexdigest()[:20]}"


def as_live(file: RenderedFile) -> LiveFile:
    """The file as it is found once it is there."""
    sha256 = hashlib.sha256(file.content).hexdigest()
    return LiveFile(file.path, FILE, file.mode, file.owner, sha256)
