"""The command that an error names goes the way that gapless went: same login, port, key, jump hosts
and known hosts. It is typed here, to OpenSSH's own client."""

from __future__ import annotations

import getpass
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.transports.ssh_way import Hop, Way
from tests.ports import free_port

from .sshd import Sshd
from .test_ssh_connection import connected, failure


def typed(command: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of it; nobody is there to answer questions."""
    line = command.replace("ssh ", "ssh -F none -o BatchMode=yes ", 1) + " echo hi"
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30)


def given(sshd: Sshd, **more: Any) -> Way:
    config = sshd.host(**more)
    return Way(
        name=config.address or "web1",
        port=config.port,
        user=config.user or "",
        key=config.key or "",
        jump=config.jump or "",
        known_hosts=config.known_hosts or "",
    )


def jumps(sshd: Sshd) -> list[str | None]:
    one = f"{getpass.getuser()}@127.0.0.1:{sshd.port}"
    return [None, one, f"{one},{one}"]


def test_it_is_let_in_where_we_are(sshd: Sshd) -> None:
    for jump in jumps(sshd):
        assert connected(sshd.host(jump=jump)) == "hi\n"
        done = typed(given(sshd, jump=jump).by_hand())
        assert (done.returncode, done.stdout) == (0, "hi\n"), (jump, done.stderr)


def test_it_is_turned_away_where_we_are(sshd: Sshd) -> None:
    """With the key that was given, and not with another one that would have been let in."""
    for jump in jumps(sshd):
        way = given(sshd, jump=jump, key=str(sshd.folder / "other_key"))
        assert "Permission denied" in typed(way.by_hand()).stderr


def test_every_error_of_a_connection_names_it(sshd: Sshd, tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"key": str(sshd.folder / "other_key")},
        {"port": free_port()},
        {"port": free_port(), "jump": jumps(sshd)[1]},
    ]
    for more in wrong:
        assert given(sshd, **more).by_hand() in failure(sshd.host(**more)).next
    host_keys = " ".join((sshd.folder / "host_key.pub").read_text().split()[:2])
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {host_keys}\n")
    behind = {"jump": jumps(sshd)[1], "address": "localhost", "known_hosts": str(known)}
    assert given(sshd, **behind).by_hand() in failure(sshd.host(**behind)).next


def test_what_is_left_to_ssh_config_is_left_to_it() -> None:
    assert Way("web1").by_hand() == "ssh web1"
    assert Way("web1", user="deploy", jump="edge").by_hand() == "ssh -J edge deploy@web1"


def test_a_shell_reads_every_word_as_it_was_meant() -> None:
    way = Way("::1", 2222, "deploy", "/my keys/50%", "ops@edge:22,ops@inner", "/k h")
    program, *words = shlex.split(way.by_hand())
    assert program == "ssh"
    assert words[:7] == [
        "-p", "2222", "-i", "/my keys/50%", "-o", "IdentitiesOnly=yes", "-o",
    ]  # fmt: skip
    assert words[7:9] == ['UserKnownHostsFile="/k h"', "-o"]
    assert words[10] == "deploy@::1"
    inner = shlex.split(words[9].removeprefix("ProxyCommand=").replace("%%", "\0"))
    assert inner[:3] == ["ssh", "-W", "[%h]:%p"]
    assert "/my keys/50\0" in inner
    assert inner[-1] == "ops@inner"
    assert inner[-2].replace("\0", "%").startswith("ProxyCommand=ssh -W '[%h]:%p' -p 22 ")


@pytest.mark.parametrize(
    ("jump", "hop"),
    [
        ("edge", Hop("edge")),
        ("ops@edge:2222", Hop("edge", "ops", 2222)),
        ("a:1,ops@b", Hop("b", "ops", None, "a:1")),
        ("ops@::1", Hop("::1", "ops")),
    ],
)
def test_the_last_jump_host(jump: str, hop: Hop) -> None:
    assert Hop.last_of(jump) == hop
