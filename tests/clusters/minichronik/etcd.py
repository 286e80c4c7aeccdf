"""The few calls of etcd that a node needs, through its HTTP gateway.

Keys and values are base64 there, and numbers of 64 bits are strings.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from .http_caller import Caller


class Found(NamedTuple):
    value: str
    revision: int
    """Of its last change."""


class Etcd:
    """Raises OSError where there is no answer."""

    def __init__(self, url: str, caller: Caller) -> None:
        self._address = url.removeprefix("http://").rstrip("/")
        self._caller = caller

    async def folder(self, prefix: str) -> dict[str, Found]:
        """All keys that begin so, at one moment."""
        asked = {"key": _packed(prefix), "range_end": _packed(prefix + "\x7f")}
        answer = await self._call("kv/range", asked)
        return {
            _unpacked(kv["key"]): Found(_unpacked(kv["value"]), int(kv["mod_revision"]))
            for kv in answer.get("kvs", [])
        }

    async def put(self, key: str, value: str, lease: int) -> None:
        await self._call("kv/put", _put(key, value, lease))

    async def swap(self, key: str, was: int, value: str, lease: int = 0) -> int:
        """The new revision, if that of the key was still ``was``, 0 for a key that is not there;
        0 otherwise."""
        compare = {"target": "MOD", "result": "EQUAL", "key": _packed(key), "mod_revision": was}
        change = {"request_put": _put(key, value, lease)}
        answer = await self._call("kv/txn", {"compare": [compare], "success": [change]})
        return int(answer["header"]["revision"]) if answer.get("succeeded") else 0

    async def lease(self, seconds: int) -> int:
        return int((await self._call("lease/grant", {"TTL": seconds}))["ID"])

    async def keep(self, lease: int) -> bool:
        """Whether it was still there."""
        answer = await self._call("lease/keepalive", {"ID": str(lease)})
        return int(answer["result"].get("TTL", "0")) > 0

    async def end(self, lease: int) -> None:
        await self._call("lease/revoke", {"ID": str(lease)})

    async def _call(self, path: str, said: object) -> dict[str, Any]:
        status, answer = await self._caller.call(self._address, f"/v3/{path}", said)
        if status != 200:
            raise ConnectionError(f"etcd answers {path} with {status}: {answer}")
        found: dict[str, Any] = answer
        return found


def _put(key: str, value: str, lease: int) -> dict[str, object]:
    return {"key": _packed(key), "value": _packed(value), "lease": str(lease)}


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unpacked(text: str) -> str:
    return base64.b64decode(text).decode()
