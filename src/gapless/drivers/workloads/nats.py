"""A client of NATS: messages published to a stream of its own, each until JetStream acknowledges
it, and read from its leader.

1. The stream has three replicas where there are three servers. It is one more that the rollout
   minds: its leader is moved like those of the others.
2. Every message has an id, so that one that was sent again is kept once.
3. A read asks the stream's leader (MSG.GET), by the subject of the message: it is another one for
   each number.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from gapless.drivers.workloads.addresses import Turns
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.nats_client import NatsClient
from gapless.prove.workload import NotDone

_NO_MESSAGE = 10037
_NO_STREAM = 10059
_KEPT = 7 * 24 * 3600 * 10**9
"""Nanoseconds after which a message is gone by itself: nobody may be left to remove it."""


class NatsWorkload:
    """See ``Workload``. ``stream``: the name of its own; ``members``: how many servers."""

    kind = "nats"
    removes = True

    def __init__(self, addresses: tuple[str, ...], login: Login, stream: str, members: int) -> None:
        self._turns = Turns(addresses)
        self._login = login
        self._stream = stream
        self._replicas = 3 if members >= 3 else 1
        self._client: NatsClient | None = None
        self._former: list[NatsClient] = []
        self._connecting = asyncio.Lock()

    @property
    def place(self) -> str:
        """Its stream."""
        return f"nats stream rm {self._stream}"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return str(self._turns)

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
        self._leave(self._client)
        for client in self._former:
            await client.close()

    async def _ask(self, subject: str, data: Any) -> dict[str, Any]:
        return await self._said(subject, b"" if data is None else json.dumps(data).encode())

    async def _said(self, subject: str, data: bytes, header: bytes = b"") -> dict[str, Any]:
        client = await self._connected()
        try:
            return await client.ask(subject, data, header)
        except asyncio.CancelledError:
            self._leave(client)  # it was silent for too long
            raise

    async def _connected(self) -> NatsClient:
        """The connection, to the next server where there is none that takes anything new."""
        async with self._connecting:
            if self._client is not None and self._client.leaving:
                self._leave(self._client)
            if self._client is None:
                address = self._turns.now
                try:
                    self._client = await NatsClient.of(address, await self._login.words())
                except BaseException:
                    self._turns.leave(address)
                    raise
            return self._client

    def _leave(self, client: NatsClient | None) -> None:
        """Nothing new is said there; what is under way may still be answered."""
        if client is not None and self._client is client:
            self._client = None
            self._former.append(client)
            self._turns.leave(self._turns.now)


def _is_gone(answer: dict[str, Any], *codes: int) -> bool:
    error = answer.get("error")
    return isinstance(error, dict) and error.get("err_code") in codes


def _check(answer: dict[str, Any]) -> None:
    """Raises NotDone for an error, with the server's words."""
    error = answer.get("error")
    if error:
        words = error.get("description") if isinstance(error, dict) else error
        raise NotDone(f"NATS refuses: {words}")
