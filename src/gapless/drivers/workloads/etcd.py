"""A client of etcd, over the JSON gateway of any member.

Reads are linearizable, as etcd's are unless somebody asks for less: they come from the quorum.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.workloads.http_door import HttpDoor
from gapless.drivers.workloads.login import Login
from gapless.prove.workload import NotDone


class EtcdWorkload:
    """See ``Workload``. ``prefix``: of its keys, without a slash at its end."""

    kind = "etcd"
    removes = True

    def __init__(self, urls: tuple[str, ...], tls: ApiTlsConfig, login: Login, prefix: str) -> None:
        self._door = HttpDoor(urls, tls)
        self._login = login
        self._token = ""
        self._prefix = f"{prefix}/"

    @property
    def place(self) -> str:
        """Its keys."""
        return f"etcdctl del --prefix {self._prefix}"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return str(self._door)

    async def prepare(self) -> None:
        """Keys need nothing."""

    async def write(self, number: int, value: str) -> None:
        """Acknowledged by a majority."""
        await self._call("put", {"key": self._key(number), "value": _packed(value)})

    async def read(self, number: int) -> str | None:
        """As the quorum has it."""
        answer = await self._call("range", {"key": self._key(number)})
        try:
            found = answer.get("kvs") or []
            return base64.b64decode(found[0]["value"]).decode() if found else None
        except (ValueError, KeyError, TypeError, IndexError):
            raise NotDone(f"etcd answers nonsense: {answer}") from None

    async def clear(self) -> None:
        """All keys with the prefix."""
        end = self._prefix[:-1] + chr(ord(self._prefix[-1]) + 1)
        await self._call("deleterange", {"key": _packed(self._prefix), "range_end": _packed(end)})

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _call(self, verb: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = await self._authorized()
        answer = await self._door.ask(Ask("POST", f"/v3/kv/{verb}", data, headers))
        if not answer.ok:
            self._token = ""  # it may be that
            self._door.another()  # one without a leader is in a minority
            raise NotDone(f"etcd refuses: {answer}")
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict) or "header" not in found:
            self._door.another()
            raise NotDone(f"etcd answers nonsense: {answer}")
        return found

    async def _authorized(self) -> dict[str, str]:
        words = await self._login.words()
        if not words:
            return {}
        if not self._token:
            user, password = words
            ask = Ask("POST", "/v3/auth/authenticate", {"name": user, "password": password})
            answer = await self._door.ask(ask)
            try:
                self._token = str(answer.json()["token"])
            except (ValueError, KeyError, TypeError):
                self._login.forget()
                # the answer to a question with a password is shown to nobody
                raise NotDone(f"etcd does not let in {user!r}: {answer.status}") from None
        return {"Authorization": self._token}

    def _key(self, number: int) -> str:
        return _packed(f"{self._prefix}{number}")


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
