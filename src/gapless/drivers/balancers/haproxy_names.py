"""Names and addresses as HAProxy takes them in a line of its runtime API."""

from __future__ import annotations

import re

from gapless.errors import TrafficError

# A word goes into a line in which ";" begins the next command.
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_ADDRESS = re.compile(r"[A-Za-z0-9_.:@/\[\]-]+")


def name(text: str) -> str:
    """The text, if it can be the name of a backend or server."""
    if not _NAME.fullmatch(text):
        raise TrafficError(
            f"{text!r} cannot be a name in HAProxy",
            next="letters, digits and _ . : - are allowed in 'backend' and 'server'",
        )
    return text


def address(text: str) -> str:
    """The text, if it can be the address of a server."""
    if not _ADDRESS.fullmatch(text):
        raise TrafficError(
            f"{text!r} cannot be the address of a server",
            next="write 'dynamic.address' as host:port",
        )
    return text
