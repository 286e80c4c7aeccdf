"""One server of ZooKeeper, asked by four letter words through the transport of its own host.

1. A word is a connection of its own: the server answers it and closes.
2. Three things that are no answer are told apart: silence, a word that is not allowed there, and a
   server that serves nobody because it has no quorum.
3. The life of a server keeps its name while its role lasts: what is worked out from an uptime is a
   little different each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gapless.clock import Clock
from gapless.drivers.clusters import zookeeper_view
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.clusters.zookeeper_life import Life
from gapless.drivers.clusters.zookeeper_sight import Sight
from gapless.drivers.clusters.zookeeper_view import WORDS, NonsenseError, Server
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, LostContact, TransportError

SHUT, IDLE = "words-not-allowed", "not-serving"
_SHOWN = 300


class ZooKeeperTalk:
    """``address`` as the host reaches it; ``timeout`` in seconds bounds each question."""

    def __init__(
        self,
        cluster: str,
        host: str,
        address: str,
        transport: Callable[[], Transport],
        clock: Clock,
        timeout: float,
    ) -> None:
        self.host = host
        self._label = f"ZooKeeper on {host or 'localhost'}"
        self._cluster = cluster
        self._address = address
        self._transport = transport
        self._clock = clock
        self._timeout = timeout
        self._life: Life | None = None

    async def look(self) -> Sight:
        """All that it tells. Never raises for a server that is silent or answers nonsense."""
        try:
            return await self._sight()
        except ClusterError as error:
            return Sight(self.host, None, error.what, error.evidence, error.next)

    async def _sight(self) -> Sight:
        began = self._clock.now()
        told = {WORDS[0]: await self._say(WORDS[0])}
        asked = self._clock.now()
        for word in WORDS[1:]:
            told[word] = await self._say(word)
        for word, answer in told.items():
            if zookeeper_view.refused(answer):
                return self._shut(word, answer)
        for word, answer in told.items():
            if zookeeper_view.idle(answer):
                return self._idle(word, answer)
        return Sight(self.host, self._read(told, asked, max(0.0, asked - began)))

    def _read(self, told: Mapping[str, str], asked: float, width: float) -> Server:
        try:
            found = zookeeper_view.server(told, asked, width)
        except NonsenseError as error:
            raise ClusterError(
                f"{self._label} does not answer as it should: {error}",
                where=self._cluster,
                evidence="\n".join(f"{word} → {told[word][:_SHOWN]!r}" for word in told),
                next=f"is it ZooKeeper >= 3.6 that listens on {self._address} there?",
            ) from None
        self._life = found.life.named(self._life)
        return replace(found, life=self._life)

    def _shut(self, word: str, answer: str) -> Sight:
        return Sight(
            self.host,
            None,
            f"{self._label} does not allow the word {word}",
            self._evidence(word, answer),
            f"write 4lw.commands.whitelist={','.join(WORDS)} in its zoo.cfg, and restart it",
            SHUT,
        )

    def _idle(self, word: str, answer: str) -> Sight:
        return Sight(
            self.host,
            None,
            f"{self._label} runs, and serves nobody: it has no quorum",
            self._evidence(word, answer),
            "see that it reaches the others on their quorum and election ports; its log says more",
            IDLE,
        )

    def _evidence(self, word: str, answer: str) -> str:
        return f"{word} on {self._address} → {answer.strip()[:_SHOWN] or '(nothing)'}"

    async def _say(self, word: str) -> str:
        """Raises Silent."""
        came = await self._exchange(word.encode())
        if not came:
            raise Silent(
                f"{self._label} closed without an answer",
                where=self._cluster,
                evidence=self._evidence(word, ""),
                next="look at the server's log there; maxClientCnxns may be reached",
            )
        return came.decode("utf-8", "replace")

    async def _exchange(self, data: bytes) -> bytes:
        transport = self._transport()
        try:
            try:
                return await transport.exchange(self._address, data, self._timeout)
            except LostContact:
                await transport.connect()
                return await transport.exchange(self._address, data, self._timeout)
        except TransportError as error:
            raise Silent(
                f"{self._label} does not answer",
                where=self._cluster,
                evidence="\n".join(filter(None, (str(error), error.evidence))),
                next=error.next or f"see that it runs there and listens on {self._address}",
            ) from error
