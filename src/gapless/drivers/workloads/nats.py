"""A client of NATS: messages published to a stream of its own, each until JetStream acknowledges
it, and read from its leader.

1. The stream has three replicas where there are three servers. It is one more that the rollout
   minds: its leader is moved like those of the others.
2. Every message has an id, so that one that was sent again is kept once.
3. A read asks the stream's leader (MSG.GET), by the subject of the message: it is another one for
   each number.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.speaking_tls import tls_to
from gapless.drivers.workloads.kept import Kept
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.nats_client import NatsClient
from gapless.prove.workload import NotDone

_NO_MESSAGE = 10037
_NO_STREAM = 10059
_KEPT = 7 * 24 * 3600 * 10**9
"""Nanoseconds after which a message is gone by itself: nobody may be left to remove it."""


class NatsWorkload:
    """See ``Workload``. ``stream``: the name of its own; ``members``: how many servers;
    ``tls_first``: TLS begins before anything is said."""

    kind = "nats"
    removes = True

    def __init__(
        self,
        addresses: tuple[str, ...],
        login: Login,
        stream: str,
        members: int,
        tls: ApiTlsConfig | None = None,
        *,
        tls_first: bool = False,
    ) -> None:
        self._kept: Kept[NatsClient] = Kept(addresses, self._opened)
        self._login, self._tls, self._tls_first = login, tls, tls_first
        self._stream = stream
        self._replicas = 3 if members >= 3 else 1

    @property
    def place(self) -> str:
        """Its stream."""
        return f"nats stream rm {self._stream}"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return str(self._kept)

    async def prepare(self) -> None:
        """The stream; harmless where it is there with the same settings."""
        config = {
            "name": self._stream,
            "subjects": [f"{self._stream}.*"],
            "num_replicas": self._replicas,
            "storage": "file",
            "max_age": _KEPT,
        }
        _check(await self._ask(f"$JS.API.STREAM.CREATE.{self._stream}", config))

    async def write(self, number: int, value: str) -> None:
        """Acknowledged by a majority of the stream's replicas."""
        header = f"NATS/1.0\r\nNats-Msg-Id: {value}\r\n\r\n".encode()
        answer = await self._said(f"{self._stream}.{number}", value.encode(), header)
        _check(answer)
        if answer.get("stream") != self._stream or not answer.get("seq"):
            raise NotDone(f"NATS answers nonsense: {answer}")

    async def read(self, number: int) -> str | None:
        """As the stream's leader has it."""
        asked = {"last_by_subj": f"{self._stream}.{number}"}
        answer = await self._ask(f"$JS.API.STREAM.MSG.GET.{self._stream}", asked)
        if _is_gone(answer, _NO_MESSAGE, _NO_STREAM):
            return None
        _check(answer)
        try:
            return base64.b64decode(answer["message"]["data"]).decode()
        except (ValueError, KeyError, TypeError):
            raise NotDone(f"NATS answers nonsense: {answer}") from None

    async def clear(self) -> None:
        """The stream."""
        answer = await self._ask(f"$JS.API.STREAM.DELETE.{self._stream}", None)
        if not _is_gone(answer, _NO_STREAM):
            _check(answer)

    async def close(self) -> None:
        """The connections are closed."""
        await self._kept.close()

    async def _ask(self, subject: str, data: Any) -> dict[str, Any]:
        return await self._said(subject, b"" if data is None else json.dumps(data).encode())

    async def _said(self, subject: str, data: bytes, header: bytes = b"") -> dict[str, Any]:
        return await self._kept.asked(lambda client: client.ask(subject, data, header))

    async def _opened(self, address: str) -> NatsClient:
        tls = tls_to(address, self._tls)
        words = await self._login.words()
        return await NatsClient.of(address, words, tls, first=self._tls_first)


def _is_gone(answer: dict[str, Any], *codes: int) -> bool:
    error = answer.get("error")
    return isinstance(error, dict) and error.get("err_code") in codes


def _check(answer: dict[str, Any]) -> None:
    """Raises NotDone for an error, with the server's words."""
    error = answer.get("error")
    if error:
        words = error.get("description") if isinstance(error, dict) else error
        raise NotDone(f"NATS refuses: {words}")
