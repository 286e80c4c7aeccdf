"""Which messages of an index were there before the first change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from gapless.errors import SourceUnavailable
from gapless.hostside.log_fingerprint import fingerprint, sample

Messages = Sequence[tuple[str, int]]
"""Messages as they were written and how often, the most frequent first."""

_AT_ONCE = 10
_TOLD = 20


class SeenMessages:
    """Fingerprints of the baseline of several hosts: what none of them had is new."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._learned: dict[str, bool] = {}

    async def learn(
        self, hosts: Sequence[str], ask: Callable[[str], Awaitable[Messages | None]]
    ) -> None:
        """Ask for the messages of each host once; None: not all of them can be told. A host that
        cannot be asked stays unknown."""
        few = asyncio.Semaphore(_AT_ONCE)

        async def one(host: str) -> None:
            async with few:
                self._learned[host] = False
                with suppress(SourceUnavailable):
                    messages = await ask(host)
                    if messages is not None:
                        self._known.update(fingerprint(text) for text, _ in messages)
                        self._learned[host] = True

        new = [host for host in dict.fromkeys(hosts) if host not in self._learned]
        await asyncio.gather(*(one(host) for host in new))

    def unseen(self, host: str, messages: Messages) -> tuple[tuple[str, int], ...]:
        """Those that were never seen; nothing where that cannot be told."""
        if not self._learned.get(host):
            return ()
        return top(one for one in messages if fingerprint(one[0]) not in self._known)


def top(messages: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The most frequent messages, those of one fingerprint together, fit to be shown."""
    found: dict[str, tuple[str, int]] = {}
    for text, count in messages:
        first, before = found.get(fingerprint(text), (sample(text), 0))
        found[fingerprint(text)] = (first, before + count)
    return tuple(sorted(found.values(), key=lambda one: -one[1])[:_TOLD])
