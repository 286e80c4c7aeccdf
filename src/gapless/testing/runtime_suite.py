"""The conformance suite of runtimes: subclass it, give it a bench, run it with pytest.

    class TestMine(RuntimeSuite):
        def bench(self) -> RuntimeBench:
            return my_bench()

A bench is one instance that runs, on a host that may be real or fake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from gapless.drivers.runtimes.base import Replacement, Runtime, RuntimeSnapshot
from gapless.drivers.runtimes.paired import copy_of
from gapless.drivers.transports.base import Transport
from gapless.model import CriticalAction, Instance, InstanceState, Observation


class RuntimeBench(Protocol):
    """One running instance. ``folder`` is an empty folder on its host for snapshots."""

    folder: str

    async def open(self) -> tuple[Transport, Runtime]:
        """A connected transport and a driver; the instance runs."""
        ...

    async def kill(self) -> None:
        """End the instance behind the driver's back, and return when that can be seen."""
        ...


Case = Callable[[RuntimeBench, Transport, Runtime], Awaitable[None]]


class RuntimeSuite:
    """What every runtime promises."""

    def bench(self) -> RuntimeBench:
        """A fresh instance."""
        raise NotImplementedError

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        """Run one case; a virtual loop may be put here."""
        asyncio.run(case)

    def play(self, case: Case) -> None:
        """Run a case on a bench of its own."""

        async def main() -> None:
            bench = self.bench()
            transport, runtime = await bench.open()
            try:
                await case(bench, transport, runtime)
            finally:
                await transport.close()

        self.run(main())

    def test_a_running_instance_is_running_and_fit(self) -> None:
        """With an identity that stays the same as long as nothing happens."""

        async def case(bench: RuntimeBench, transport: Transport, runtime: Runtime) -> None:
            first, second = await runtime.observe(transport), await runtime.observe(transport)
            assert first.state is InstanceState.RUNNING
            assert first.identity == second.identity != ""
            assert all(verdict.passed for verdict in await runtime.preflight(transport))

        self.play(case)

    def test_what_is_down_is_not_fit_and_says_what_to_do(self) -> None:
        """A failing verdict has a remedy."""

        async def case(bench: RuntimeBench, transport: Transport, runtime: Runtime) -> None:
            await bench.kill()
            assert (await runtime.observe(transport)).state is not InstanceState.RUNNING
            failing = [v for v in await runtime.preflight(transport) if not v.passed]
            assert failing
            assert all(verdict.wanted for verdict in failing)

        self.play(case)

    def test_a_replacement_shows_in_the_identity(self) -> None:
        """The commands are data: nothing happens until they are run."""

        async def case(bench: RuntimeBench, transport: Transport, runtime: Runtime) -> None:
            before = await runtime.observe(transport)
            replacement = await runtime.replacement(transport, {}, False)
            unchanged = await runtime.observe(transport)
            assert not runtime.replaced(before, unchanged, replacement.manner)
            await perform(transport, replacement)
            after = await settled(runtime, transport)
            assert runtime.replaced(before, after, replacement.manner)

        self.play(case)

    def test_what_is_down_comes_up_by_a_replacement(self) -> None:
        """A forced rollout repairs."""

        async def case(bench: RuntimeBench, transport: Transport, runtime: Runtime) -> None:
            await bench.kill()
            await perform(transport, await runtime.replacement(transport, {}, True))
            await settled(runtime, transport)

        self.play(case)

    def test_a_snapshot_survives_the_journal_and_brings_back(self) -> None:
        """Twice, too: a way back may be interrupted and gone again."""

        async def case(bench: RuntimeBench, transport: Transport, runtime: Runtime) -> None:
            fingerprint = await runtime.fingerprint(transport)
            kept = await runtime.snapshot(transport, bench.folder)
            snapshot = RuntimeSnapshot.from_json(kept.to_json())
            for _ in range(2):
                before = await runtime.observe(transport)
                restoration = await runtime.restoration(transport, snapshot)
                await perform(transport, restoration)
                after = await settled(runtime, transport)
                assert runtime.replaced(before, after, restoration.manner)
            assert await runtime.fingerprint(transport) == fingerprint
            assert runtime.manual(snapshot)

        self.play(case)

    def test_what_must_not_change_is_told_by_name(self) -> None:
        """And holds right after it was taken; of two copies it is that of the one that serves."""

        async def case(bench: RuntimeBench, transport: Transport, runtime: Runtime) -> None:
            runtime, _ = await copy_of(runtime, transport, Instance("", transport.host))
            identity = runtime.soak_identity(await runtime.observe(transport))
            if not runtime.unit:
                assert not identity
                return
            assert dict(await transport.unit(runtime.unit, tuple(identity))) == dict(identity)

        self.play(case)


async def perform(transport: Transport, replacement: Replacement) -> None:
    """Run the commands as one action, within the time they ask for."""
    assert replacement.timeout >= max(command.timeout for command in replacement.commands)
    key = f"suite-{asyncio.get_running_loop().time()}"
    done = await transport.act(CriticalAction(key, replacement.commands, None, replacement.timeout))
    assert done.ok, done


async def settled(runtime: Runtime, transport: Transport, patience: float = 20.0) -> Observation:
    """The observation once the instance runs."""
    async with asyncio.timeout(patience):
        while True:
            now = await runtime.observe(transport)
            if now.state is InstanceState.RUNNING:
                return now
            await asyncio.sleep(0.05)
