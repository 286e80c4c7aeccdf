"""Addresses of HTTP APIs, as a host reaches them."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from gapless.config.base import Section


def parse_api_url(value: Any) -> str:
    """``http(s)://host:port``, with a path in front of all others if there is one, or
    ``unix:/path``."""
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("unix:/"):
        return text
    if not text.startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is no address; write http(s)://host:port or unix:/path")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{value!r} is not a URL") from None
    if not parts.hostname or port == 0:
        raise ValueError(f"{value!r} names no host and port")
    if parts.username is not None:
        raise ValueError("an address holds no password; give a header as a secret reference")
    if parts.query or parts.fragment or any(letter.isspace() for letter in text):
        raise ValueError(f"{value!r} is more than an address: leave out what follows the path")
    return text.rstrip("/")


ApiUrl = Annotated[
    str,
    BeforeValidator(parse_api_url),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(https?://|unix:/).*\S",
            "examples": ["http://localhost:2019", "unix:/run/caddy-admin.sock"],
        }
    ),
]
"""Where an HTTP API is, seen from the host that asks it."""


class ApiTlsConfig(Section):
    """Whom an https API is believed to be, and who asks. Paths are on the host that asks."""

    ca: str = ""
    """Certificates that vouch for it; default: those of the system."""
    cert: str = ""
    """Own certificate, where it wants one."""
    key: str = ""
    """Key of ``cert``; default: in the same file."""
    name: str = ""
    """Name the certificate has to bear; default: the host of the address."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.key and not self.cert:
            raise ValueError("a key without a cert proves nothing; give both")
        return self
