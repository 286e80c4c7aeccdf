"""The transport suite: commands, cancellable and critical."""

from __future__ import annotations

import asyncio

import pytest

from gapless.drivers.transports.base import Transport
from gapless.errors import FenceRefused, LostContact
from gapless.model import Command, Settlement
from gapless.testing.transport_rig import TransportCases, action_of, claim_of, fence_of, sh, until


class CommandCases(TransportCases):
    """Promises of ``run``, ``act`` and ``settle``."""

    def test_streams_and_status_come_back(self) -> None:
        """run() never raises for a status."""

        async def case(host: Transport) -> None:
            done = await host.run(sh("echo out; echo err >&2; exit 3"))
            assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
            assert not done.ok

        self.check(case, needs="shell")

    def test_arguments_are_never_given_to_a_shell(self) -> None:
        """What looks like shell stays what it is."""

        async def case(host: Transport) -> None:
            words = ("a b", "$HOME", "`id`", "x'y\"z", "line\nbreak", "*", "", "é")
            done = await host.run(Command(("printf", "%s|", *words)))
            assert done.stdout == "|".join(words) + "|"

        self.check(case, needs="shell")

    def test_input_environment_and_folder_reach_the_command(self) -> None:
        """Command.input, .env and .cwd."""

        async def case(host: Transport) -> None:
            command = sh("pwd; echo $WORD; cat", input=b"in", env={"WORD": "w"}, cwd="/usr")
            done = await host.run(command)
            assert done.stdout == "/usr\nw\nin"

        self.check(case, needs="shell")

    def test_what_cannot_be_run_says_so_like_a_shell_would(self) -> None:
        """127 and 126, with a reason."""

        async def case(host: Transport) -> None:
            missing = await host.run(Command(("no-such-program",)))
            assert missing.status == 127
            assert "no-such-program" in missing.stderr
            lost = await host.run(Command(("true",), cwd="/no/such/folder"))
            assert lost.status == 127
            assert "/no/such/folder" in lost.stderr
            forbidden = await host.run(Command(("/etc/passwd",)))
            assert forbidden.status == 126

        self.check(case, needs="shell")

    def test_output_beyond_the_limit_is_counted_and_dropped(self) -> None:
        """50 MB do not hurt."""

        async def case(host: Transport) -> None:
            flood = sh("head -c 50000000 /dev/zero | tr '\\0' x; echo end", output_limit=1000)
            done = await host.run(flood)
            assert done.ok
            assert len(done.stdout) < 1100
            assert done.dropped == 50_000_004 - 1000

        self.check(case, needs="shell")

    def test_secrets_are_taken_out_of_the_output(self) -> None:
        """Command.secrets reach the program and come back as ***, whole or cut off."""

        async def case(host: Transport) -> None:
            word = "geheim-7531"
            echo = sh("echo got $WORD; echo $WORD >&2", secrets={"WORD": word})
            done = await host.run(echo)
            assert (done.stdout, done.stderr) == ("got ***\n", "***\n")
            settled = await host.act(action_of("k1", echo))
            assert settled.completed[0].stdout == "got ***\n"
            script = "printf 'a%049d%s%099d%s' 0 $WORD 0 $WORD | head -c 166; exec sleep 0"
            cut = await host.run(sh(script, secrets={"WORD": word}, output_limit=110))
            assert cut.dropped == 56
            assert cut.stdout.startswith("a" + "0" * 49 + "***\n")
            half = sh("printf 'at the end geheim-'; kill -9 $$", secrets={"WORD": word})
            assert (await host.run(half)).stdout == "at the end ***"

        self.check(case, needs="shell")

    def test_bytes_that_are_no_text_are_replaced(self) -> None:
        """Decoded with replacement."""

        async def case(host: Transport) -> None:
            done = await host.run(sh("printf 'a\\377b'"))
            assert done.stdout == "a\ufffdb"

        self.check(case, needs="shell")

    def test_a_hanging_command_is_ended_with_all_it_started(self) -> None:
        """timed_out, and nothing left."""

        async def case(host: Transport) -> None:
            script = f"setsid sleep 4321 & echo $! > {self.folder}/pid; sleep 4321"
            done = await host.run(sh(script, timeout=0.3))
            assert done.timed_out
            assert not done.ok

            async def gone() -> bool:
                # an orphan that was ended is a zombie until PID 1 has collected it
                return not (await host.run(sh(f"kill -0 $(cat {self.folder}/pid)"))).ok

            await until(gone)

        self.check(case, needs="shell")

    def test_a_cancelled_command_ends_on_the_host(self) -> None:
        """When the cancellation is over, so is the command."""

        async def case(host: Transport) -> None:
            pid = f"{self.folder}/pid"
            running = asyncio.create_task(host.run(sh(f"echo $$ > {pid}; exec sleep 4321")))
            await until(lambda: host.get(pid))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert not (await host.run(sh(f"kill -0 $(cat {pid})"))).ok

        self.check(case, needs="shell")

    def test_many_commands_are_under_way_at_once(self) -> None:
        """One slow command does not hold up the others: each waits for all to have begun."""
        script = 'touch "$1/$2"; until [ "$(ls "$1" | wc -l)" = 5 ]; do sleep 0.05; done'

        async def case(host: Transport) -> None:
            where = f"{self.folder}/begun"
            await host.run(Command(("mkdir", where)))
            words = ("/bin/sh", "-c", script, "sh", where)
            many = (host.run(Command((*words, str(number)))) for number in range(5))
            async with asyncio.timeout(20):
                assert all(done.ok for done in await asyncio.gather(*many))

        self.check(case, needs="shell")

    def test_commands_of_an_action_run_in_order_up_to_a_failure(self) -> None:
        """Command.check decides whether a failure ends the action."""

        async def case(host: Transport) -> None:
            settled = await host.act(
                action_of("k1", sh("exit 1", check=False), sh("exit 2"), sh("echo never"))
            )
            assert settled.status is Settlement.DONE
            assert [one.status for one in settled.completed] == [1, 2]
            assert not settled.ok

        self.check(case, needs="shell")

    def test_a_known_key_is_not_run_twice(self) -> None:
        """It gets the recorded outcome, from any session."""

        async def case(first: Transport, second: Transport) -> None:
            action = action_of("k1", sh(f"echo x >> {self.folder}/runs; echo done"))
            assert (await first.act(action)).ok
            for again in (await first.act(action), await second.act(action)):
                assert again.completed[-1].stdout == "done\n"
            assert (await second.settle("k1")).status is Settlement.DONE
            assert await first.get(f"{self.folder}/runs") == b"x\n"

        self.check_two(case, needs="shell")

    def test_an_unknown_key_was_never_run(self) -> None:
        """settle() of what nobody asked for."""

        async def case(host: Transport) -> None:
            assert (await host.settle("nobody asked")).status is Settlement.NEVER

        self.check(case)

    def test_an_action_outlives_its_session(self) -> None:
        """Begun is finished; another session learns the outcome."""

        async def case(first: Transport, second: Transport) -> None:
            begun, runs = f"{self.folder}/begun", f"{self.folder}/runs"
            script = f"echo b > {begun}; sleep 3; echo x >> {runs}"
            acting = asyncio.create_task(first.act(action_of("k1", sh(script))))
            await until(lambda: second.get(begun))
            await first.close()
            with pytest.raises(LostContact):
                await acting
            settled = await second.settle("k1")
            assert settled.status is Settlement.DONE
            assert settled.ok
            assert await second.get(runs) == b"x\n"

        self.check_two(case, needs="shell")

    def test_a_stale_fence_runs_nothing(self) -> None:
        """A zombie controller is refused."""

        async def case(zombie: Transport, living: Transport) -> None:
            old = fence_of(await zombie.claim(claim_of("r1")))
            new = fence_of(await living.claim(claim_of("r1")))
            mark = sh(f"echo x >> {self.folder}/runs")
            with pytest.raises(FenceRefused):
                await zombie.act(action_of("k1", mark, fence=old))
            assert await living.get(f"{self.folder}/runs") is None
            assert (await living.act(action_of("k2", mark, fence=new))).ok

        self.check_two(case, needs="shell")

    def test_an_action_that_takes_too_long_is_ended(self) -> None:
        """Its time is over for all of it."""

        async def case(host: Transport) -> None:
            hanging = action_of("k1", sh("sleep 4321", timeout=0.3), sh("echo never"))
            settled = await host.act(hanging)
            assert settled.status is Settlement.DONE
            assert [one.timed_out for one in settled.completed] == [True]

        self.check(case, needs="shell")
