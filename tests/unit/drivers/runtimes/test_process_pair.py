"""Two supervised processes that are one instance, with real supervisors."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from gapless.config.process_service import ProcessRuntimeConfig
from gapless.config.releases import ReleaseConfig
from gapless.drivers.handover.base import HandsOver
from gapless.drivers.runtimes import process_handover as handover
from gapless.drivers.runtimes import process_start as start
from gapless.drivers.runtimes.base import Replacement, Runtime
from gapless.drivers.runtimes.paired import Paired, copy_of
from gapless.drivers.runtimes.process_pair import ProcessCopy, ProcessPair
from gapless.drivers.transports.base import Transport
from gapless.model import Command, Instance, InstanceState
from tests.unit.drivers.runtimes.process_bench import RealPair, perform

WEB = Instance("shop", "web1")


class Bench:
    """The copy in slot a runs, as a deploy left it."""

    def __init__(self, made: RealPair, transport: Transport, pair: ProcessPair) -> None:
        self.made, self.transport, self.pair = made, transport, pair

    def copy(self, slot: str) -> ProcessCopy:
        return self.pair.copy(slot)

    def file(self, slot: str) -> Path:
        return self.made.home / f"state/processes/shop-{slot}.json"

    async def state(self, slot: str) -> InstanceState:
        return (await self.copy(slot).observe(self.transport)).state

    async def states(self) -> tuple[str, str]:
        return (await self.state("a")).value, (await self.state("b")).value

    async def identity(self, slot: str) -> str:
        return (await self.copy(slot).observe(self.transport)).identity

    async def act(self, replacement: Replacement) -> None:
        assert await perform(self.transport, replacement)

    async def start(self, slot: str) -> str:
        """Without a file of its own, as a restart does; the manner."""
        replacement = await self.copy(slot).replacement(self.transport, {}, False)
        await self.act(replacement)
        return replacement.manner

    async def bring(self, slot: str) -> Replacement:
        """What a deploy would run, with the file that is staged."""
        copy = self.copy(slot)
        home = copy.home("web1", await copy.observe(self.transport))
        staged = {str(self.made.home / "staged" / "shop.json"): home}
        return await copy.replacement(self.transport, staged, False)

    async def run(self, *several: tuple[Command, ...]) -> None:
        for commands in several:
            for command in commands:
                done = await self.transport.run(command)
                assert done.ok, done

    async def handed(self, slot: str) -> dict[str, str]:
        """What its program has of handover/1 in its environment."""
        pid = (await self.copy(slot).observe(self.transport)).main_pid
        words = Path(f"/proc/{pid}/environ").read_text().split("\0")
        named = (word.partition("=")[::2] for word in words if word.startswith("HANDOVER_"))
        return dict(named)

    async def answers(self, slot: str) -> bool:
        port = self.made.ports["ab".index(slot)]
        return await asyncio.to_thread(_answers, port)


def _answers(port: int) -> bool:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        link.request("GET", "/")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def play(case: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        made = RealPair()
        transport, pair = await made.open()
        assert isinstance(pair, ProcessPair)
        try:
            await case(Bench(made, transport, pair))
        finally:
            await transport.close()
            await made.close()

    asyncio.run(main())


def test_the_new_copy_is_started_beside_the_old_one_at_its_own_address() -> None:
    async def case(bench: Bench) -> None:
        assert isinstance(bench.pair, Paired)
        assert await bench.pair.live(bench.transport) == "a"
        assert not bench.file("b").exists()
        old = await bench.identity("a")
        assert await bench.start("b") == "restart"
        assert await bench.states() == ("running", "running")
        assert (await bench.answers("a"), await bench.answers("b")) == (True, True)
        assert await bench.identity("a") == old
        assert await bench.pair.live(bench.transport) == "a"  # it has run longer
        assert bench.file("b").read_bytes() == bench.file("a").read_bytes()
        assert bench.file("b").stat().st_mode & 0o777 == 0o600

    play(case)


def test_of_the_one_that_is_ended_nothing_is_left_to_start() -> None:
    async def case(bench: Bench) -> None:
        await bench.start("b")
        await bench.act(await bench.copy("a").ending(bench.transport))
        assert await bench.states() == ("missing", "running")
        assert (bench.file("a").exists(), bench.file("b").exists()) == (False, True)
        assert not await bench.answers("a")
        assert await bench.pair.live(bench.transport) == "b"
        runtime, live = await copy_of(bench.pair, bench.transport, WEB)
        assert live.slot == "b"
        assert all(verdict.passed for verdict in await runtime.preflight(bench.transport))
        await bench.act(await bench.copy("a").ending(bench.transport))  # harmless twice

    play(case)


def test_where_none_runs_it_is_the_one_whose_file_is_there() -> None:
    async def case(bench: Bench) -> None:
        await bench.start("b")
        await bench.act(await bench.copy("a").ending(bench.transport))
        await bench.made.kill()
        assert await bench.states() == ("missing", "stopped")
        assert await bench.pair.live(bench.transport) == "b"
        await bench.act(await bench.copy("b").ending(bench.transport))
        assert await bench.pair.live(bench.transport) == ""

    play(case)


def test_what_was_ended_goes_back_to_either_slot() -> None:
    """The snapshot of one copy is good for the slot that is free by then."""

    async def case(bench: Bench) -> None:
        kept = await bench.copy("a").snapshot(bench.transport, bench.made.folder)
        await bench.start("b")
        await bench.act(await bench.copy("a").ending(bench.transport))
        for slot, other in ("a", "b"), ("b", "a"):
            back = await bench.copy(slot).restoration(bench.transport, kept)
            assert back.manner == "restart"
            await bench.act(back)
            assert (await bench.state(slot)).value == "running"
            await bench.act(await bench.copy(other).ending(bench.transport))
        assert await bench.answers("b")

    play(case)


def test_an_old_copy_that_was_never_touched_is_kept() -> None:
    async def case(bench: Bench) -> None:
        kept = await bench.copy("a").snapshot(bench.transport, bench.made.folder)
        before = await bench.identity("a")
        assert (await bench.copy("a").restoration(bench.transport, kept)).manner == "keep"
        assert await bench.start("a") == "restart"  # in place: stopped and started
        assert await bench.identity("a") != before

    play(case)


def test_a_second_copy_that_was_left_running_is_a_finding_with_its_end() -> None:
    async def case(bench: Bench) -> None:
        await bench.start("b")
        runtime: Runtime = bench.pair
        (told,) = [v for v in await runtime.preflight(bench.transport) if not v.passed]
        assert (told.check, told.answer) == ("copies", "shop-b is running beside shop-a")
        assert told.wanted.endswith("run stop shop-b")
        assert bench.copy("b").end_by_hand() in told.wanted

    play(case)


def test_a_copy_that_does_not_come_up_leaves_the_other_alone() -> None:
    async def case(bench: Bench) -> None:
        old = await bench.identity("a")
        bench.file("b").write_text(bench.file("a").read_text().replace("--notify", "--nonsense"))
        replacement = await bench.copy("b").replacement(bench.transport, {}, False)
        assert not await perform(bench.transport, replacement)
        assert await bench.states() == ("running", "stopped")
        assert await bench.identity("a") == old
        await bench.act(await bench.copy("b").ending(bench.transport))
        assert not bench.file("b").exists()

    play(case)


GIVEN = {"HANDOVER_ID": "shop-b-7", "HANDOVER_LOCK": 'redis+unix:///run/r.sock?db=0&x="$y"'}


def test_a_copy_that_hands_over_finds_its_variables_at_each_start() -> None:
    async def case(bench: Bench) -> None:
        copy, env = bench.copy("b"), bench.file("b").with_suffix(".env")
        assert isinstance(copy, HandsOver)
        await bench.run(await copy.prepare(bench.transport, {**GIVEN, "HANDOVER_ROLE": "standby"}))
        await bench.run(await copy.prepare(bench.transport, GIVEN))
        bench.made.stage_for_handover(bench.pair)
        await bench.act(await bench.bring("b"))
        assert await bench.handed("b") == GIVEN
        await bench.act(await copy.replacement(bench.transport, {}, False))  # a start of its own
        assert await bench.handed("b") == GIVEN
        await bench.run(await copy.disarm(bench.transport), await copy.rearm(bench.transport))
        assert await bench.state("b") is InstanceState.RUNNING
        await bench.act(await copy.ending(bench.transport))
        assert not env.exists()
        await bench.run(await copy.prepare(bench.transport, GIVEN))
        await bench.run(await copy.forget(bench.transport))
        assert not env.exists()

    play(case)


def test_in_a_unit_systemd_is_told_not_to_start_it_again() -> None:
    def lines(commands: tuple[Command, ...]) -> list[str]:
        return [" ".join(one.argv) for one in commands]

    unit = start.unit_of("shop-b")
    prepared = lines(handover.prepare("/s/shop-b.json", unit, GIVEN))
    assert "place /s/shop-b.env" in prepared[0]
    assert f"{unit}.d/zz-gapless-handover.conf" in prepared[1]
    assert "RestartPreventExitStatus=75 78" in prepared[1]
    assert "Restart=no" in lines(handover.disarm(unit))[0]
    assert lines(handover.disarm(unit))[-1] == "systemctl daemon-reload"
    assert lines(handover.rearm(unit))[0].startswith("rm -f -- /run/systemd/system/")
    assert lines(handover.disarm("")) == ["true"]


def test_the_run_file_of_a_copy_that_hands_over_names_its_variables_last() -> None:
    config = ProcessRuntimeConfig.model_validate(
        {"name": "bot-{slot}", "command": "./bot", "env_files": ["own.env"]}
    )
    release = ReleaseConfig.model_validate({"directory": "d", "to": "/srv/bot"})
    told = json.loads(config.run_file("bot", release, hands_over=True))
    assert told["env_files"] == ["/srv/bot/current/own.env", "-bot-{slot}.env"]
    assert "env_files" not in json.loads(
        config.model_validate({"command": "./bot"}).run_file("bot", None)
    )


def test_a_copy_that_is_killed_is_told_as_dead_and_one_that_is_stopped_is_not() -> None:
    async def case(bench: Bench) -> None:
        pid = (await bench.copy("a").observe(bench.transport)).main_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while await bench.state("a") is InstanceState.RUNNING:
            await asyncio.sleep(0.05)
        dead = await bench.copy("a").observe(bench.transport)
        assert dead.state is InstanceState.FAILED
        assert "was killed by SIGKILL" in dead.detail["status"]
        assert "(exit 137)" in dead.detail["status"]
        await bench.start("a")
        assert await bench.state("a") is InstanceState.RUNNING
        await bench.run((bench.copy("a")._stop(),))
        assert await bench.state("a") is InstanceState.STOPPED

    play(case)


def test_what_is_told_to_be_looked_at_is_there_also_when_the_copy_is_gone() -> None:
    async def case(bench: Bench) -> None:
        look = bench.copy("b").look("web1")
        assert look == bench.pair.look("web1")
        (done,) = [await bench.transport.run(Command(tuple(look.split())))]
        assert done.ok

    play(case)
