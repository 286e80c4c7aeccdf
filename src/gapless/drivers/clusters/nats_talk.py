"""The client port of one NATS server, spoken to through the transport of the host it runs on.

1. It goes as bytes over a socket of the host: no program, no argument list, nothing to see for
   others there. With a fence the host first checks that it is the newest.
2. A server that does not let us in, or does not take what was ordered, is a ClusterError with its
   words; one that ends the connection too early, or cannot be reached, is silence (``Silent``),
   which may pass. The password is in none of them.
3. After a lost connection it is said once more: a leader that has handed over already is told to by
   nobody, for only the leader listens.
4. With ``client_tls`` everything of ours goes over TLS, which begins when the server's INFO has
   offered it, or before that (``handshake_first``). Who is not vouched for, and who offers none, is
   told nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gapless.config.cluster_nats import NatsClusterConfig, NatsLoginConfig
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.clusters.nats_protocol import (
    OFFERS_TLS,
    NonsenseError,
    Order,
    Said,
    question,
    read,
)
from gapless.drivers.clusters.password import Password
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.speaking_tls import tls_to
from gapless.drivers.transports.base import Tls, Transport
from gapless.errors import ClusterError, FenceRefused, LostContact, TransportError
from gapless.hostside.veil import veil
from gapless.model import Fence


class ShutOut(ClusterError):
    """The server does not let us in."""


@dataclass(frozen=True, slots=True)
class OfferedTls(Tls):
    """It begins when the other side's first line, said in the clear, matches ``offer``."""

    offer: str = OFFERS_TLS


class NatsTalk:
    """``address`` as the host reaches it."""

    def __init__(
        self,
        cluster: str,
        host: str,
        address: str,
        transport: Callable[[], Transport],
        config: NatsClusterConfig,
    ) -> None:
        self.label = f"NATS on {host or 'localhost'}"
        """What answers, and where, for people."""
        self.address = address
        self._cluster = cluster
        self._transport = transport
        self._timeout = config.timeout
        self._tls = _tls(address, config)

    async def say(self, login: NatsLogin, *orders: Order, fence: Fence | None = None) -> Said:
        """All of it taken. Raises ShutOut, Silent, ClusterError for what is not NATS, FenceRefused
        as it is."""
        words = await login.words()
        came = await self._exchange(question(words, orders), fence)
        hidden = secret_forms(words[-1:])

        def veiled(text: bytes) -> str:
            return veil(text, hidden).decode("utf-8", "replace")

        told = veiled(came[:400]) or "(nothing)"
        evidence = f"CONNECT as {login.called} on {self.address} → {told}"
        try:
            said = read(came)
        except NonsenseError:
            hint = f"is it a client port of NATS, {self.address}?"
            raise self._error(f"{self.label} answers nonsense", evidence, hint) from None
        said = replace(said, errors=tuple(veiled(one.encode()) for one in said.errors))
        if self._tls is None and said.info.get("tls_required") is True:
            what = f"{self.label} wants TLS on its client port"
            hint = "set 'client_tls' of the cluster in gapless.yaml"
            raise ShutOut(what, where=self._cluster, evidence=evidence, next=hint)
        if said.shut_out:
            login.forget()
            what = f"{self.label} does not let in {login.called}: {said.shut_out}"
            hint = "set 'accounts' and 'system' of the cluster in gapless.yaml"
            raise ShutOut(what, where=self._cluster, evidence=evidence, next=hint)
        if not said.taken:
            raise Silent(
                f"{self.label} closed without a whole answer",
                where=self._cluster,
                evidence=evidence,
                next=_LOG if came or self._tls else f"{_LOG}; {_FIRST}",
            )
        return said

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
            evidence = "\n".join(filter(None, (str(error), error.evidence)))
            if error.what.startswith("no TLS"):
                what = f"{self.label} is told nothing on its client port: {error.what}"
                raise ShutOut(what, where=self._cluster, evidence=evidence, next=_TLS) from error
            raise Silent(
                f"{self.label} takes no clients on {self.address}",
                where=self._cluster,
                evidence=evidence,
                next=error.next or "see that it listens there, and is not in lame duck mode",
            ) from error

    async def _once(self, transport: Transport, data: bytes, fence: Fence | None) -> bytes:
        return await transport.exchange(self.address, data, self._timeout, fence, self._tls)

    def _error(self, what: str, evidence: str, hint: str) -> ClusterError:
        return ClusterError(what, where=self._cluster, evidence=evidence, next=hint)


class NatsLogin:
    """Who says it; ``config`` None is nobody. The password is read once and kept while it is
    good."""

    def __init__(self, cluster: str, config: NatsLoginConfig | None) -> None:
        self.called = f"the user {config.user!r}" if config else "nobody in particular"
        """For people."""
        self._password = Password(
            cluster, config.user if config else "", config.password if config else None
        )

    async def words(self) -> tuple[str, ...]:
        """User and password, () for nobody. Raises ClusterError, which names the reference."""
        return await self._password.login()

    def forget(self) -> None:
        """It was refused: the next time it is read anew."""
        self._password.forget()


def _tls(address: str, config: NatsClusterConfig) -> Tls | None:
    tls = tls_to(address, config.client_tls)
    if tls is None or config.handshake_first:
        return tls
    return OfferedTls(tls.name, tls.ca, tls.cert, tls.key)


_LOG = "look at the server's log there"
_FIRST = "where it begins with TLS, set 'client_tls' and 'handshake_first' of the cluster"
_TLS = (
    "compare 'client_tls' and 'handshake_first' of the cluster in gapless.yaml with 'tls' of the"
    " server's configuration"
)
