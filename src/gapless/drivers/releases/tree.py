"""What is in a folder on this machine, and its digest by the rule every host uses.

The digest covers names, kinds, permission bits, contents and link targets, not times and owners:
the same release gives the same name on every machine it is built or unpacked on.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from gapless.drivers.releases.excludes import Excludes

_CHUNK = 1 << 20


def digest_tree(root: Path, exclude: Sequence[str] = ()) -> str:
    """sha256 of everything below ``root`` that is not excluded; "" when that is nothing.

    Raises OSError where something cannot be read."""
    total = hashlib.sha256()
    empty = True
    for name, path in _walk(root, "", Excludes(exclude)):
        total.update(_entry(name, path))
        empty = False
    return "" if empty else total.hexdigest()


def _walk(folder: Path, prefix: str, rules: Excludes) -> Iterator[tuple[str, Path]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name)):
        name = prefix + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.match(name, folder=is_folder):
            continue
        yield name, Path(entry.path)
        if is_folder:
            yield from _walk(Path(entry.path), f"{name}/", rules)


def _entry(name: str, path: Path) -> bytes:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"link\0{name}\0{path.readlink()}\n".encode(errors="surrogateescape")
    kind, content = "other", ""
    if stat.S_ISDIR(mode):
        kind = "dir"
    elif stat.S_ISREG(mode):
        kind, content = "file", _sha256(path)
    line = f"{kind}\0{name}\0{stat.S_IMODE(mode):o}\0{content}\n"
    return line.encode(errors="surrogateescape")


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
