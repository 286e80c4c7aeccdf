"""The text protocol of NATS, as far as it is spoken; and what a talk says of it, and never says."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict
from typing import Any, cast

import pytest

from gapless.config.cluster_nats import NatsClusterConfig, NatsLoginConfig
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.clusters.nats_protocol import (
    OFFERS_TLS,
    NonsenseError,
    Order,
    Said,
    question,
    read,
)
from gapless.drivers.clusters.nats_talk import NatsLogin, NatsTalk, ShutOut
from gapless.drivers.transports.base import Tls, Transport
from gapless.errors import ClusterError, FenceRefused, HostFault, LostContact

SECRET = "hunter2-and-more"
INFO = b'INFO {"server_id":"A","version":"2.9.10"} \r\n'


def test_an_order_goes_in_one_piece_and_is_closed() -> None:
    said = question(("sys", SECRET), (Order("$JS.API.X", b"{}"), Order("$JS.API.Y")))
    first, *rest = said.split(b"\r\n")
    options = json.loads(first.removeprefix(b"CONNECT "))
    assert (options["user"], options["pass"], options["no_responders"]) == ("sys", SECRET, True)
    assert rest == [
        b"SUB _INBOX.gapless 1",
        b"PUB $JS.API.X _INBOX.gapless 2", b"{}",
        b"PUB $JS.API.Y _INBOX.gapless 0", b"",
        b"PING",
        b"-ERR 'gapless has asked all it wanted to know'",
        b"",
    ]  # fmt: skip
    assert b"SUB" not in question(()) and b"user" not in question(())


def test_what_came_is_read_in_its_order() -> None:
    reply = b'{"type":"x","error":{"code":400,"description":"bad request"}}'
    came = INFO + b"PING\r\n+OK\r\nMSG _INBOX.gapless 1 %d\r\n%b\r\n" % (len(reply), reply)
    said = read(came + b"PONG\r\n-ERR 'Permissions Violation for Publish to \"$JS\"'\r\n")
    assert said.info["server_id"] == "A" and said.taken and said.replies == (reply,)
    assert said.refusal == 'Permissions Violation for Publish to "$JS"' and not said.shut_out
    assert read(came).refusal == "bad request"
    assert read(came[:-10]).replies == (), "a message that was cut off"


def test_consent_is_no_refusal() -> None:
    deaf = b"-ERR 'Permissions Violation for Subscription to \"_INBOX.gapless\"'\r\n"
    assert read(INFO + deaf + b"PONG\r\n").refusal == "", "nobody has to listen for the answer"
    fine = b'{"type":"x","success":true}'
    assert read(INFO + b"MSG _INBOX.gapless 1 %d\r\n%b\r\n" % (len(fine), fine)).refusal == ""
    odd = (b"HMSG a 1 4 7\r\nabcdefg\r\n", b"MSG a 1 1\r\n3\r\n", b"MSG a 1 0\r\n\r\n")
    assert all(read(INFO + one).refusal == "" for one in odd)
    assert read(b"") == Said({})


def test_an_account_without_jetstream_has_nobody_who_answers() -> None:
    head = b"NATS/1.0 503\r\n\r\n"
    said = read(INFO + b"HMSG _INBOX.gapless 1 %d %d\r\n%b\r\n" % (len(head), len(head), head))
    assert said.refusal == "nobody in that account answers for JetStream"


@pytest.mark.parametrize("came", [b"HTTP/1.1 400\r\n", b"PONG\r\n", b"INFO x\r\n", b"INFO 3\r\n",
                                  INFO + b"MSG a b c\r\nx\r\n"])  # fmt: skip
def test_everything_else_is_nonsense(came: bytes) -> None:
    with pytest.raises(NonsenseError):
        read(came)


class Scripted:
    """Gives these answers, one each time; remembers what was said."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = list(answers)
        self.said: list[bytes] = []
        self.connected = 0
        self.tls: list[Tls | None] = []
        """With which each was said."""

    async def connect(self) -> None:
        self.connected += 1

    async def exchange(self, address: str, data: bytes, *rest: Any) -> bytes:
        self.said.append(data)
        self.tls.append(rest[-1])
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def login(*, secret: bool = True) -> NatsLogin:
    config = NatsLoginConfig(user="app", password="env:NATS_SECRET")
    return NatsLogin("bus", config if secret else None)


def say(scripted: Scripted, one: NatsLogin, **keys: Any) -> Said:
    config = NatsClusterConfig.model_validate(keys)
    talk = NatsTalk("bus", "db1", "127.0.0.1:4222", lambda: cast(Transport, scripted), config)
    return asyncio.run(talk.say(one, Order("$JS.API.X")))


