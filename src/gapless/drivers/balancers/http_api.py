"""An HTTP API that a host can reach, spoken to through the transport of that host.

1. A request is written whole and says ``Connection: close``: the end of the connection is the end
   of the answer. Headers that are secrets are read just before.
2. It goes as bytes over a socket of the host, TLS where the address says https: no program, no
   shell, no proxy of the environment. With a fence the host first checks that it is the newest.
3. The answer is read whole, in chunks or not. A connection that ended too early is silence
   (NoAnswer), and so is a host that cannot be reached; what is not HTTP is nonsense.
4. Secrets are taken out of what came back before anybody sees it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.balancers.http_answer import HttpAnswer, read
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer
from gapless.drivers.checks.secret_headers import KeptSecrets
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.transports.base import Tls
from gapless.errors import TrafficError, UsageError
from gapless.hostside.http_message import CutOff, Malformed, request
from gapless.hostside.veil import veil
from gapless.model import Fence

NO_HEADERS: Mapping[str, str] = {}
_NO_TLS = ApiTlsConfig()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. ``path`` begins with a slash and is quoted where it has to be; ``data`` is sent
    as JSON unless it is None, ``raw`` as it is, with the type that ``headers`` say."""

    method: str
    path: str
    data: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    raw: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class HttpApi:
    """``product`` is what answers there, for errors; ``hint`` what to do when it does not.
    ``secrets``: header name to secret reference."""

    def __init__(
        self,
        host: NodeHost,
        address: str,
        *,
        product: str,
        hint: str,
        tls: ApiTlsConfig = _NO_TLS,
        secrets: Mapping[str, str] = NO_HEADERS,
        timeout: float = 10.0,
    ) -> None:
        self._host = host
        self.product = f"{product} on {host.label}"
        """What answers, and where, for people."""
        self._place = Place.of(address, tls)
        self._hint = hint
        self._secrets = secrets
        self._kept = KeptSecrets()
        self._timeout = timeout

    async def ask(self, ask: Ask, fence: Fence | None = None) -> HttpAnswer:
        """The answer, whatever its status; asked once more after a lost connection, so only what
        does no harm twice may be asked. Raises NoAnswer, and TrafficError for what is not HTTP."""
        values = await self._values()
        data = self._place.written(ask, values)
        place = self._place
        came = await self._host.talk(
            lambda transport: transport.exchange(
                place.socket, data, self._timeout, fence, place.tls
            ),
            what=f"{self.product} does not answer",
            hint=self._hint,
        )
        return self._read(came, ask, secret_forms(values.values()))

    def nonsense(self, ask: Ask, answer: object) -> TrafficError:
        """The error in an answer that cannot be understood."""
        return self.error(f"{self.product} answers nonsense", ask, answer, f"is it {self._place}?")

    def error(self, what: str, ask: Ask, answer: object, hint: str) -> TrafficError:
        """An error with the question and the answer as its evidence."""
        shown = str(answer) or "(nothing)"
        return TrafficError(what, where=self._host.balancer, evidence=f"{ask} → {shown}", next=hint)

    def _read(self, came: bytes, ask: Ask, hidden: tuple[bytes, ...]) -> HttpAnswer:
        try:
            answer = read(came, ask.method)
        except CutOff as error:
            raise NoAnswer(
                f"{self.product} ended the connection without a whole answer",
                where=self._host.balancer,
                evidence=f"{ask} → {error}",
                next=self._hint,
            ) from None
        except Malformed as error:
            told = f"{error}: ".encode() + came[:200]
            raise self.nonsense(ask, veil(told, hidden).decode("utf-8", "replace")) from None
        return replace(answer, body=veil(answer.body, hidden))

    async def _values(self) -> dict[str, str]:
        """The secret headers."""
        try:
            found = await self._kept.read(self._secrets.values())
        except UsageError as error:
            raise TrafficError(error.what, where=self._host.balancer, next=error.next) from None
        return {name: found[reference] for name, reference in self._secrets.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an API is: the socket, what TLS needs, and how it is called in a request."""

    address: str
    socket: str
    called: str
    prefix: str = ""
    tls: Tls | None = None

    @classmethod
    def of(cls, address: str, tls: ApiTlsConfig = _NO_TLS) -> Place:
        """The place an ``ApiUrl`` means."""
        if address.startswith("unix:"):
            return cls(address, address, "localhost")
        parts = urlsplit(address)
        host, secure = parts.hostname or "", parts.scheme == "https"
        bracketed = f"[{host}]" if ":" in host else host
        place = cls(
            address,
            f"{bracketed}:{parts.port or (443 if secure else 80)}",
            parts.netloc,
            parts.path,
        )
        if not secure:
            return place
        return replace(place, tls=Tls(tls.name or host, tls.ca, tls.cert, tls.key))

    def written(self, ask: Ask, secrets: Mapping[str, str]) -> bytes:
        """The bytes of a request."""
        body = ask.raw or b"" if ask.data is None else json.dumps(ask.data).encode()
        headers = {"Host": self.called, "Connection": "close", "User-Agent": "gapless"}
        headers |= {"Accept": "application/json", **ask.headers, **secrets}
        if ask.data is not None:
            headers |= {"Content-Type": "application/json"}
        if ask.data is not None or ask.raw is not None:
            headers |= {"Content-Length": str(len(body))}
        return request(ask.method, self.prefix + ask.path, headers) + body

    def __str__(self) -> str:
        return self.address
