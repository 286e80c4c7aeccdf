from __future__ import annotations

import asyncio
import json
import os
import pickle
import time
from pathlib import Path

import pytest

from gapless.config.secrets import SecretValue, resolve_secret, resolve_secrets
from gapless.errors import UsageError

CANARY = "canary-77aa"


def read(reference: str, deadline: float = 5.0) -> SecretValue:
    return asyncio.run(resolve_secret(reference, deadline=deadline))


def test_where_secrets_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", CANARY)
    (tmp_path / "token").write_text(CANARY + "\n")
    for reference in ("env:TOKEN", f"file:{tmp_path}/token", f"command:cat '{tmp_path}/token'"):
        assert read(reference).reveal() == CANARY


def test_a_secret_shows_nothing() -> None:
    secret = SecretValue(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>10}", f"{secret!r}", repr([secret])]
    assert all(CANARY not in text for text in shown)
    assert str(secret) == "***"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_only_one_newline_at_the_end_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b" a\nb \n\n")
    assert read(f"file:{tmp_path}/key").reveal() == " a\nb \n"


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("env:GAPLESS_NOT_SET", "the variable is not set"),
        ("file:/no/such/file", "No such file or directory"),
        ("file:~no-such-user/key", "there is no such path"),
        ("command:/no/such/program", "the program cannot be started"),
        ("command:false", "the program ended with status 1"),
        ("command:true", "it is empty"),
        ("command:head -c 100000 /dev/zero", "it is larger than 64 KiB"),
        ("command:printf '\\377'", "it is not text"),
        ("vault:x", "begins with env:, file: or command:"),
    ],
)
def test_errors_name_the_reference_and_why(reference: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        read(reference)
    if "begins with" not in why:
        assert reference in str(caught.value)
        assert caught.value.next.endswith(f"where gapless runs: {reference.partition(':')[2]}")


def test_an_error_never_shows_what_was_read() -> None:
    with pytest.raises(UsageError) as caught:
        read(f"command:sh -c 'x={CANARY}; echo $x$x; echo $x$x >&2; exit 3'")
    assert CANARY * 2 not in f"{caught.value}{caught.value.evidence}{caught.value.__cause__}"


def test_a_program_that_does_not_end_is_stopped_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    begun = time.monotonic()
    with pytest.raises(UsageError, match=r"no answer within 0\.3 s"):
        read(f"command:sh -c 'sleep 60 & echo $! > {pid_file}; wait'", deadline=0.3)
    assert time.monotonic() - begun < 5
    time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        _alive(int(pid_file.read_text()))


def _alive(pid: int) -> None:
    os.kill(pid, 0)
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    if state == "Z":
        raise ProcessLookupError


@pytest.mark.alone
def test_several_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    begun = time.monotonic()
    slow = {f"S{n}": "command:sh -c 'sleep 0.3; echo x'" for n in range(5)}
    found = asyncio.run(resolve_secrets({"A": "env:A", **slow}))
    assert found["A"] == "1" and len(found) == 6
    assert time.monotonic() - begun < 1.4


def test_the_first_that_fails_is_told() -> None:
    with pytest.raises(UsageError, match="env:GAPLESS_NOT_SET"):
        asyncio.run(resolve_secrets({"A": "env:GAPLESS_NOT_SET", "B": "command:sleep 9"}))
