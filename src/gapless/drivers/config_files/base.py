"""What a configuration file is to be on a host, and what it is there now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LIMIT = 1 << 20
"""Bytes a configuration file may have, and of one that is read to be compared."""
FILE, LINK, ABSENT, OTHER = "file", "link", "absent", "other"


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One file as it is to be. ``shown`` is what a person may see of it, secrets taken out; None
    when it is no text, or nobody's to read. ``owner`` "" is who writes it: the login, or root."""

    path: str
    content: bytes = field(repr=False)
    shown: str | None
    mode: int
    owner: str = ""
    secret: bool = False
    source: str = ""
    validate: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveFile:
    """One path of a host. ``kind``: file, link, absent, other (a folder, a socket …); ``sha256`` of
    a file's content; ``target`` of a link; ``missing`` folders above it, the outermost first.
    ``owner`` is told as far as it was asked for, and where it is not the ``writer``, whose a file
    is when nobody is asked for."""

    path: str
    kind: str
    mode: int = 0
    owner: str = ""
    sha256: str = ""
    target: str = ""
    missing: tuple[str, ...] = ()
    writer: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """What a journal may hold of it: nothing of the content."""
        return {"path": self.path, "kind": self.kind, "missing": list(self.missing)}


@dataclass(frozen=True, slots=True)
class Written:
    """What a host remembers of a file that gapless wrote: its mark, and what a person may see of
    it where there are secrets in it."""

    mark: str
    shown: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data for the host's memory."""
        return {"mark": self.mark, **({} if self.shown is None else {"shown": self.shown})}

    @classmethod
    def all_from(cls, known: Mapping[str, Any]) -> dict[str, Written]:
        """By path, from what a host remembers of a service."""
        files = ((known.get("last_good") or {}).get("config") or {}).get("files") or {}
        return {path: cls(data["mark"], data.get("shown")) for path, data in files.items()}


def beside(path: str, word: str = "") -> str:
    """A hidden name in the same folder: on the same file system, and of no interest to programs
    that read all files of a folder."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.gapless-{name}{word}"


def staged(path: str) -> str:
    """Where the new file waits."""
    return beside(path, ".new")
