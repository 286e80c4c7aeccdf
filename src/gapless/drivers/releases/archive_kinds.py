"""Kinds of archives by the end of their names, and how each is opened."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gapless.errors import Refused, UsageError

KINDS = (".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar", ".zip")
_ZSTD = (".tar.zst", ".tzst")
_LIMIT = 3600.0
_TORN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError
)  # fmt: skip


def kind_of(name: str, where: str) -> str:
    """One of KINDS; UsageError for any other file."""
    for kind in KINDS:
        if name.endswith(kind):
            return kind
    raise UsageError(
        "this is no archive by its name",
        where=where,
        evidence=f"the kinds are {', '.join(KINDS)}",
        next="gapless explain release.archive",
    )


@contextlib.contextmanager
def opened(file: Path, kind: str, where: str) -> Iterator[IO[bytes]]:
    """The file, for its kind; what is wrong with it while it is read is said as Refused."""
    try:
        if kind in _ZSTD:
            with _decompressed(file, where) as content:
                yield content
        else:
            with file.open("rb") as content:
                yield content
    except _TORN as error:
        raise Refused(
            f"the archive cannot be unpacked: {error}",
            where=where,
            next=f"look into it: {'unzip -t' if kind == '.zip' else 'tar -tf'} {file}",
        ) from error


@contextlib.contextmanager
def _decompressed(file: Path, where: str) -> Iterator[IO[bytes]]:
    if shutil.which("zstd") is None:
        raise UsageError(
            "zstd is needed on this machine for this archive",
            where=where,
            next="apt-get install zstd",
        )
    argv = ["zstd", "-d", "-q", "-c", "--", str(file)]
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process.stdout
        process.stdout.read()  # what follows the end of a tar
        if process.wait(_LIMIT):
            raise tarfile.TarError(process.stderr.read().decode(errors="replace").strip())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
