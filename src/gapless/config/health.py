"""``health:`` and ``verify:`` — the questions whose answers decide."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv, Duration


class Expect(Section):
    """What an HTTP answer must look like; every line given must hold."""

    status: int | str | tuple[int | str, ...] = "200-299"
    """One code (200), a class (2xx), a range (200-204), or a list of those."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Header name to a regular expression that its value must contain."""
    body: str | None = None
    """Regular expression that the body must contain."""
    json_: dict[str, Any] | None = Field(default=None, alias="json")
    """A JSON object that must be contained in the answer, at any depth."""
    path: dict[str, Any] = Field(default_factory=dict)
    """JSON pointer to the value it must have, e.g. ``/checks/db: up``."""


class HttpCheck(Section):
    """Ask a URL. ``{host}``, ``{instance}`` and ``{release}`` are filled in."""

    url: str
    method: Literal["GET", "HEAD", "POST"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    unix: str | None = None
    """Send the request through this unix socket."""
    expect: Expect = Expect()
    tls: Literal["verify", "insecure"] = "verify"
    ca: str | None = None
    """Certificate authority file on the asking side."""
    server_name: str | None = None
    """TLS and Host name when it differs from the URL's."""


class HealthConfig(Section):
    """How to tell that an instance is healthy. Give at most one of http, tcp, unix, command;
    without any the systemd state alone is asked (it always is, too)."""

    http: str | HttpCheck | None = None
    """URL, or a mapping with url, headers, tls …"""
    expect: Expect | None = None
    """Short form of http.expect."""
    tcp: str | None = None
    """``host:port`` that must accept a connection."""
    unix: str | None = None
    """Unix socket path that must accept a connection."""
    command: Argv | None = None
    """Program that must exit 0 (Nagios codes: 1 and 2 FAIL, 3 INCONCLUSIVE)."""
    output: str | None = None
    """Regular expression the command's output must contain."""
    ask_from: Annotated[Literal["host", "controller"], Field(alias="from")] = "host"
    """Who asks: the host itself (sees localhost) or the machine gapless runs on."""
    timeout: Duration = 30.0
    """How long a new instance may take to become healthy."""
    interval: Duration = 2.0
    """Between two questions while watching."""
    poll: Duration = 0.1
    """Between two questions while waiting for a new instance."""
    answer: Duration = 5.0
    """How long one answer may take."""
    retries: Annotated[int, Field(ge=0)] = 3
    """How often a failed answer of an instance that is being watched is asked again."""
    retry_delay: Duration = 5.0
    """Between those."""
    passes: Annotated[int, Field(ge=1)] = 1
    """Successes in a row that make an instance ready."""

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = [name for name in ("http", "tcp", "unix", "command") if getattr(self, name)]
        if len(asked) > 1:
            raise ValueError(f"{' and '.join(asked)} are two checks; give a list of health entries")
        if self.expect is not None and not isinstance(self.http, str):
            raise ValueError("expect belongs to an http check")
        if self.output is not None and self.command is None:
            raise ValueError("output belongs to a command check")
        return self

    @property
    def http_check(self) -> HttpCheck | None:
        """The HTTP question with the short form filled in."""
        if isinstance(self.http, str):
            return HttpCheck(url=self.http, expect=self.expect or Expect())
        return self.http
