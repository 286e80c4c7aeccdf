"""Hosts with a full disk, a read-only one, no python3, an old one, no sudo, a noisy login."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.local import LocalTransport
from gapless.drivers.transports.ssh import SshTransport
from gapless.errors import HostFault, PrivilegeRefused, TransportError
from gapless.model import Command, CriticalAction
from gapless.testing.transport_rig import claim_of, fence_of, sh

from .sshd import Sshd, needs_root
from .users import PLAIN

Case = Callable[[LocalTransport], Awaitable[None]]


def local(case: Case, **config: object) -> None:
    async def main() -> None:
        host = LocalTransport("host", HostConfig.model_validate({"transport": "local", **config}))
        try:
            await host.connect()
            await case(host)
        finally:
            await host.close()

    asyncio.run(main())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", where], check=True)
    yield where
    subprocess.run(["umount", "--lazy", where], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@needs_root
def test_a_full_disk_says_so_and_nothing_is_run(small_disk: Path, tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        fence = fence_of(await host.claim(claim_of("r1")))
        fill(small_disk)
        ran = CriticalAction("k1", (sh(f"touch {tmp_path}/ran"),), fence)
        for refused in (
            lambda: host.put(b"x" * 100, f"{small_disk}/file"),
            lambda: host.act(ran),
            lambda: host.remember(fence, {"big": "x" * 10000}),
        ):
            with pytest.raises(HostFault) as caught:
                await refused()
            assert "No space left on device" in str(caught.value)
            assert str(small_disk) in str(caught.value)
            assert "Traceback" not in caught.value.evidence
        assert not (tmp_path / "ran").exists()
        assert sorted(path.name for path in small_disk.iterdir()) == ["filling", "state"]
        (small_disk / "filling").unlink()
        assert (await host.act(ran)).ok

    local(case, state_dir=str(small_disk / "state"))


@needs_root
def test_a_disk_that_fills_up_during_an_action_does_not_lose_its_outcome(
    small_disk: Path,
) -> None:
    async def case(host: LocalTransport) -> None:
        script = f"cat /dev/zero > {small_disk}/filling 2>/dev/null; echo x; true"
        settled = await host.act(CriticalAction("k1", (sh(script),)))
        assert settled.ok
        assert settled.completed[0].stdout == "x\n"

    before = set(Path("/run/gapless").glob("*"))
    local(case, state_dir=str(small_disk / "state"))
    (in_memory,) = set(Path("/run/gapless").glob("*.outcome")) - before
    in_memory.unlink()


@needs_root
def test_a_read_only_disk_says_so(small_disk: Path) -> None:
    async def case(host: LocalTransport) -> None:
        for refused in (
            lambda: host.claim(claim_of("r1")),
            lambda: host.put(b"x", f"{small_disk}/file"),
            lambda: host.act(CriticalAction("k1", (sh("true"),))),
        ):
            with pytest.raises(HostFault) as caught:
                await refused()
            assert "Read-only file system" in str(caught.value)
        assert (await host.holder("shop.api")).holder == claim_of("r1")
        assert (await host.facts()).problems

    async def before(host: LocalTransport) -> None:
        await host.claim(claim_of("r1"))

    local(before, state_dir=str(small_disk / "state"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    local(case, state_dir=str(small_disk / "state"))


@needs_root
def test_state_is_for_its_owner_only(tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        fence = fence_of(await host.claim(claim_of("r1")))
        await host.remember(fence, {"a": 1})
        await host.act(CriticalAction("k1", (sh("true", env={"PASSWORD": "hunter2"}),), fence))
        for path in (tmp_path / "state").rglob("*"):
            wanted = 0o700 if path.is_dir() else 0o600
            assert path.stat().st_mode & 0o777 == wanted, path
            assert path.is_dir() or b"hunter2" not in path.read_bytes()

    local(case, state_dir=str(tmp_path / "state"))


def test_secrets_are_in_no_command_line() -> None:
    async def case(host: LocalTransport) -> None:
        secret = "hunter2" + str(os.getpid())
        looking = sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo $WORD", env={"WORD": secret})
        seen = (await host.run(looking)).stdout
        assert seen.count(secret) == 1

    local(case, sudo=False)


def test_the_secrets_of_an_action_are_not_in_what_the_host_keeps(tmp_path: Path) -> None:
    state = tmp_path / "state"

    async def case(host: LocalTransport) -> None:
        url = f"postgres://shop:hunter2-{os.getpid()}@db/shop"
        for name, script in (("good", "echo $URL"), ("bad", "echo $URL >&2; exit 1")):
            fence = fence_of(await host.claim(claim_of(name, f"shop.{name}")))
            command = sh(script, secrets={"URL": url})
            done = (await host.act(CriticalAction(name, (command,), fence))).completed[0]
            assert done.stdout + done.stderr == "***\n"
        kept = b"".join(file.read_bytes() for file in state.rglob("*") if file.is_file())
        assert b"***" in kept
        assert b"hunter2" not in kept

    local(case, state_dir=str(state), sudo=False)


def test_damaged_state_names_the_file(tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        await host.claim(claim_of("r1"))
        record = tmp_path / "state" / "services" / "shop.api.json"
        record.write_text("{")
        with pytest.raises(HostFault) as caught:
            await host.holder("shop.api")
        assert str(record) in str(caught.value)

    local(case, state_dir=str(tmp_path / "state"), sudo=False)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("exit 127", "there is no python3"),
        ("echo gapless needs Python 3.8 or newer, not 3.6 >&2; exit 1", "too old"),
        ("echo sudo: a password is required >&2; exit 1", "sudo does not let"),
        ("echo something else >&2; exit 7", "exit 7"),
        ("cat >/dev/null & sleep 0.1", "did not start"),
    ],
)
def test_a_helper_that_does_not_start_says_why(answer: str, words: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{answer}\n")
    python.chmod(0o755)

    async def case(host: LocalTransport) -> None:
        raise AssertionError("must not get here")

    with pytest.raises(TransportError) as caught:
        local(case, python=str(python), sudo=False)
    assert words in caught.value.what


def test_what_a_login_prints_is_skipped(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho Welcome to this host\nexec python3 "$@"\n')
    python.chmod(0o755)

    async def case(host: LocalTransport) -> None:
        assert (await host.run(sh("echo hi"))).stdout == "hi\n"

    local(case, python=str(python), sudo=False)


@pytest.mark.usefixtures("users")
def test_no_sudo_over_ssh(sshd: Sshd) -> None:
    async def main() -> None:
        host = SshTransport("web1", sshd.host(PLAIN), connections=Held(1))
        await host.connect()
        try:
            for refused in (
                lambda: host.run(sh("true")),
                lambda: host.holder("shop.api"),
            ):
                with pytest.raises(PrivilegeRefused) as caught:
                    await refused()
                assert f"{PLAIN} ALL=(root) NOPASSWD:" in caught.value.next
            assert (await host.run(sh("id -un", privileged=False))).stdout == f"{PLAIN}\n"
            facts = await host.facts()
            assert (facts.user, facts.privileged) == (PLAIN, False)
            assert "sudo" in facts.problems[0]
        finally:
            await host.close()

    asyncio.run(main())


def test_a_host_without_python_still_runs_commands(sshd: Sshd) -> None:
    async def main() -> None:
        config = sshd.host(python="/no/such/python")
        host = SshTransport("old", config, connections=Held(1))
        await host.connect()
        try:
            assert (await host.run(Command(("echo", "a  b")))).stdout == "a  b\n"
            assert (await host.run(Command(("pwd",), cwd="/usr"))).stdout == "/usr\n"
            with pytest.raises(HostFault, match="python3"):
                await host.run(sh("true", env={"A": "b"}))
            with pytest.raises(HostFault, match="python3"):
                await host.holder("shop.api")
        finally:
            await host.close()

    asyncio.run(main())


@needs_root
def test_a_command_runs_as_another_user(tmp_path: Path) -> None:
    async def case(host: LocalTransport) -> None:
        done = await host.run(sh("id -un; id -Gn; echo $HOME", user="nobody"))
        assert done.stdout == "nobody\nnogroup\n/nonexistent\n"
        settled = await host.act(CriticalAction("k1", (sh("id -un", user="nobody"),)))
        assert settled.completed[0].stdout == "nobody\n"
        assert (await host.run(sh("true", user="no-such-user"))).status == 126
        assert (await host.run(sh("id -un", user=getpass.getuser()))).stdout == "root\n"

    local(case, state_dir=str(tmp_path))
