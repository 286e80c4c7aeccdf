"""nginx: the suite against real processes, and what is particular to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.errors import TrafficError
from gapless.model import Command, Completed, Fence, Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite

from .nginx_rig import AROUND, NginxRig, dynamic_nginx_rig, need_nginx, nginx_rig


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_nginx()


class TestNginx(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return nginx_rig(self.folder)


class TestDynamicNginx(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return dynamic_nginx_rig(self.folder)


Case = Callable[[NginxRig], Coroutine[Any, Any, None]]


def play(folder: Path, case: Case) -> None:
    async def scene() -> None:
        async with nginx_rig(folder) as rig:
            await case(rig)

    asyncio.run(scene())


def test_one_reload_a_transition_and_every_other_byte_stays(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        balancer, (first, second) = rig.balancer(), rig.proxies
        first.include.chmod(0o640)
        before = first.include.read_bytes()
        assert before.startswith(AROUND.encode())
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.INFERRED
        port = rig.apps[0].port
        line = f"server 127.0.0.1:{port} max_fails=1"
        assert first.include.read_bytes() == before.replace(
            f"{line};".encode(), f"{line} down;".encode()
        )
        await balancer.drain(rig.instance, ())
        await rig.node().put_out(rig.instance, None)
        assert [first.reloads(), second.reloads()] == [1, 1]
        await balancer.admit(rig.instance, ())
        await balancer.admit(rig.instance, ())
        assert [first.reloads(), second.reloads()] == [2, 2]
        assert first.include.read_bytes() == before
        assert first.include.stat().st_mode & 0o777 == 0o640
        assert not [path.name for path in first.folder.iterdir() if ".gapless-" in path.name]

    play(tmp_path, case)


def test_a_drain_costs_idle_keep_alive_connections_as_it_says(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        assert rig.balancer().capabilities().resets_keepalives
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.proxies[0].port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"keep-alive" in await reader.readuntil(b"\r\n\r\n")
        await rig.balancer().drain(rig.instance, ())
        await asyncio.wait_for(reader.read(), 5)
        assert reader.at_eof()
        writer.close()

    play(tmp_path, case)


def test_new_connections_are_not_lost_in_reloads(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        answers: list[str] = []
        over = asyncio.Event()

        async def ask_all_the_time() -> None:
            while not over.is_set():
                answers.append(await rig.ask(0))

        asking = asyncio.create_task(ask_all_the_time())
        await rig.balancer().drain(rig.instance, ())
        await rig.balancer().admit(rig.instance, ())
        over.set()
        await asking
        assert len(answers) > 20 and set(answers) <= {rig.instance.host, rig.other.host}
        assert rig.proxies[0].reloads() == 2

    play(tmp_path, case)


def test_a_configuration_that_nginx_refuses_is_put_back(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        proxy, balancer = rig.proxies[0], rig.balancer()
        await balancer.drain(rig.other, ())
        before = proxy.include.read_bytes()
        with proxy.config.open("a") as config:
            config.write("xyzzy;\n")
        with pytest.raises(TrafficError) as caught:
            await balancer.admit(rig.other, ())
        assert "refuses its configuration" in caught.value.what and "xyzzy" in caught.value.evidence
        assert "-t" in caught.value.next
        assert proxy.include.read_bytes() == before and proxy.reloads() == 1
        assert {await rig.ask(0) for _ in range(8)} == {rig.instance.host}

    play(tmp_path, case)


def test_a_reload_without_new_workers_is_no_drain(tmp_path: Path) -> None:
    """The reload command returned 0, and the old workers go on."""

    async def case(rig: NginxRig) -> None:
        balancer = rig.balancer(nginx={"reload": ["true"], "reload_timeout": "300ms"})
        with pytest.raises(TrafficError) as caught:
            await balancer.drain(rig.instance, ())
        assert "kept its old workers" in caught.value.what
        assert "not be admitted again" in caught.value.what
        assert "error log" in caught.value.next
        assert {m.state for m in await balancer.members(rig.instance)} == {MemberState.UNKNOWN}
        failing = rig.balancer(nginx={"reload": ["false"]})
        with pytest.raises(TrafficError, match="could not be told to reload"):
            await failing.drain(rig.instance, ())

    play(tmp_path, case)


def test_a_file_that_nobody_loaded_is_not_believed(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        balancer = rig.balancer()
        for proxy in rig.proxies:
            text = proxy.include.read_bytes()
            proxy.include.write_bytes(text.replace(b" max_fails=1;", b" max_fails=1 down;", 1))
        members = await balancer.members(rig.instance)
        assert {member.state for member in members} == {MemberState.UNKNOWN}
        assert "has not read the file" in members[0].raw
        assert await balancer.serving([rig.instance, rig.other]) == 0
        await balancer.drain(rig.instance, ())
        assert [proxy.reloads() for proxy in rig.proxies] == [1, 1]
        assert {await rig.ask(0) for _ in range(8)} == {rig.other.host}

    play(tmp_path, case)


def test_two_rollouts_that_change_one_file_lose_nothing(tmp_path: Path) -> None:
    """Each of them has its own fences; the file is compared when it is written."""

    async def case(rig: NginxRig) -> None:
        one, two = rig.balancer(), rig.balancer()
        await asyncio.gather(one.drain(rig.instance, ()), two.drain(rig.other, ()))
        for instance in (rig.instance, rig.other):
            members = await one.members(instance)
            assert {member.state for member in members} == {MemberState.DRAINED}
        await asyncio.gather(two.admit(rig.other, ()), one.admit(rig.instance, ()))
        assert await one.serving([rig.instance, rig.other]) == 2

    play(tmp_path, case)


def test_a_file_changed_between_look_and_order_is_looked_at_again(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        proxy, local = rig.proxies[0], rig.locals["lb1"]
        original = local.run

        async def meddle(command: Command) -> Completed:
            if command.input and b"meddled" not in proxy.include.read_bytes():
                with proxy.include.open("a") as file:
                    file.write("# meddled\n")
            return await original(command)

        local.run = meddle  # type: ignore[method-assign]
        await rig.balancer().drain(rig.instance, ())
        text = proxy.include.read_text()
        assert "# meddled\n" in text and " down;" in text
        assert proxy.reloads() == 1

    play(tmp_path, case)


def test_every_order_is_a_critical_action_under_the_fence_of_its_host(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        fences = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]
        balancer = rig.balancer()
        await balancer.drain(rig.instance, fences)
        await balancer.admit(rig.instance, fences)
        for local, fence in zip(rig.locals.values(), fences, strict=True):
            assert [action.fence for action in local.actions] == [fence, fence]
            keys = [action.key for action in local.actions]
            assert len(set(keys)) == 2 and all("shop.api@web1" in key for key in keys)
            ordered = [command for action in local.actions for command in action.commands]
            assert [c for c in local.commands if c.input] == ordered

    play(tmp_path, case)


def test_a_typo_gets_a_hint(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        port = rig.apps[0].port
        with pytest.raises(TrafficError) as caught:
            await rig.balancer(nginx={"server": f"127.0.0.2:{port}"}).drain(rig.instance, ())
        assert f"did you mean '127.0.0.1:{port}'?" in caught.value.next
        with pytest.raises(TrafficError, match="cannot be the address"):
            await rig.balancer(nginx={"server": "a; b"}).drain(rig.instance, ())
        with pytest.raises(TrafficError, match="no servers marked 'shpo'") as caught:
            await rig.balancer(nginx={"upstream": "shpo"}).drain(rig.instance, ())
        assert "nowhere" in caught.value.evidence and "gapless begin shpo" in caught.value.next
        with pytest.raises(TrafficError, match="could not be looked at"):
            await rig.balancer(nginx={"include": "$NODE/none.conf"}).drain(rig.instance, ())

    play(tmp_path, case)


def test_an_examination_tells_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    async def case(rig: NginxRig) -> None:
        for verdicts in (await rig.balancer().examine([rig.instance, rig.other])).values():
            assert [(v.passed, v.answer) for v in verdicts] == [
                (True, "nginx accepts its configuration"),
                (True, "it has 2 of 2 servers"),
            ]
        stranger = Instance("shop.api", "web9.shop.example")
        with rig.proxies[0].config.open("a") as config:
            config.write("xyzzy;\n")
        tested, _, missing = (await rig.balancer().examine([rig.instance, stranger]))["lb1"]
        assert not tested.passed and "xyzzy" in tested.answer
        assert not missing.passed and "has no server" in missing.answer
        await rig.stop(1)
        *_, silent = (await rig.balancer().examine([rig.instance]))["lb2"]
        assert "does not run" in silent.answer and "see that nginx runs" in silent.wanted

    play(tmp_path, case)
