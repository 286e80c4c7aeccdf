"""Writes at a steady rate, whatever happens to the nodes, and knows what was acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from .client import Client, Lost


class Writer:
    """``with Writer(urls, partitions) as writer:``; one thread for each partition, so that one that
    waits for a leader holds up no other. ``rate`` is that of all together."""

    def __init__(
        self, urls: Sequence[str], partitions: Sequence[str], *, rate: float = 50.0
    ) -> None:
        self.acknowledged: dict[str, list[str]] = {name: [] for name in partitions}
        self.failed: list[str] = []
        self._pause = len(partitions) / rate
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(Client(urls), name)) for name in partitions
        ]

    def __enter__(self) -> Writer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self) -> int:
        """How many were acknowledged so far."""
        return sum(len(values) for values in self.acknowledged.values())

    def _write(self, client: Client, partition: str) -> None:
        due = time.monotonic()
        for number in itertools.count():
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            value = f"{partition}:{id(self)}:{number}"
            try:
                client.produce(partition, value)
            except Lost as lost:
                self.failed.append(str(lost))
            else:
                self.acknowledged[partition].append(value)
            due += self._pause
