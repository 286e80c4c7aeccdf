"""A process: what it holds, how it starts, and which path leads where."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from .electing import Electing, position
from .etcd import Etcd
from .following import Following
from .http_caller import Caller
from .http_server import Answer, Request, Server
from .in_flight import InFlight
from .leading import Leading
from .log import Log
from .metadata import Metadata
from .metrics import Metrics
from .partition import Partition
from .refusal import Refusal
from .serving import Serving
from .settings import Settings
from .stopping import Stopping, say
from .views import Views

_LOOK = 0.02
_WELL = ("healthy", "degraded")


class Node:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.data.mkdir(parents=True, exist_ok=True)
        self._caller = Caller()
        self._metadata = Metadata(settings, Etcd(settings.etcd, self._caller), _opened(settings))
        self._leading = Leading(settings, self._metadata)
        self._in_flight = InFlight(settings)
        self._metrics = Metrics(settings.data)
        self._serving = Serving(self._leading, self._in_flight, self._metrics)
        self._views = Views(settings, self._metadata)
        self._server = Server(self._handle)
        self._following: list[asyncio.Task[None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Until it is told to stop; the status to exit with."""
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        try:
            # Nobody is listened to before: a write would be taken in the epoch of the process that
            # was killed, for an offset that the others know by another write.
            if not await self._entered():
                return self._failed()
            await self._server.start(self._settings.listen)
            self._begin()
            if not await self._joined(told):
                return self._failed()
            self._views.state = "running"
            say(f"INFO Node {self._settings.node_id} joined the cluster")
            await told.wait()
            self._views.state = "shutting_down"
            stopping = self._stopping()
            await stopping.run()
        finally:
            await self._end()
        stopping.done()
        return 0

    async def _entered(self) -> bool:
        return await self._until(self._try_to_enter)

    async def _try_to_enter(self) -> bool:
        with suppress(OSError):
            await self._metadata.enter()
            return True
        return False

    def _begin(self) -> None:
        """What goes on all the time."""
        following = Following(self._settings, self._caller)
        electing = Electing(self._settings, self._metadata, self._caller)
        partitions = self._metadata.partitions.values()
        self._following = [_begun(following.run(one)) for one in partitions]
        self._tasks = [
            _begun(self._metadata.follow()),
            _begun(self._metadata.keep_alive()),
            _begun(electing.run()),
            _begun(self._leading.keep_isr()),
            _begun(self._flush_every_so_often()),
        ]

    async def _joined(self, told: asyncio.Event) -> bool:
        """Who is told to stop before need not wait for it."""

        async def joined() -> bool:
            return self._metadata.is_led or told.is_set()

        return await self._until(joined)

    async def _until(self, true: Callable[[], Awaitable[bool]]) -> bool:
        """Within the limit for joining a cluster."""
        until = self._metadata.since + self._settings.join_limit
        while not await true():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(_LOOK)
        return True

    def _failed(self) -> int:
        limit = self._settings.join_limit
        say(f"ERROR Failed to join cluster: no leader elected within {limit:g}s")
        return 1

    def _stopping(self) -> Stopping:
        return Stopping(
            self._settings,
            self._metadata,
            self._leading,
            self._in_flight,
            self._metrics,
            self._following,
        )

    async def _end(self) -> None:
        tasks = [*self._tasks, *self._following]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.close()
        with suppress(OSError):
            await self._metadata.leave()
        self._caller.close()

    async def _flush_every_so_often(self) -> None:
        while True:
            await asyncio.sleep(self._settings.flush_every)
            for partition in self._metadata.partitions.values():
                await partition.log.flush()

    async def _handle(self, request: Request) -> Answer:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["health"]:
                health = self._views.health()
                return Answer(health, 200 if health["status"] in _WELL else 503)
            case "GET", ["partitions"]:
                return Answer(self._views.partitions())
            case "GET", ["admin", "health"]:
                return Answer(self._views.admin_health())
            case "GET", ["admin", "status"]:
                self._check_key(request)
                return Answer(self._views.admin_status())
            case "GET", ["metrics"]:
                return Answer(self._figures())
            case "POST", ["partitions", name, "transfer"]:
                return Answer(await self._transfer(self._named(name), request.number("to")))
            case "POST", ["produce", name]:
                return Answer(await self._serving.produce(self._named(name), request.body))
            case "GET", ["fetch", name]:
                offset, wait = request.number("offset", 0), request.number("wait", 0)
                return Answer(await self._serving.fetch(self._named(name), offset, wait))
            case "GET", ["position", name]:
                return Answer(position(self._named(name)))
            case "GET", ["replicate", name]:
                return Answer(await self._replicate(self._named(name), request))
        raise Refusal(404, "NOT_FOUND")

    def _figures(self) -> str:
        leads, in_sync = self._views.leads(), self._views.in_sync()
        return self._metrics.text(leads, in_sync, self._in_flight.count)

    async def _transfer(self, partition: Partition, target: int) -> dict[str, object]:
        limit, result = self._settings.transfer_limit, "failed"
        try:
            await self._leading.transfer(partition, target, limit)
            result = "success"
        except TimeoutError:
            raise Refusal(504, "TRANSFER_TIMED_OUT", seconds=limit) from None
        except OSError as error:
            raise Refusal(503, "NO_METADATA", why=str(error)) from error
        finally:
            self._metrics.transfers[result] += 1
        return {"partition": partition.name, "from": self._settings.node_id, "to": target}

    async def _replicate(self, partition: Partition, request: Request) -> dict[str, object]:
        numbers = (request.number(name) for name in ("node", "epoch", "from", "last", "known"))
        try:
            return await self._leading.replicate(partition, *numbers)
        except OSError as error:
            raise Refusal(503, "NO_METADATA", why=str(error)) from error

    def _named(self, name: str) -> Partition:
        try:
            return self._metadata.partitions[name]
        except KeyError:
            raise Refusal(404, "UNKNOWN_PARTITION") from None

    def _check_key(self, request: Request) -> None:
        key = self._settings.api_key
        if key and request.headers.get("x-api-key") != key:
            raise Refusal(401, "UNAUTHORIZED")


def _opened(settings: Settings) -> list[Partition]:
    return [
        Partition(topic, number, Log(settings.data / f"{topic}-{number}.log"))
        for topic, count in settings.topics.items()
        for number in range(count)
    ]


def _begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A process with a part that failed must not go on as if nothing were."""
    task = asyncio.create_task(work)
    task.add_done_callback(_crash_if_failed)
    return task


def _crash_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(error)
        os._exit(70)
