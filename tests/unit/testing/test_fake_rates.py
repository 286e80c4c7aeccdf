"""The scripted source keeps what every source of counts has to keep, and takes the same course
for the same seed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gapless.clock import LoopClock
from gapless.drivers.checks.rates import RateSource
from gapless.errors import SourceUnavailable
from gapless.testing.fake_rates import Errs, FakeRates
from gapless.testing.rate_source_suite import RateRig, RateSourceSuite
from gapless.testing.virtual_time import EPOCH, VirtualClock, run_virtual

_GONE = SourceUnavailable("connection refused", where="fake")


class FakeRig:
    """See RateRig."""

    can = frozenset(("start", "messages", "total", "silence", "nonsense", "past"))
    host, other = "web1", "web2"

    def __init__(self) -> None:
        self._rates = FakeRates(LoopClock(), usual=Errs(0.0, requests=0.0))
        self._rates.silent.add("nobody")
        self._words: set[str] = set()

    def source(self) -> RateSource:
        return self._rates

    async def fail(self, host: str, number: int, word: str = "") -> None:
        new = bool(word) and word not in self._words
        self._words.add(word)
        self._rates.add(
            host, errors=number, requests=number, message=f"failed {word}", new=new
        )  # fmt: skip

    async def succeed(self, host: str, number: int) -> None:
        self._rates.add(host, errors=0, requests=number)

    async def start(self, host: str, number: int) -> None:
        await self.fail(host, number)

    async def silence(self) -> None:
        self._rates.down = _GONE

    async def nonsense(self) -> None:
        self._rates.down = _GONE


class TestFakeRates(RateSourceSuite):
    def rig(self) -> AbstractAsyncContextManager[RateRig]:
        return _rig()


@asynccontextmanager
async def _rig() -> AsyncIterator[RateRig]:
    yield FakeRig()


def test_the_same_seed_takes_the_same_course() -> None:
    async def counted(seed: int) -> list[int]:
        rates = FakeRates(VirtualClock(), seed=seed, usual=Errs(2.0))
        found = []
        for since in range(0, 100, 7):
            count = await rates.count("web1", EPOCH + since, EPOCH + since + 7)
            assert count is not None
            found.append(count.errors)
        return found

    first, again, other = (run_virtual(counted(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert 150 < sum(first) < 260


def test_the_parts_of_a_window_add_up() -> None:
    async def scene() -> None:
        rates = FakeRates(VirtualClock(), usual=Errs(0.1, requests=5.0, burst=3))
        whole = await rates.count("web1", EPOCH - 600, EPOCH)
        parts = [await rates.count("web1", EPOCH - n, EPOCH - n + 10) for n in range(600, 0, -10)]
        assert whole is not None
        assert whole.errors == sum(part.errors for part in parts if part)
        assert whole.total == sum(part.total or 0 for part in parts if part)

    run_virtual(scene())
