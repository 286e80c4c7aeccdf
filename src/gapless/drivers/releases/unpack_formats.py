"""The entries of tars and zips, as they are read from beginning to end."""

from __future__ import annotations

import calendar
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gapless.drivers.releases.unpack import Entry, Rules, Unpacking
from gapless.errors import Refused

_LONGEST_LINK = 1 << 16


def unpack_tar(file: IO[bytes], into: Path, rules: Rules) -> None:
    """A tar that is not compressed, or by gzip or xz."""
    with tarfile.open(fileobj=file, mode="r|*") as tar:
        _take_all(_tar_entries(tar, rules), into, rules)


def unpack_zip(file: IO[bytes], into: Path, rules: Rules) -> None:
    """A zip."""
    with zipfile.ZipFile(file) as archive:
        _take_all(_zip_entries(archive, rules), into, rules)


def _take_all(entries: Iterator[Entry], into: Path, rules: Rules) -> None:
    unpacking = Unpacking(into, rules)
    for entry in entries:
        unpacking.take(entry)
    unpacking.finish()


def _tar_entries(tar: tarfile.TarFile, rules: Rules) -> Iterator[Entry]:
    for member in tar:
        mode, time = member.mode, float(member.mtime)
        if member.isreg():
            yield Entry(member.name, "file", mode, time, content=tar.extractfile(member))
        elif member.isdir():
            yield Entry(member.name, "folder", mode, time)
        elif member.issym():
            yield Entry(member.name, "link", mode, time, member.linkname)
        elif member.islnk():
            yield Entry(member.name, "copy", mode, time, member.linkname)
        else:
            raise Refused(
                f"{member.name!r} is neither file, folder nor link",
                where=rules.where,
                next=f"look into {rules.where} before it is used again",
            )


def _zip_entries(archive: zipfile.ZipFile, rules: Rules) -> Iterator[Entry]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        time = _zip_time(info)
        if info.flag_bits & 1:
            raise Refused(f"{info.filename!r} is encrypted", where=rules.where)
        if info.is_dir():
            yield Entry(info.filename, "folder", mode & 0o7777 or 0o755, time)
        elif stat.S_ISLNK(mode):
            target = archive.read(info) if info.file_size < _LONGEST_LINK else b""
            yield Entry(info.filename, "link", 0o777, time, os.fsdecode(target))
        elif mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise Refused(f"{info.filename!r} is neither file, folder nor link", where=rules.where)
        else:
            with archive.open(info) as content:
                yield Entry(info.filename, "file", mode & 0o7777 or 0o644, time, content=content)


def _zip_time(info: zipfile.ZipInfo) -> float:
    """A zip has local times without a zone: read as UTC, they are the same everywhere."""
    return float(calendar.timegm((*info.date_time, 0, 0, 0)))
