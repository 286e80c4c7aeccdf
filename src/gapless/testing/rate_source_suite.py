"""What every source of error counts has to keep, run against the real thing.

Subclass RateSourceSuite, and give it a rig: hosts whose errors the source counts, and the means to
make them err.

    class TestMine(RateSourceSuite):
        def rig(self) -> AbstractAsyncContextManager[RateRig]:
            return my_rig()

What a rig cannot do it does not list in ``can``, and the cases about it are skipped by name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol
from unittest import SkipTest

from gapless.drivers.checks.rates import Count, RateSource
from gapless.errors import SourceUnavailable

PATIENCE = 20.0
"""Seconds a case waits for what must come."""
AT_START = 40
"""Errors in the first instant of a new process."""


class RateRig(Protocol):
    """Hosts whose errors a source counts.

    ``can``: start (a new process that errs at once), messages, total (requests), silence (it stops
    answering), nonsense, past (it knows what was before it was first asked).
    """

    can: frozenset[str]
    host: str
    """A host that reports, and has not erred yet."""
    other: str
    """Another one."""

    def source(self) -> RateSource:
        """A new driver."""
        ...

    async def fail(self, host: str, number: int, word: str = "") -> None:
        """So many errors now, each of a message of its own that has ``word`` in it."""
        ...

    async def succeed(self, host: str, number: int) -> None:
        """So many requests now that are answered well."""
        ...

    async def start(self, host: str, number: int) -> None:
        """The host's process is replaced by one that errs so often in its first instant."""
        ...

    async def silence(self) -> None:
        """Whoever is asked is gone."""
        ...

    async def nonsense(self) -> None:
        """Whoever is asked answers rubbish from now on."""
        ...


