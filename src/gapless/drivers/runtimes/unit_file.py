"""The unit file that a deploy brings, on the machine gapless runs on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gapless.config.services import SystemdConfig
from gapless.errors import Refused


def read_unit_file(systemd: SystemdConfig | None) -> bytes | None:
    """Its content; None when the service brings none. Raises Refused when it cannot be read."""
    if systemd is None or systemd.file is None:
        return None
    try:
        return Path(systemd.file).read_bytes()
    except OSError as error:
        raise Refused(
            f"the unit file cannot be read: {error.strerror}",
            where=systemd.file,
            next="gapless check",
        ) from error


def unit_file_digest(systemd: SystemdConfig | None) -> str:
    """sha256 of its content, "" when the service brings none. Raises Refused as above."""
    content = read_unit_file(systemd)
    return "" if content is None else hashlib.sha256(content).hexdigest()


def digest_in(fingerprint: str) -> str:
    """sha256 of the unit file as a host has it, from the fingerprint of its unit."""
    return fingerprint.partition(":")[0]
