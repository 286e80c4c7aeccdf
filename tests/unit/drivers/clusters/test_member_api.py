"""The API of a member: what goes wrong there is the cluster's, and never a balancer's."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.clusters.member_api import MemberApi, Silent
from gapless.drivers.transports.base import Tls, Transport
from gapless.errors import ClusterError, FenceRefused, GaplessError, LostContact, Unreachable
from gapless.model import Fence

ASK = Ask("POST", "/v3/maintenance/status", {})
FENCE = Fence("keys", "r1", 3)


class Line:
    """A host that answers these, one after the other."""

    def __init__(self, *answers: bytes | GaplessError) -> None:
        self.answers = list(answers)
        self.heard: list[tuple[Any, ...]] = []

    async def connect(self) -> None:
        pass

    async def exchange(self, *said: Any) -> bytes:
        self.heard.append(said)
        answer = self.answers.pop(0)
        if isinstance(answer, GaplessError):
            raise answer
        return answer

    def as_transport(self) -> Transport:
        return cast(Transport, self)

    def api(self) -> MemberApi:
        return MemberApi(
            "keys",
            "db1",
            self.as_transport,
            "http://x:1",
            product="Thing",
            hint="start it",
            timeout=3.0,
        )


def failed(line: Line) -> GaplessError:
    with pytest.raises(GaplessError) as caught:
        asyncio.run(line.api().ask(ASK, FENCE))
    return caught.value


def test_it_is_asked_through_the_host_with_a_limit_and_the_fence() -> None:
    line = Line(LostContact("gone"), b"HTTP/1.1 409 No\r\n\r\n{}")
    answer = asyncio.run(line.api().ask(ASK, FENCE))
    assert (answer.status, answer.json()) == (409, {})
    place, data, *rest = line.heard[1]
    assert place == "x:1" and data.startswith(b"POST /v3/maintenance/status ")
    assert rest == [3.0, FENCE, None]


def test_silence_is_told_apart() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"
    for silence in (Unreachable("no way", evidence="refused"), cut):
        error = failed(Line(silence))
        assert isinstance(error, Silent) and error.where == "keys" and "Thing on db1" in error.what
        assert error.next == "start it; compare 'url' of the cluster in gapless.yaml"
        assert error.evidence


def test_nonsense_is_an_error_of_the_cluster() -> None:
    error = failed(Line(b"SSH-2.0-x\r\n"))
    assert isinstance(error, ClusterError) and not isinstance(error, Silent)
    line = Line(b"HTTP/1.1 200 OK\r\n\r\nxyzzy")
    api = line.api()
    answer = asyncio.run(api.ask(ASK))
    with pytest.raises(ClusterError, match="Thing on db1 answers nonsense") as caught:
        api.read(ASK, answer, lambda found: found)
    assert "200 xyzzy" in caught.value.evidence
    assert isinstance(api.error("what", ASK, answer, "hint"), ClusterError)


def test_a_newer_rollout_stays_what_it_is() -> None:
    assert isinstance(failed(Line(FenceRefused("a newer one"))), FenceRefused)


def test_a_member_that_wants_a_certificate_is_shown_one() -> None:
    line = Line(b"HTTP/1.1 200 OK\r\n\r\n{}")
    tls = ApiTlsConfig(ca="/ca.pem", cert="/own.pem")
    api = MemberApi(
        "keys", "db1", line.as_transport, "https://x:1", product="Thing", hint="start it", tls=tls
    )
    asyncio.run(api.ask(ASK))
    assert line.heard[0][-1] == Tls("x", "/ca.pem", "/own.pem")