class RateSourceSuite:
    """The cases."""

    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        """A rig of its own for each case."""
        raise NotImplementedError

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        """Run a case to its end."""
        asyncio.run(scene)

    def _case(self, body: Callable[[RateRig], Awaitable[None]], *needs: str) -> None:
        async def scene() -> None:
            async with self.rig() as rig:
                missing = set(needs) - rig.can
                if missing:
                    raise SkipTest(f"this rig cannot: {', '.join(sorted(missing))}")
                await body(rig)

        self.run(scene())

    def test_a_host_nobody_knows_has_no_data(self) -> None:
        """No data is None, never zero errors."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            now = time.time()
            await source.begin(["nobody"])
            assert await source.count("nobody", now - 10, now) is None

        self._case(body)

    def test_a_quiet_host_has_no_errors(self) -> None:
        """A host that reports and did not err has none."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host])
            since = time.time()
            await rig.succeed(rig.host, 1)
            count = await reached(source, rig.host, since, lambda c: c.seconds > 0)
            assert count.errors == 0

        self._case(body)

    def test_errors_are_those_of_the_host(self) -> None:
        """Another host's errors are not this one's."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host, rig.other])
            since = time.time()
            await rig.fail(rig.host, 7)
            await rig.succeed(rig.other, 1)
            count = await reached(source, rig.host, since, lambda c: c.errors >= 7)
            assert count.errors == 7
            assert 0 < count.seconds <= time.time() - since + 2
            theirs = await reached(source, rig.other, since, lambda c: c.seconds > 0)
            assert theirs.errors == 0

        self._case(body)

    def test_what_was_before_the_window_is_not_in_it(self) -> None:
        """Counting begins with the window."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host])
            before = time.time()
            await rig.fail(rig.host, 5)
            await reached(source, rig.host, before, lambda c: c.errors >= 5)
            since = await after(source, rig.host, before)
            await rig.fail(rig.host, 3)
            count = await reached(source, rig.host, since, lambda c: c.errors >= 3)
            assert count.errors == 3

        self._case(body)

    def test_asked_again_it_says_the_same(self) -> None:
        """Looking changes nothing."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host])
            since = time.time()
            await rig.fail(rig.host, 4)
            first = await reached(source, rig.host, since, lambda c: c.errors >= 4)
            second = await reached(source, rig.host, since, lambda c: c.errors >= 4)
            assert second.errors == first.errors == 4

        self._case(body)

    def test_errors_of_the_first_instant_count(self) -> None:
        """What a new process counts before it is first asked about is not lost."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host])
            since = time.time()
            await rig.start(rig.host, AT_START)
            count = await reached(source, rig.host, since, lambda c: c.errors >= AT_START)
            assert count.errors == AT_START

        self._case(body, "start")

    def test_the_past_is_known_that_was_before_the_first_question(self) -> None:
        """There is a baseline without having asked for one."""

        async def body(rig: RateRig) -> None:
            since = time.time()
            await rig.fail(rig.host, 6)
            source = rig.source()
            count = await reached(source, rig.host, since, lambda c: c.errors >= 6)
            assert count.errors == 6

        self._case(body, "past")

    def test_requests_are_counted_with_their_errors(self) -> None:
        """Errors are a part of the requests."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host])
            since = time.time()
            await rig.fail(rig.host, 2)
            await rig.succeed(rig.host, 8)
            # they are two questions: what came in between is in the second answer only
            count = await reached(
                source, rig.host, since, lambda c: c.errors >= 2 and (c.total or 0) >= 10
            )
            assert (count.errors, count.total) == (2, 10)

        self._case(body, "total")

    def test_messages_are_told_and_which_of_them_are_new(self) -> None:
        """A message that was there before is not new."""

        async def body(rig: RateRig) -> None:
            await rig.fail(rig.host, 1, "wellknown")
            since = time.time()
            source = rig.source()
            await reached(source, rig.host, since - 5, lambda c: c.errors >= 1)
            source = rig.source()
            await source.begin([rig.host])
            since = time.time()
            await rig.fail(rig.host, 1, "wellknown")
            await rig.fail(rig.host, 1, "neverseen")
            count = await reached(source, rig.host, since, lambda c: c.errors >= 2)
            assert any("wellknown" in text for text, _ in count.top)
            assert any("neverseen" in text for text, _ in count.top)
            assert ["neverseen" in text for text, _ in count.unseen] == [True]

        self._case(body, "messages", "past")

    def test_whoever_is_gone_is_unavailable(self) -> None:
        """A source that is down is no good news."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host])
            since = time.time()
            await rig.silence()
            await unavailable(source, rig.host, since)

        self._case(body, "silence")

    def test_nonsense_is_no_answer(self) -> None:
        """What nobody can read is no answer."""

        async def body(rig: RateRig) -> None:
            source = rig.source()
            await source.begin([rig.host])
            since = time.time()
            await rig.nonsense()
            await unavailable(source, rig.host, since)

        self._case(body, "nonsense")

    def test_the_beginning_does_not_fail_where_nobody_answers(self) -> None:
        """A source that is down fails no rollout before it began."""

        async def body(rig: RateRig) -> None:
            await rig.silence()
            source = rig.source()
            await source.begin([rig.host, rig.other])
            await unavailable(source, rig.host, time.time() - 10)

        self._case(body, "silence")


async def reached(
    source: RateSource, host: str, since: float, enough: Callable[[Count], bool]
) -> Count:
    """The first count that is enough."""
    end = time.monotonic() + PATIENCE
    while True:
        count = await source.count(host, since, time.time())
        if count is not None and enough(count):
            return count
        if time.monotonic() > end:
            raise AssertionError(f"{source.name} does not count that: {count}")
        await asyncio.sleep(0.1)


async def after(source: RateSource, host: str, before: float) -> float:
    """A moment from which on nothing of what was counted so far is counted again."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        now = time.time()
        await source.count(host, before, now)
        await asyncio.sleep(0.3)
        count = await source.count(host, now, time.time())
        if count is None or count.errors == 0:
            return now
    raise AssertionError(f"{source.name} goes on counting what is over")


async def unavailable(source: RateSource, host: str, since: float) -> None:
    """It says that it does not know, in words."""
    try:
        count = await source.count(host, since, time.time())
    except SourceUnavailable as error:
        assert error.what
        return
    raise AssertionError(f"{source.name} knows what it cannot know: {count}")
