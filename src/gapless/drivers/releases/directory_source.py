"""The source of a directory release: what is in it, what it is called, which schema it needs."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.directory_places import Places
from gapless.drivers.releases.excludes import Excludes
from gapless.errors import Refused, ReleaseGone, StalePlan, UsageError
from gapless.hostside import files

SHORT = 12
"""Hex digits of the digest in a name."""
_LONGEST_VERSION = 40
_VERSION = "VERSION"
_READ = 4096


@dataclass(frozen=True, slots=True)
class Content:
    """What a look at the source found."""

    digest: str
    version: str = ""
    set_id: str = ""
    """A file with a set-user-ID or set-group-ID bit, if there is one."""


class Source:
    """The local folder. It is read once a process; ``look`` reads it again."""

    def __init__(self, config: ReleaseConfig, service: str, places: Places) -> None:
        self.folder = Path(config.directory or "")
        self._config = config
        self._service = service
        self._places = places
        self._excludes = Excludes(config.exclude)
        self._lock = Lock()
        self._resolved: ReleaseRef | None = None

    @property
    def where(self) -> str:
        """What a person calls it."""
        return str(self.folder)

    def resolve(self, name: str = "") -> ReleaseRef:
        """The version it holds (as it was when first asked); ReleaseGone when that is not the one
        called ``name``."""
        with self._lock:
            if self._resolved is None:
                self._resolved = self._read()
            now = self._resolved
        if name not in ("", now.name):
            raise ReleaseGone(
                f"release {name} cannot be had any more",
                where=self._service,
                evidence=f"{self.folder} is {now.name} ({now.digest}); of a directory nothing else"
                " is kept",
                next=f"gapless plan deploy {self._service}",
            )
        return now

    def check(self, ref: ReleaseRef) -> None:
        """Raise StalePlan when it is not what was planned."""
        now = self.resolve()
        if now.digest != ref.digest:
            raise StalePlan(
                "the source is not the release that was planned",
                where=self.where,
                evidence=f"planned {ref.name} ({ref.digest}), is {now.name} ({now.digest})",
                next=f"gapless plan deploy {self._service}",
            )

    def digest_now(self, ref: ReleaseRef) -> str:
        """What is in it at this moment."""
        return self.look().digest

    def needed_by(self, host: str, names: tuple[str, ...]) -> None:
        """Of a directory nothing is kept here."""

    def look(self) -> Content:
        """Read all of it, now."""
        self.check_patterns()
        try:
            return self._content()
        except OSError as error:
            raise self._refused(
                f"the release cannot be read: {error.strerror}", str(error.filename or self.folder)
            ) from error

    def _read(self) -> ReleaseRef:
        content = self.look()
        if content.set_id and self._config.owner:
            raise self._refused(
                f"{content.set_id} has a set-ID bit, which giving files to"
                f" {self._config.owner} takes away",
                str(self.folder),
                "take the bit away in the build, or leave out owner",
            )
        name = content.digest[:SHORT]
        name = f"{content.version}-{name}" if content.version else name
        schema = self._schema()
        reads = self._config.schema_.reads if self._config.schema_ else None
        return ReleaseRef(name, content.digest, self._places.version(name), schema, reads)

    def _content(self) -> Content:
        total, set_id, version, count = hashlib.sha256(), "", "", 0
        for name, full, mode in self._walk(str(self.folder), ""):
            # The very lines a host's digest is made of, so that both can be compared.
            total.update(files.tree_line(name, full))
            count += 1
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                set_id = set_id or name
            if name == _VERSION and stat.S_ISREG(mode):
                version = _version(full)
        if not count:
            raise self._refused("the release is empty", str(self.folder))
        return Content(total.hexdigest(), version, set_id)

    def _walk(self, folder: str, prefix: str) -> Iterator[tuple[str, str, int]]:
        for entry in sorted(os.listdir(folder), key=os.fsencode):  # noqa: PTH208 - names
            name, full = prefix + entry, f"{folder}/{entry}"
            mode = os.lstat(full).st_mode
            is_folder = stat.S_ISDIR(mode)
            if self._excludes.match(name, folder=is_folder):
                continue
            yield name, full, mode
            if is_folder:
                yield from self._walk(full, name + "/")

    def _schema(self) -> int | None:
        schema = self._config.schema_
        if schema is None or schema.file is None:
            return schema.version if schema else None
        file = self.folder / schema.file
        try:
            with file.open("rb") as opened:
                return int(opened.read(_READ).decode().strip())
        except OSError as error:
            what = f"the schema version cannot be read: {error.strerror}"
        except ValueError:
            what = "the schema version is not an integer"
        raise self._refused(what, str(file))

    def check_patterns(self) -> None:
        """Whatever rsync would read in another way than ``Excludes`` is said here, in words,
        rather than by a digest that does not match."""
        for pattern in self._config.exclude:
            if pattern == "!" or pattern[:2] in ("+ ", "- "):
                why = "is a rule of rsync's, not a pattern"
            elif "***" in pattern:
                why = "has three stars; the name of a folder leaves out all that is in it"
            elif "\\" in pattern and any(wild in pattern for wild in "*?["):
                why = "has a backslash beside wildcards; write [*] for a star"
            else:
                continue
            raise UsageError(
                f"exclude: {pattern!r} {why}", where=self._service, next="gapless check"
            )

    def _refused(self, what: str, where: str, next_: str = "") -> Refused:
        again = f"build the release, then: gapless plan deploy {self._service}"
        return Refused(what, where=where, next=next_ or again)


def _version(file: str) -> str:
    """The first line of a VERSION file, as far as it can be part of a folder's name."""
    with Path(file).open("rb") as opened:
        lines = opened.read(_READ).decode(errors="replace").splitlines()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", lines[0].strip() if lines else "")
    return plain.lstrip(".-")[:_LONGEST_VERSION].rstrip(".-")
