"""The unit file that a deploy brings, on the machine gapless runs on."""

from __future__ import annotations

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


def digest_in(fingerprint: str) -> str:
    """sha256 of the unit file as a host has it, from the fingerprint of its unit."""
    return fingerprint.partition(":")[0]
