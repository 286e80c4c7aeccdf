"""One Redis server, or one sentinel, spoken to through the transport of the host it runs on.

1. What is to be said goes in one piece: AUTH where there is a password, the commands, and QUIT, so
   that the server closes and the end of the connection is the end of the answer. A sentinel does
   not know QUIT; it closes after what is no command at all, and answers what came before.
2. It goes as bytes over a socket of the host: no program, no argument list, nothing to see for
   others there. With a fence the host first checks that it is the newest.
3. As many replies have to come as commands were said. Fewer are silence, which may pass
   (``Silent``); what is not RESP, and an error in the place of an answer, is a ClusterError with
   the command and the answer as its evidence. The password is in none of them.
4. After a lost connection it is said once more, so only what does no harm twice may be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.clusters.password import Password
from gapless.drivers.clusters.redis_resp import (
    Command,
    NonsenseError,
    Refusal,
    Reply,
    read,
    written,
)
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.speaking_tls import tls_to
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, FenceRefused, LostContact, TransportError
from gapless.hostside.veil import veil
from gapless.model import Fence

T = TypeVar("T")

_QUIT = b"*1\r\n$4\r\nQUIT\r\n"
_BROKEN = b"*?\r\n"


class Silent(ClusterError):
    """A server could not be asked; while it is waited for it may come back."""


class RedisTalk:
    """``host`` "" is the machine gapless runs on; ``sentinel``: it is one that listens there, no
    server. ``timeout`` in seconds bounds each question."""

    def __init__(
        self,
        cluster: str,
        host: str,
        address: str,
        transport: Callable[[], Transport],
        *,
        sentinel: bool = False,
        password: Password,
        tls: ApiTlsConfig | None = None,
        timeout: float = 5.0,
    ) -> None:
        self.label = f"{'the sentinel' if sentinel else 'Redis'} on {host or 'localhost'}"
        """What answers, and where, for people."""
        self._cluster = cluster
        self._address = address
        self._ending = _BROKEN if sentinel else _QUIT
        self._transport = transport
        self._password = password
        self._tls = tls_to(address, tls)
        self._timeout = timeout

    async def ask(self, *commands: Command, fence: Fence | None = None) -> tuple[Reply, ...]:
        """One reply a command. Raises ClusterError when one is an error."""
        replies = await self.say(*commands, fence=fence)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, Refusal):
                raise self.refused(command, reply)
        return replies

    async def say(self, *commands: Command, fence: Fence | None = None) -> tuple[Reply, ...]:
        """The same where an error is an answer, too. Raises Silent, ClusterError for what is not
        RESP and for a login that is refused, FenceRefused as it is."""
        login = await self._password.login()
        before: tuple[Command, ...] = (("AUTH", *login),) if login else ()
        came = await self._exchange(written((*before, *commands)) + self._ending, fence)
        replies = self._read(came, commands, login)
        if login and isinstance(replies[0], Refusal):
            self._password.forget()
            raise self._error(f"{self.label} refuses the login", ("AUTH",), replies[0], login)
        told = replies[len(before) :]
        if len(told) <= len(commands):  # the last one is that of the ending
            raise self._cut_off(commands, replies, login)
        return told[: len(commands)]

    async def facts(
        self, commands: tuple[Command, ...], read_in: Callable[[tuple[Reply, ...]], T]
    ) -> T:
        """What ``read_in`` makes of the answers, errors among them. Raises ClusterError where it
        raises NonsenseError."""
        return self.made_of(await self.say(*commands), commands[0], read_in)

    def made_of(
        self,
        replies: tuple[Reply, ...],
        command: Command,
        read_in: Callable[[tuple[Reply, ...]], T],
    ) -> T:
        """The same of answers that came; ``command`` is the first that they answer."""
        try:
            return read_in(replies)
        except NonsenseError as error:
            what = f"{self.label} does not answer as Redis does"
            raise self._error(what, command, error, ()) from None

    def refused(self, command: Command, reply: object) -> ClusterError:
        """The error in an answer that is not what it has to be."""
        return self._error(f"{self.label} refuses {' '.join(command)}", command, reply, ())

    async def _exchange(self, data: bytes, fence: Fence | None) -> bytes:
        transport = self._transport()
        try:
            try:
                return await self._once(transport, data, fence)
            except LostContact:
                await transport.connect()
                return await self._once(transport, data, fence)
        except FenceRefused:
            raise
        except TransportError as error:
            raise Silent(
                f"{self.label} does not answer",
                where=self._cluster,
                evidence="\n".join(filter(None, (str(error), error.evidence))),
                next=error.next or f"see that it runs there and listens on {self._address}",
            ) from error

    async def _once(self, transport: Transport, data: bytes, fence: Fence | None) -> bytes:
        return await transport.exchange(self._address, data, self._timeout, fence, self._tls)

    def _read(
        self, came: bytes, commands: tuple[Command, ...], login: tuple[str, ...]
    ) -> tuple[Reply, ...]:
        try:
            replies = read(came)
        except NonsenseError as error:
            hint = f"is it Redis that listens on {self._address} there?"
            raise self._error(
                f"{self.label} answers nonsense", commands[0], error, login, hint
            ) from None
        if not replies:
            raise self._cut_off(commands, replies, login)
        return replies

    def _cut_off(
        self, commands: tuple[Command, ...], replies: tuple[Reply, ...], login: tuple[str, ...]
    ) -> Silent:
        shown = self._veiled(" ".join(map(str, replies[-1:])) or "nothing", login)
        return Silent(
            f"{self.label} closed without a whole answer",
            where=self._cluster,
            evidence=f"{' '.join(commands[-1])} → {shown[:200]}",
            next="look at the server's log there",
        )

    def _error(
        self,
        what: str,
        command: Command,
        reply: object,
        login: tuple[str, ...],
        hint: str = "look at the server's log there",
    ) -> ClusterError:
        shown = self._veiled(str(reply), login) or "(nothing)"
        evidence = f"{' '.join(command)} → {shown[:200]}"
        return ClusterError(what, where=self._cluster, evidence=evidence, next=hint)

    def _veiled(self, text: str, login: tuple[str, ...]) -> str:
        hidden = secret_forms(login[-1:])
        return veil(text.encode("utf-8", "replace"), hidden).decode("utf-8", "replace")


def talks(
    cluster: str,
    hosts: Iterable[str],
    address: Callable[[str], str],
    transports: Callable[[str], Transport],
    *,
    password: Password,
    tls: ApiTlsConfig | None,
    timeout: float,
    sentinel: bool = False,
) -> dict[str, RedisTalk]:
    """One for each host; ``address`` gives that of the server as its host reaches it."""
    return {
        host: RedisTalk(
            cluster,
            host,
            address(host),
            partial(transports, host),
            sentinel=sentinel,
            password=password,
            tls=tls,
            timeout=timeout,
        )
        for host in hosts
    }
