"""What is said when nothing was started, as all of gapless says it; with less than it loads."""

from __future__ import annotations

import errno

REFUSED = 3
"""Exit code."""
_WIDTH = 100
_CODE = "GL-201"
_FREE = 1024
"""Ports from here on are everybody's."""


def screen(what: str, evidence: str, following: str) -> list[str]:
    """Its lines."""
    first = f"✗  {what}"
    lines = [f"{first}{_CODE:>{max(_WIDTH - len(first), len(_CODE) + 2)}}"]
    lines += [
        f"   {label:<8}{text}"
        for label, text in zip(("answer", "next"), (evidence, following), strict=True)
        if text
    ]
    return [*lines, "", "Nothing was changed."]


def listening(error: OSError) -> tuple[str, str]:
    """Evidence and next of an address that cannot be bound."""
    return error.strerror or str(error), _following(error.errno or 0, str(error.filename))


def _following(number: int, address: str) -> str:
    path, port = address.removeprefix("unix://"), address.rpartition(":")[2]
    if path != address:
        return {
            errno.EADDRINUSE: f"ss -xlp | grep {path}",
            errno.ENOENT: f"mkdir {path.rpartition('/')[0]}",
        }.get(number, "")
    low = port.isdigit() and int(port) < _FREE and number == errno.EACCES
    return {
        errno.EADDRINUSE: f"ss -tulpn sport = :{port}",
        errno.EADDRNOTAVAIL: "ip -brief address",
        errno.EACCES: "AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit" if low else "",
    }.get(number, "")