def test_the_password_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_SECRET", SECRET)
    refused = INFO + f"-ERR 'Authorization Violation {SECRET}'\r\n".encode()
    scripted = Scripted(INFO + b"PONG\r\n", refused, f"nonsense {SECRET}\r\n".encode(), b"")
    one = login()
    assert say(scripted, one).taken and SECRET.encode() in scripted.said[0]
    for what in ("does not let in the user 'app'", "nonsense", "closed without"):
        with pytest.raises(ClusterError, match=what) as error:
            say(scripted, one)
        assert SECRET not in f"{error.value} {error.value.evidence} {error.value.next}"


def test_a_login_that_was_refused_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_SECRET", "old")
    one = login()
    scripted = Scripted(INFO + b"-ERR 'Authorization Violation'\r\n", INFO + b"PONG\r\n")
    with pytest.raises(ShutOut):
        say(scripted, one)
    monkeypatch.setenv("NATS_SECRET", "fresh")
    say(scripted, one)
    assert b'"fresh"' in scripted.said[1]


def test_a_port_that_wants_tls_says_so() -> None:
    came = b'INFO {"tls_required":true} \r\n'
    with pytest.raises(ShutOut, match="wants TLS") as error:
        say(Scripted(came), login(secret=False))
    assert "'client_tls'" in error.value.next
    assert say(Scripted(came + b"PONG\r\n"), login(secret=False), client_tls={}).taken


@pytest.mark.parametrize(
    ("keys", "name", "offer"),
    [
        ({}, None, None),
        ({"client_tls": {}}, "127.0.0.1", OFFERS_TLS),
        ({"client_tls": {"name": "bus"}, "handshake_first": True}, "bus", None),
    ],
)
def test_tls_begins_when_it_is_offered_unless_it_comes_first(
    keys: dict[str, Any], name: str | None, offer: str | None
) -> None:
    scripted = Scripted(LostContact("gone"), INFO + b"PONG\r\n")
    assert say(scripted, login(secret=False), **keys).taken
    for tls in scripted.tls:
        told = asdict(tls) if tls else {}
        assert (told.get("name"), told.get("offer")) == (name, offer)
    assert len(scripted.tls) == 2, "also after a lost connection"


def test_files_and_certificates_are_those_of_the_host() -> None:
    scripted = Scripted(INFO + b"PONG\r\n")
    say(scripted, login(secret=False), client_tls={"ca": "a.pem", "cert": "c.pem", "key": "k.pem"})
    (tls,) = scripted.tls
    assert tls and (tls.ca, tls.cert, tls.key) == ("a.pem", "c.pem", "k.pem")


def test_who_is_not_vouched_for_is_told_nothing_and_nothing_goes_in_the_clear() -> None:
    why = "no TLS with 127.0.0.1:4222: unable to get local issuer certificate"
    scripted = Scripted(HostFault(why, where="db1", evidence="[SSL: CERTIFICATE_VERIFY_FAILED]"))
    with pytest.raises(ShutOut, match=why) as error:
        say(scripted, login(secret=False), client_tls={})
    assert "CERTIFICATE_VERIFY_FAILED" in error.value.evidence
    assert "'client_tls'" in error.value.next and len(scripted.said) == 1


@pytest.mark.parametrize(
    ("info", "offered"),
    [
        ('{"server_id":"A","tls_required":true}', True),
        ('{"server_id":"A","tls_available": true,"tls_required":false}', True),
        ('{"server_id":"A"}', False),
        ('{"tls_required":false}', False),
    ],
)
def test_info_tells_whether_tls_may_begin(info: str, offered: bool) -> None:
    assert bool(re.search(OFFERS_TLS, f"INFO {info} \r\n")) is offered
    assert not re.search(OFFERS_TLS, f"-ERR {info}\r\n")


def test_a_handshake_is_nothing_without_tls() -> None:
    with pytest.raises(ValueError, match="without client_tls"):
        NatsClusterConfig.model_validate({"handshake_first": True})


def test_no_pong_is_silence_and_so_is_a_lost_connection() -> None:
    nobody = login(secret=False)
    with pytest.raises(Silent, match="db1 closed"):
        say(Scripted(INFO), nobody)
    scripted = Scripted(LostContact("gone"), INFO + b"PONG\r\n")
    assert say(scripted, nobody).taken and scripted.connected == 1
    with pytest.raises(Silent, match="takes no clients on"):
        say(Scripted(LostContact("gone"), LostContact("gone")), nobody)
    with pytest.raises(FenceRefused):
        say(Scripted(FenceRefused("another")), nobody)
