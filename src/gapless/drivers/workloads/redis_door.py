"""One Redis server or sentinel, spoken to straight from where gapless runs: what is said goes in
one piece with its login before it and QUIT behind it."""

from __future__ import annotations

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.clusters.redis_resp import (
    Command,
    NonsenseError,
    Refusal,
    Reply,
    read,
    written,
)
from gapless.drivers.speaking_tls import tls_to
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.wire import exchange
from gapless.prove.workload import NotDone

_QUIT: Command = ("QUIT",)
_BROKEN = b"*?\r\n"
"""A sentinel does not know QUIT; it closes after what is no command at all."""
_KEPT = 7 * 24 * 3600
"""Seconds after which a key is gone by itself: nobody may be left to remove it."""


async def said(
    address: str,
    login: Login,
    *commands: Command,
    tls: ApiTlsConfig | None = None,
    sentinel: bool = False,
) -> tuple[Reply, ...]:
    """One reply a command; an error is one, too. Raises NotDone, OSError."""
    words = await login.words()
    before: tuple[Command, ...] = (("AUTH", *words),) if words else ()
    ending = _BROKEN if sentinel else written((_QUIT,))
    came = await exchange(address, written((*before, *commands)) + ending, tls_to(address, tls))
    try:
        replies = read(came)
    except NonsenseError:
        raise NotDone(f"it is not Redis that listens on {address}") from None
    if words and replies and isinstance(replies[0], Refusal):
        login.forget()
        raise NotDone(f"Redis on {address} refuses the login: {replies[0].text.partition(' ')[0]}")
    told = replies[len(before) :]
    if len(told) < len(commands):
        raise NotDone(f"Redis on {address} closed without a whole answer")
    return told[: len(commands)]


def consent(reply: Reply, address: str) -> Reply:
    """The reply. Raises NotDone where it is an error, with the server's words."""
    if isinstance(reply, Refusal):
        raise NotDone(f"Redis on {address} refuses: {reply.text}")
    return reply


def setting(key: str, value: str) -> Command:
    """The command that writes it."""
    return ("SET", key, value, "EX", str(_KEPT))
