"""Keys of etcd over its JSON gateway: a folder read at one revision, a value changed only if it is
still the one that was read."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from gapless.config.balancer_etcd import EtcdConfig, EtcdLoginConfig
from gapless.config.secrets import resolve_secret
from gapless.drivers.balancers.conftool_pool import Entry, Pool
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer
from gapless.errors import TrafficError, UsageError
from gapless.model import Fence

_UNAUTHENTICATED = 16
"""gRPC's code for a token that is not (or no longer) known."""


class EtcdKeys:
    """etcd as it is seen from one host."""

    def __init__(self, host: NodeHost, config: EtcdConfig) -> None:
        self._apis = [
            HttpApi(
                host,
                endpoint,
                product=f"etcd at {endpoint}",
                hint=f"etcdctl --endpoints {endpoint} endpoint health",
                tls=config.tls,
                timeout=config.timeout,
            )
            for endpoint in config.endpoints
        ]
        self._login = config.login
        self._token = ""

    async def folder(self, prefix: str) -> Pool:
        """What is directly in the folder (``prefix`` ends with a slash), read from a quorum."""
        ask, answer = await self._ask(
            "/v3/kv/range", {"key": _packed(prefix), "range_end": _packed(_behind(prefix))}
        )
        try:
            found = [_entry(kv, prefix) for kv in answer.get("kvs", [])]
            revision = int(answer["header"]["revision"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._apis[0].nonsense(ask, answer) from None
        return Pool(revision, {entry.name: entry for entry in found if "/" not in entry.name})

    async def change(
        self,
        prefix: str,
        entry: Entry,
        text: str,
        fence: Fence | None,
        unchanged: int | None = None,
    ) -> bool:
        """Whether the entry got ``text``: only if nobody changed it since it was read and, with
        ``unchanged``, nobody changed anything in the folder after that revision."""
        key = _packed(prefix + entry.name)
        conditions: list[dict[str, Any]] = [
            {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(entry.revision)}
        ]
        if unchanged is not None:
            folder = {"key": _packed(prefix), "range_end": _packed(_behind(prefix))}
            later = str(unchanged + 1)
            conditions.append({**folder, "target": "MOD", "result": "LESS", "mod_revision": later})
        put = {"request_put": {"key": key, "value": _packed(text)}}
        _, answer = await self._ask("/v3/kv/txn", {"compare": conditions, "success": [put]}, fence)
        return answer.get("succeeded") is True

    async def _ask(
        self, path: str, data: Mapping[str, Any], fence: Fence | None = None
    ) -> tuple[Ask, dict[str, Any]]:
        """The question and its answer, from the first endpoint that is not silent; one that was
        silent is asked last from then on."""
        silence: NoAnswer | None = None
        for api in list(self._apis):
            try:
                return await self._ask_with_token(api, path, data, fence)
            except NoAnswer as error:
                silence = silence or error
                self._apis.append(self._apis.pop(self._apis.index(api)))
        assert silence is not None
        raise silence

    async def _ask_with_token(
        self, api: HttpApi, path: str, data: Mapping[str, Any], fence: Fence | None
    ) -> tuple[Ask, dict[str, Any]]:
        if self._login is not None and not self._token:
            self._token = await _token(api, self._login)
        ask, answer = await self._once(api, path, data, fence)
        if self._login is not None and _code(answer) == _UNAUTHENTICATED:
            self._token = await _token(api, self._login)
            ask, answer = await self._once(api, path, data, fence)
        return ask, _result(api, ask, answer)

    async def _once(
        self, api: HttpApi, path: str, data: Mapping[str, Any], fence: Fence | None
    ) -> tuple[Ask, HttpAnswer]:
        headers = {"Authorization": self._token} if self._token else {}
        ask = Ask("POST", path, data, headers)
        return ask, await api.ask(ask, fence)


async def _token(api: HttpApi, login: EtcdLoginConfig) -> str:
    """A token for the user. The answer to a question with a password is shown to nobody."""
    try:
        password = (await resolve_secret(login.password)).reveal()
    except UsageError as error:
        raise TrafficError(error.what, next=error.next) from None
    ask = Ask("POST", "/v3/auth/authenticate", {"name": login.user, "password": password})
    answer = await api.ask(ask)
    try:
        return str(answer.json()["token"])
    except (ValueError, KeyError, TypeError):
        what = f"{api.product} does not let in the user {login.user!r}"
        raise api.error(what, ask, answer.status, "etcdctl user list, user get") from None


def _result(api: HttpApi, ask: Ask, answer: HttpAnswer) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        raise api.nonsense(ask, answer) from None
    if answer.ok and isinstance(found, dict) and "header" in found:
        return found
    if isinstance(found, dict) and "error" in found:
        raise _refusal(api, ask, answer, str(found.get("message") or found["error"]))
    raise api.nonsense(ask, answer)


def _refusal(api: HttpApi, ask: Ask, answer: HttpAnswer, message: str) -> TrafficError:
    """etcd's own words; without a leader or a quorum it may be back in a moment."""
    rights = any(word in message for word in ("user name", "permission", "auth token"))
    hint = "set 'login' of the balancer" if rights else "etcdctl endpoint status --cluster"
    error = api.error(f"{api.product} refuses: {message}", ask, answer, hint)
    if answer.status in (500, 502, 503, 504):
        return NoAnswer(error.what, where=error.where, evidence=error.evidence, next=error.next)
    return error


def _code(answer: HttpAnswer) -> int | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found.get("code") if isinstance(found, dict) else None


def _entry(kv: Mapping[str, str], prefix: str) -> Entry:
    name = _unpacked(kv["key"]).removeprefix(prefix)
    return Entry.read(name, int(kv["mod_revision"]), _unpacked(kv.get("value", "")))


def _packed(text: str) -> str:
    return b64encode(text.encode()).decode()


def _unpacked(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _behind(prefix: str) -> str:
    """The first key behind all that begin with ``prefix``, which ends with a slash."""
    return prefix[:-1] + "0"  # "0" comes right after "/"
