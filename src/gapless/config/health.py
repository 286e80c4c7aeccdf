"""``health:`` and ``verify:`` — the questions whose answers decide."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv, Count, Duration, Limit, Positive, Secret

_STATUS = re.compile(r"[1-5][0-9]{2}(-[1-5][0-9]{2})?|[1-5]xx")


def parse_status(value: Any) -> Any:
    """A code (200), a class (2xx), a range (200-204), or a list of those."""
    listed = value if isinstance(value, (list, tuple)) else (value,)
    for code in listed:
        text = str(code)
        if isinstance(code, bool) or not _STATUS.fullmatch(text):
            raise ValueError(f"{code!r} is no HTTP status; write 200, 2xx or 200-204")
        first, _, last = text.partition("-")
        if last and int(first) > int(last):
            raise ValueError(f"{text} counts down; write {last}-{first}")
    if not listed:
        raise ValueError("no status is wanted; write 200, 2xx or 200-204")
    return value


def parse_pattern(value: Any) -> Any:
    """A regular expression that compiles."""
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from None
    return value


Pattern = Annotated[str, BeforeValidator(parse_pattern)]
"""A regular expression that is searched for."""

_CODE = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": f"^({_STATUS.pattern})$"},
    ]
}
Status = Annotated[
    int | str | tuple[int | str, ...],
    BeforeValidator(parse_status),
    WithJsonSchema({"anyOf": [_CODE, {"type": "array", "items": _CODE, "minItems": 1}]}),
]
"""Which HTTP status codes are wanted."""


class Expect(Section):
    """What an HTTP answer must look like; every line given must hold."""

    status: Status = "200-299"
    """One code (200), a class (2xx), a range (200-204), or a list of those."""
    headers: dict[str, Pattern] = Field(default_factory=dict)
    """Header name to a regular expression that its value must contain."""
    body: Pattern | None = None
    """Regular expression that the body must contain."""
    json_: dict[str, Any] | None = Field(default=None, alias="json")
    """A JSON object that must be contained in the answer, at any depth."""
    path: dict[str, Any] = Field(default_factory=dict)
    """JSON pointer to the value it must have, e.g. ``/checks/db: up``."""


class HttpCheck(Section):
    """Ask a URL."""

    url: str
    """Where to ask; <check fields> are filled in, here and in headers, unix and expect."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """HTTP method."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers sent with the request; what must stay secret belongs to secrets."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Headers read from env:, file: or command: at the moment of use."""
    unix: str | None = None
    """Send the request through this unix socket."""
    expect: Expect = Expect()
    """What the answer must look like."""
    tls: Literal["verify", "insecure"] = "verify"
    """Whether the certificate is verified."""
    ca: str | None = None
    """Certificate authority file on the asking side."""
    server_name: str | None = None
    """TLS and Host name when it differs from the URL's."""

    @model_validator(mode="after")
    def _headers_once(self) -> Self:
        plain = {name.lower() for name in self.headers}
        twice = [name for name in self.secrets if name.lower() in plain]
        if twice:
            raise ValueError(f"{twice[0]} is given in headers and in secrets")
        return self


class HealthTimings(Section):
    """How often and how patiently a health question is asked."""

    timeout: Limit = 30.0
    """How long a new instance may take to become healthy."""
    interval: Limit = 2.0
    """Between two questions while watching."""
    poll: Limit = 0.1
    """Between two questions while waiting for a new instance; at first a fifth of it."""
    answer: Limit = 5.0
    """How long one answer may take."""
    retries: Count = 3
    """How often a failed answer of an instance that is being watched is asked again."""
    retry_delay: Duration = 5.0
    """Between those."""
    passes: Positive = 1
    """Successes in a row that make an instance ready."""


def form_of(value: Any) -> str:
    """Whether a question is written as its address or as a mapping."""
    return "mapping" if isinstance(value, (dict, HttpCheck)) else "address"


class HealthConfig(HealthTimings):
    """How to tell that an instance is healthy. Give at most one of http, tcp, unix, command;
    without any the systemd state alone is asked (it always is, too). In all of them <check fields>
    are filled in."""

    http: (
        Annotated[
            Annotated[str, Tag("address")] | Annotated[HttpCheck, Tag("mapping")],
            Discriminator(form_of),
        ]
        | None
    ) = None
    """URL, or a mapping with url, headers, tls …"""
    expect: Expect | None = None
    """Short form of http.expect."""
    tcp: str | None = None
    """``host:port`` that must accept a connection."""
    unix: str | None = None
    """Unix socket path that must accept a connection."""
    command: Argv | None = None
    """Program that must exit 0 (Nagios codes: 1 and 2 FAIL, 3 INCONCLUSIVE)."""
    output: Pattern | None = None
    """Regular expression the command's output must contain."""
    ask_from: Annotated[Literal["host", "controller"], Field(alias="from")] = "host"
    """Who asks: the host itself (sees localhost) or the machine gapless runs on."""

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = self.questions
        if len(asked) > 1:
            raise ValueError(f"{' and '.join(asked)} are two checks; give a list of health entries")
        if self.expect is not None and not isinstance(self.http, str):
            raise ValueError("expect belongs to an http check written as a URL")
        if self.output is not None and self.command is None:
            raise ValueError("output belongs to a command check")
        return self

    @property
    def questions(self) -> tuple[str, ...]:
        """Which of http, tcp, unix, command are given."""
        return tuple(kind for kind in ("http", "tcp", "unix", "command") if getattr(self, kind))

    @property
    def http_check(self) -> HttpCheck | None:
        """The HTTP question with the short form filled in."""
        if isinstance(self.http, str):
            return HttpCheck(url=self.http, expect=self.expect or Expect())
        return self.http
