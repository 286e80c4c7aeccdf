"""A cluster in memory, for the client that ``--prove`` runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gapless.prove.workload import NotDone

Trouble = Callable[[str, int], str]
"""By what is done and its number: "" for well, ``hang``, ``lose`` (acknowledged, and not kept),
``late`` (after 300 ms), or what is refused."""


def well(verb: str, number: int) -> str:
    return ""


class Memory:
    """See ``Workload``. ``trouble`` may be changed at any time."""

    kind = "memory"
    place = "the memory"
    addresses = "memory:1, memory:2"
    removes = True

    def __init__(self, trouble: Trouble = well) -> None:
        self.trouble = trouble
        self.values: dict[int, str] = {}
        self.asked: list[tuple[str, int]] = []
        self.closed = self.cleared = False

    async def prepare(self) -> None:
        await self._troubled("prepare", 0)

    async def write(self, number: int, value: str) -> None:
        if not await self._troubled("write", number):
            self.values[number] = value

    async def read(self, number: int) -> str | None:
        await self._troubled("read", number)
        return self.values.get(number)

    async def clear(self) -> None:
        if not await self._troubled("clear", 0):
            self.values.clear()
            self.cleared = True

    async def close(self) -> None:
        self.closed = True

    async def _troubled(self, verb: str, number: int) -> bool:
        """Whether nothing is to be kept."""
        self.asked.append((verb, number))
        trouble = self.trouble(verb, number)
        if trouble == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(0.3 if trouble == "late" else 0.001)
        if trouble not in ("", "late", "lose"):
            raise NotDone(trouble)
        return trouble == "lose"
