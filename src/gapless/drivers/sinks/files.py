"""Private files: 0600 in folders made 0700, unless they are for others."""

from __future__ import annotations

import os
from pathlib import Path


def private_folder(folder: Path) -> None:
    """Make the folder and what is missing above it, for the owner only."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def append_line(path: Path, line: str) -> None:
    """Append one line in one write, so that lines of two programs never mix."""
    private_folder(path.parent)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, line.encode() + b"\n")
    finally:
        os.close(handle)


def replace_file(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Write the whole file in one rename."""
    private_folder(path.parent)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
        os.fchmod(handle, mode)  # a umask would take from it
    fresh.replace(path)
