"""One side of the library, writing or reading, in a thread of its own, and its errors in our words.

It is made when it is asked for first, and again when no broker answered then. Who is cancelled
meanwhile leaves it to the next one; what waits for the thread and is cancelled is never begun.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, Protocol, TypeVar

from gapless.config.api_url import ApiTlsConfig
from gapless.config.cluster_kafka import KafkaLoginConfig, KafkaTlsConfig
from gapless.drivers.clusters.kafka_access import access
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.workloads.login import Login
from gapless.hostside.veil import veil
from gapless.prove.workload import NotDone


class Blocking(Protocol):
    """What the library does; it blocks."""

    def close(self) -> None:
        """Nothing of it is left."""
        ...


SideT = TypeVar("SideT", bound=Blocking)
T = TypeVar("T")


class Entry:
    """Who the client says it is; ``login`` is that of ``sasl``."""

    def __init__(
        self,
        login: Login,
        tls: KafkaTlsConfig | ApiTlsConfig | None,
        sasl: KafkaLoginConfig | None,
    ) -> None:
        self._login, self._tls, self._sasl = login, tls, sasl
        self._hidden: tuple[bytes, ...] = ()

    async def options(self) -> Mapping[str, Any]:
        """Of the library. Raises NotDone."""
        words = await self._login.words() if self._sasl else ()
        self._hidden = tuple(secret_forms(words[-1:]))
        try:
            return access(self._tls, self._sasl, words)
        except OSError as error:  # of TLS, too
            tls = self._tls
            files = ", ".join(filter(None, (tls.ca, tls.cert, tls.key))) if tls else ""
            raise NotDone(f"no TLS with {files}: {error.strerror or error}") from None

    @asynccontextmanager
    async def words(self) -> AsyncIterator[None]:
        """An error of the library is NotDone."""
        from kafka import errors

        try:
            yield
        except errors.KafkaError as error:
            if isinstance(error, errors.SaslAuthenticationFailedError):
                self._login.forget()
            text = veil(str(error).encode(), self._hidden).decode("utf-8", "replace")
            raise NotDone(f"Kafka: {text}") from None
        except (AttributeError, TypeError, struct.error) as error:
            told = f"gapless and kafka-python do not fit together: {type(error).__name__}: {error}"
            raise NotDone(told) from error


class Side(Generic[SideT]):
    """``make`` takes addresses, topic and options, and blocks."""

    def __init__(
        self,
        addresses: Sequence[str],
        topic: str,
        make: Callable[[Sequence[str], str, Mapping[str, Any]], SideT],
        entry: Entry,
    ) -> None:
        self._addresses, self._topic, self._make = addresses, topic, make
        self._entry = entry
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gapless-kafka")
        self._made: asyncio.Task[SideT] | None = None

    async def do(self, what: Callable[[SideT], T]) -> T:
        """What it came to. Raises NotDone."""
        if self._made is None or _failed(self._made):
            self._made = asyncio.create_task(self._begun())
        side = await asyncio.shield(self._made)
        async with self._entry.words():
            return await self._in_thread(lambda: what(side))

    async def close(self) -> None:
        """Its thread ends."""
        if self._made is not None:
            with suppress(NotDone):
                side = await self._made
                async with self._entry.words():
                    await self._in_thread(side.close)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _begun(self) -> SideT:
        options = await self._entry.options()
        async with self._entry.words():
            return await self._in_thread(lambda: self._make(self._addresses, self._topic, options))

    async def _in_thread(self, what: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, what)


def _failed(made: asyncio.Task[Any]) -> bool:
    return made.done() and (made.cancelled() or made.exception() is not None)
