"""Who is let in, whom we trust, what is said when it fails."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.held import Held
from gapless.drivers.transports.ssh import SshTransport
from gapless.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    HostKeyRejected,
    LostContact,
    TransportError,
    Unreachable,
)
from gapless.testing.transport_rig import sh
from tests.ports import free_port

from .sshd import Sshd


def connected(config: HostConfig, ssh_config: Path | None = None) -> str:
    """Connect, ask something, close."""

    async def main() -> str:
        files = [str(ssh_config)] if ssh_config else None
        one = Held(1)
        host = SshTransport("web1", config, connections=one, ssh_config=files)
        await host.connect()
        try:
            return (await host.run(sh("echo hi"))).stdout
        finally:
            await host.close()

    return asyncio.run(main())


def failure(config: HostConfig, ssh_config: Path | None = None) -> TransportError:
    with pytest.raises(TransportError) as caught:
        connected(config, ssh_config)
    assert caught.value.where == "web1"
    return caught.value


def test_an_unknown_host_key_is_refused_with_its_fingerprint(sshd: Sshd, tmp_path: Path) -> None:
    for file in (tmp_path / "missing", tmp_path / "empty"):
        (tmp_path / "empty").touch()
        error = failure(sshd.host(known_hosts=str(file)))
        assert isinstance(error, HostKeyRejected)
        assert "unknown" in error.what
        assert "ssh-ed25519 SHA256:" in error.evidence
        assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {file}" in error.next


def test_a_changed_host_key_is_refused_with_both_fingerprints(sshd: Sshd, tmp_path: Path) -> None:
    other = (sshd.folder / "other_key.pub").read_text()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {other}")
    error = failure(sshd.host(known_hosts=str(known)))
    assert isinstance(error, HostKeyRejected)
    assert "changed" in error.what
    assert error.evidence.count("SHA256:") == 2
    assert f"ssh-keygen -f {known} -R" in error.next


def test_a_host_key_of_another_kind_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    import subprocess

    rsa = tmp_path / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(rsa)], check=True)
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {rsa.with_suffix('.pub').read_text()}")
    assert isinstance(failure(sshd.host(known_hosts=str(known))), HostKeyRejected)


def test_a_pinned_key_is_the_only_one_trusted(sshd: Sshd) -> None:
    right = " ".join((sshd.folder / "host_key.pub").read_text().split()[:2])
    wrong = " ".join((sshd.folder / "other_key.pub").read_text().split()[:2])
    assert connected(sshd.host(host_key=right, known_hosts="/nowhere")) == "hi\n"
    assert isinstance(failure(sshd.host(host_key=wrong)), HostKeyRejected)
    assert isinstance(failure(sshd.host(host_key="nonsense")), HostKeyRejected)


def test_no_setting_of_ssh_config_makes_us_trust_anybody(sshd: Sshd, tmp_path: Path) -> None:
    for lines in (
        "UserKnownHostsFile none",
        "UserKnownHostsFile /dev/null",
        "StrictHostKeyChecking no",
        "UserKnownHostsFile none\nGlobalKnownHostsFile none\nStrictHostKeyChecking no",
    ):
        config = tmp_path / "config"
        config.write_text(f"Host *\n{lines}\n")
        assert isinstance(failure(sshd.host(known_hosts=None), config), HostKeyRejected)


def test_ssh_config_is_honoured(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host web1\nHostName 127.0.0.1\nPort {sshd.port}\nUser {getpass.getuser()}\n"
        f"IdentityFile {sshd.key}\nUserKnownHostsFile {sshd.known_hosts}\n"
    )
    assert connected(HostConfig(), config) == "hi\n"


def test_jump_hosts_by_ours_and_by_ssh_config(sshd: Sshd, tmp_path: Path) -> None:
    jump = f"{getpass.getuser()}@127.0.0.1:{sshd.port}"
    assert connected(sshd.host(jump=jump)) == "hi\n"
    assert connected(sshd.host(jump=f"{jump},{jump}")) == "hi\n"
    config = tmp_path / "config"
    config.write_text(f"Host web1\nHostName 127.0.0.1\nProxyJump {jump}\n")
    assert connected(sshd.host(address=None), config) == "hi\n"


def test_jump_hosts_in_a_circle_are_noticed(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host 127.0.0.1\nProxyJump 127.0.0.1:{sshd.port}\n")
    with pytest.raises(Unreachable, match="circle"):
        connected(sshd.host(), config)


def test_a_jump_host_has_to_be_known_too(sshd: Sshd, tmp_path: Path) -> None:
    key = " ".join((sshd.folder / "host_key.pub").read_text().split()[:2])
    jump = f"{getpass.getuser()}@127.0.0.1:{sshd.port}"
    known = tmp_path / "known_hosts"
    known.touch()
    with pytest.raises(HostKeyRejected) as caught:
        connected(sshd.host(jump=jump, host_key=key, known_hosts=str(known)))
    assert "jump host 127.0.0.1" in caught.value.where


def test_whom_the_host_does_not_let_in_learns_what_was_offered(sshd: Sshd, tmp_path: Path) -> None:
    error = failure(sshd.host(key=str(sshd.folder / "other_key")))
    assert isinstance(error, AuthenticationFailed)
    assert "ssh-ed25519" in error.evidence
    assert f"-p {sshd.port}" in error.next
    missing = failure(sshd.host(key="/no/such/key"))
    assert isinstance(missing, AuthenticationFailed)
    assert missing.what == "there is no key file /no/such/key on this machine"
    assert isinstance(failure(sshd.host(user="no-such-user")), AuthenticationFailed)


def test_hosts_that_are_not_there(sshd: Sshd) -> None:
    error = failure(sshd.host(port=free_port()))
    assert isinstance(error, Unreachable)
    assert "Connection refused" in error.what
    assert "is sshd running there" in error.next
    nowhere = failure(sshd.host(address="no-such-host.invalid"))
    assert isinstance(nowhere, Unreachable)
    assert "getent hosts no-such-host.invalid" in nowhere.next


def test_a_host_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    async def main() -> None:
        async def mute(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(10)

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        config = HostConfig.model_validate(
            {"address": "127.0.0.1", "port": port, "connect_timeout": "500ms"}
        )
        host = SshTransport("web1", config, connections=Held(1))
        began = asyncio.get_running_loop().time()
        with pytest.raises((DeadlineExceeded, Unreachable)):
            await host.connect()
        assert asyncio.get_running_loop().time() - began < 2
        server.close()

    asyncio.run(main())


def test_a_lost_connection_is_told_and_can_be_made_again(sshd: Sshd) -> None:
    import os
    import signal

    async def main() -> None:
        host = SshTransport("web1", sshd.host(), connections=Held(1))
        await host.connect()
        helped = asyncio.create_task(host.ask([], passes=1, every=1, within=0))
        await helped
        running = asyncio.create_task(host.run(sh("sleep 100", timeout=200)))
        await asyncio.sleep(0.2)
        for pid in sshd.sessions():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(LostContact):
            await running
        with pytest.raises(LostContact):
            await host.holder("shop.api")
        await host.connect()
        assert (await host.run(sh("echo hi"))).stdout == "hi\n"
        await host.close()

    asyncio.run(main())


def test_a_guarded_command_learns_of_a_lost_connection(sshd: Sshd) -> None:
    import os
    import signal

    async def main() -> None:
        host = SshTransport("web1", sshd.host(), connections=Held(1))
        await host.connect()
        running = asyncio.create_task(host.run(sh("sleep 100", timeout=200)))
        await asyncio.sleep(0.3)
        for pid in sshd.sessions():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(LostContact):
            await running
        await host.close()

    asyncio.run(main())
