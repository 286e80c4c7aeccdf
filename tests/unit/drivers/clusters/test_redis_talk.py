"""One server spoken to: what errors say, and what they never say."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.clusters.password import Password
from gapless.drivers.clusters.redis_resp import Refusal, Reply
from gapless.drivers.clusters.redis_talk import RedisTalk, Silent, talks
from gapless.drivers.transports.base import Tls, Transport
from gapless.errors import ClusterError, FenceRefused, LostContact

SECRET = "hunter2-and-more"


class Scripted:
    """Gives these answers, one each time; remembers what was said."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = list(answers)
        self.said: list[bytes] = []
        self.connected = 0
        self.tls: Tls | None = None

    async def connect(self) -> None:
        self.connected += 1

    async def exchange(self, address: str, data: bytes, *rest: Any) -> bytes:
        self.said.append(data)
        self.tls = rest[-1]
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def talk(scripted: Scripted, *, secret: bool = False, sentinel: bool = False) -> RedisTalk:
    password = Password("cache", "", "env:REDIS_SECRET" if secret else None)
    return RedisTalk(
        "cache", "db1", "127.0.0.1:6379", lambda: cast(Transport, scripted),
        password=password, sentinel=sentinel,
    )  # fmt: skip


def ask(scripted: Scripted, *, secret: bool = False) -> tuple[Reply, ...]:
    return asyncio.run(talk(scripted, secret=secret).ask(("PING",), ("ROLE",)))


def test_all_is_said_in_one_piece_and_closed() -> None:
    scripted = Scripted(b"+PONG\r\n*0\r\n+OK\r\n")
    assert ask(scripted) == ("PONG", ())
    assert scripted.said == [b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nROLE\r\n*1\r\n$4\r\nQUIT\r\n"]


@pytest.mark.parametrize(
    ("config", "name"),
    [(None, ""), (ApiTlsConfig(), "127.0.0.1"), (ApiTlsConfig(name="redis"), "redis")],
)
def test_tls_is_spoken_by_the_host_of_the_server(config: ApiTlsConfig | None, name: str) -> None:
    scripted = Scripted(b"+PONG\r\n+OK\r\n")
    found = talks(
        "cache", ["db1"], lambda _: "127.0.0.1:6379", lambda _: cast(Transport, scripted),
        password=Password("cache", "", None), tls=config, timeout=5.0,
    )  # fmt: skip
    assert asyncio.run(found["db1"].ask(("PING",))) == ("PONG",)
    assert (scripted.tls.name if scripted.tls else "") == name


def test_a_sentinel_is_made_to_close() -> None:
    scripted = Scripted(b"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n")
    assert asyncio.run(talk(scripted, sentinel=True).ask(("PING",))) == ("PONG",)
    assert not scripted.said[0].endswith(b"QUIT\r\n")


def test_the_password_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SECRET", SECRET)
    scripted = Scripted(b"+OK\r\n+PONG\r\n*0\r\n+OK\r\n", f"-ERR not {SECRET}\r\n+OK\r\n".encode())
    one = talk(scripted, secret=True)
    assert asyncio.run(one.ask(("PING",), ("ROLE",))) == ("PONG", ())
    assert SECRET.encode() in scripted.said[0]
    with pytest.raises(ClusterError, match="refuses the login") as error:
        asyncio.run(one.ask(("PING",)))
    assert SECRET not in f"{error.value} {error.value.evidence} {error.value.next}"


def test_a_login_that_was_refused_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SECRET", "old")
    one = talk(scripted := Scripted(b"-WRONGPASS\r\n", b"+OK\r\n+PONG\r\n+OK\r\n"), secret=True)
    with pytest.raises(ClusterError):
        asyncio.run(one.ask(("PING",)))
    monkeypatch.setenv("REDIS_SECRET", "fresh")
    asyncio.run(one.ask(("PING",)))
    assert b"fresh" in scripted.said[1]


def test_a_secret_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_SECRET", raising=False)
    with pytest.raises(ClusterError, match="env:REDIS_SECRET"):
        ask(Scripted(), secret=True)


def test_an_error_in_the_place_of_an_answer_has_its_command() -> None:
    with pytest.raises(ClusterError, match="refuses ROLE") as error:
        ask(Scripted(b"+PONG\r\n-NOPERM no\r\n+OK\r\n"))
    assert error.value.evidence == "ROLE → -NOPERM no" and error.value.next


def test_an_error_may_be_an_answer() -> None:
    scripted = Scripted(b"-NOQUORUM 1\r\n+OK\r\n")
    assert asyncio.run(talk(scripted).say(("PING",))) == (Refusal("NOQUORUM 1"),)


@pytest.mark.parametrize("came", [b"", b"-ERR max number of clients reached\r\n", b"+PONG\r\n"])
def test_fewer_answers_are_silence(came: bytes) -> None:
    with pytest.raises(Silent, match="db1 closed"):
        ask(Scripted(came))


def test_what_is_not_redis_is_nonsense() -> None:
    with pytest.raises(ClusterError, match="nonsense"):
        ask(Scripted(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


def test_after_a_lost_connection_it_is_said_once_more() -> None:
    scripted = Scripted(LostContact("gone"), b"+PONG\r\n*0\r\n+OK\r\n")
    assert ask(scripted) == ("PONG", ()) and scripted.connected == 1
    with pytest.raises(Silent):
        ask(Scripted(LostContact("gone"), LostContact("gone")))


def test_a_newer_rollout_is_no_silence() -> None:
    with pytest.raises(FenceRefused):
        ask(Scripted(FenceRefused("another")))
