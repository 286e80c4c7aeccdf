"""The contract, kept by processes that gapless supervises."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from gapless.testing.runtime_suite import RuntimeSuite

from .process_bench import RealPair, RealProcess


class TestProcessesOnThisMachine(RuntimeSuite):
    kind: type[RealProcess] = RealProcess

    def bench(self) -> RealProcess:
        self.made = self.kind()
        return self.made

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        async def main() -> None:
            try:
                await case
            finally:
                await self.made.close()

        asyncio.run(main())


class TestPairsOnThisMachine(TestProcessesOnThisMachine):
    """What is asked of the service as a whole is asked of the copy that serves."""

    kind = RealPair
