"""Addresses of git repositories: a path, or one of few protocols; no option, and no password.

git knows addresses that run programs (``ext::``) and ones that nobody vouches for (``git://``).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from gapless.config.base import Section

PROTOCOLS = ("file", "ssh", "https", "http")
"""What git may speak."""
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"^[A-Za-z0-9+.-]+::")
_SCP = re.compile(
    r"^(?:[A-Za-z0-9_][^/@:\s]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][^/:@\s]*):(?!//)\S+$"
)
_PASSWORD = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/@\s]*:[^/@\s]*@")
_TOKEN = re.compile(r"^https?://[^/@\s]+@")
_ODD = re.compile(r"[\x00-\x1f\x7f]")
_REF = re.compile(r"^(?!-)(?!.*(?:\.\.|@\{|//))[^\s~^:?*\[\\\x00-\x1f\x7f]+(?<![./])\Z")


def protocol_of(url: str) -> str:
    """One of PROTOCOLS; paths are ``file``. Raises ValueError with the reason in words."""
    if not url or url.startswith("-") or _ODD.search(url):
        raise ValueError(f"{url!r} is not the address of a git repository")
    if _HELPER.match(url):
        raise ValueError(f"{url!r} would run a program; write a path or {_spoken()}")
    if found := _SCHEME.match(url):
        kind = found.group(1).lower()
        if kind not in PROTOCOLS:
            raise ValueError(f"{kind}:// is not spoken here; write a path or {_spoken()}")
        if _PASSWORD.match(url) or _TOKEN.match(url):
            raise ValueError(
                "the address holds a password or a token, which everyone who reads a plan would"
                " see; give it to git's credential helper"
            )
        if re.match(r"^[^:]+://(?:[^/@]*@)?-", url):
            raise ValueError(f"{url!r}: a host cannot begin with a dash")
        return kind
    return "ssh" if _SCP.match(url) else "file"


def is_path(url: str) -> bool:
    """Whether it is a folder of this machine, as a path."""
    return protocol_of(url) == "file" and not _SCHEME.match(url)


def parse_git_url(value: Any) -> str:
    """A path, or an address that git may speak to."""
    if not isinstance(value, str):
        raise ValueError("write a path or an address of a git repository")
    protocol_of(value)
    return value


def parse_ref(value: Any) -> str:
    """A branch, a tag, a full ref or a commit; never an option."""
    if isinstance(value, (int, float)):
        raise ValueError(f"{value} reads as a number here; put it in quotes")
    if not isinstance(value, str) or not _REF.match(value):
        raise ValueError(f"{value!r} cannot be the name of a branch, a tag or a commit")
    return value


def _spoken() -> str:
    return ", ".join(f"{kind}://" for kind in PROTOCOLS)


GitUrl = Annotated[
    str,
    BeforeValidator(parse_git_url),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[^-\s].*$",
            "examples": ["/srv/git/shop.git", "git@git.shop.example:shop/api.git"],
        }
    ),
]
"""A path or an address of a git repository."""

GitRef = Annotated[
    str,
    BeforeValidator(parse_ref),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[^-\s].*$", "examples": ["main", "v2.4.1", "3f2a9c81d0"]}
    ),
]
"""A branch, a tag or a commit."""


class GitSshConfig(Section):
    """How git proves who it is, and knows the server, on the machine that fetches."""

    key: str | None = None
    """Private key; default: what ssh itself finds."""
    known_hosts: str | None = None
    """File of known host keys; default: that of ssh. An unknown key is refused in any case."""
