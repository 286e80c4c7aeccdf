"""A server of metrics or logs that the machine gapless runs on asks over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gapless.config.base import Section
from gapless.config.quantities import Limit, Secret


def parse_server(value: Any) -> Any:
    """An address to which paths are added."""
    if isinstance(value, str) and not re.match(r"https?://[^/]", value):
        raise ValueError(f"{value!r} is no address; write http(s)://…")
    return value.rstrip("/") if isinstance(value, str) else value


ServerUrl = Annotated[
    str,
    BeforeValidator(parse_server),
    WithJsonSchema({"type": "string", "pattern": r"^https?://[^/]"}),
]
"""Where a server answers, as ``http://prometheus.shop.example:9090``."""


class ServerConfig(Section):
    """How it is asked."""

    url: ServerUrl
    """Where it answers, with the path that all of its addresses have in common."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers sent with each question; what must stay secret belongs to secrets."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Headers read from env:, file: or command: at the moment of use."""
    ca: str | None = None
    """Certificate authority file on the machine gapless runs on."""
    tls: Literal["verify", "insecure"] = "verify"
    """Whether the certificate is verified."""
    answer: Limit = 10.0
    """How long one answer may take."""

    @model_validator(mode="after")
    def _headers_once(self) -> Self:
        plain = {name.lower() for name in self.headers}
        twice = [name for name in self.secrets if name.lower() in plain]
        if twice:
            raise ValueError(f"{twice[0]} is given in headers and in secrets")
        return self
