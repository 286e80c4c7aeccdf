"""Whom a server with TLS is believed to be, at an address that is no URL. No side effects."""

from __future__ import annotations

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.transports.base import Tls


def tls_to(address: str, config: ApiTlsConfig | None) -> Tls | None:
    """To ``host:port`` or the path of a socket; None where none is spoken."""
    if config is None:
        return None
    host = "localhost" if _is_path(address) else address.rpartition(":")[0].strip("[]")
    return Tls(config.name or host, config.ca, config.cert, config.key)


def _is_path(address: str) -> bool:
    return address.removeprefix("unix:").startswith("/")
