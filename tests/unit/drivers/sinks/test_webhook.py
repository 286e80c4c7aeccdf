"""Webhooks: signed, in order, never in the way, nothing lost."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from gapless.config.project import SinkConfig, WebhookConfig
from gapless.drivers.sinks import route
from gapless.drivers.sinks.hub import SinkHub
from gapless.drivers.sinks.spool import Spool
from gapless.events.event import Event
from tests.unit.drivers.sinks.receiver import Receiver, receiver


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr("gapless.drivers.sinks.hub.FLUSH", 0.4)


def events(count: int, first: int = 1) -> list[Event]:
    return [Event("step.succeeded", "r1", ts=1.0, seq=n) for n in range(first, first + count)]


def tell(
    server: Receiver, folder: Path, told: list[Event], replayed: list[Event] | None = None,
    **more: Any,
) -> tuple[str, ...]:  # fmt: skip
    config = SinkConfig(webhook=WebhookConfig(url=server.url, **more))

    async def run() -> tuple[str, ...]:
        async with SinkHub([config], folder) as hub:
            for event in replayed or []:
                hub.replay(event)
            for event in told:
                hub.offer(event)
        return hub.complaints

    return asyncio.run(run())


def seqs(server: Receiver) -> list[int]:
    return [event["seq"] for event in server.got]


def test_delivered_in_order_and_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_KEY", "s3cret")
    with receiver() as server:
        assert tell(server, tmp_path, events(5), secret="env:HOOK_KEY") == ()
    assert seqs(server) == [1, 2, 3, 4, 5]
    headers = server.headers[0]
    moment, mac = (part.partition("=")[2] for part in headers["X-Gapless-Signature"].split(","))
    wanted = hmac.new(b"s3cret", f"{moment}.".encode() + server.bodies[0], hashlib.sha256)
    assert mac == wanted.hexdigest()
    assert abs(time.time() - int(moment)) < 60
    assert headers["X-Gapless-Delivery"] == "r1/1"


def test_retries_what_may_succeed_later(tmp_path: Path) -> None:
    with receiver() as server:
        server.answers = [500, 503, 429, 200]
        assert tell(server, tmp_path, events(3)) == ()
    assert seqs(server) == [1, 2, 3]


@pytest.mark.parametrize("code", [400, 302, 404])
def test_what_will_never_succeed_is_counted_and_not_in_the_way(tmp_path: Path, code: int) -> None:
    with receiver() as server:
        server.answers = [code]
        complaints = tell(server, tmp_path, events(3))
    assert seqs(server) == [2, 3]
    assert "1 event not delivered" in complaints[0]
    assert f"answered {code}" in complaints[0]


@pytest.mark.alone
def test_an_outage_costs_the_flush_and_loses_nothing(tmp_path: Path) -> None:
    with receiver() as server:
        server.answers = [500] * 10_000
        began = time.monotonic()
        complaints = tell(server, tmp_path, events(50))
        assert time.monotonic() - began < 2
        assert "50 events wait on disk" in complaints[0]
        spools = list((tmp_path / "sinks").glob("*.spool"))
        assert [stat.S_IMODE(path.stat().st_mode) for path in spools] == [0o600]
        server.answers = []
        assert tell(server, tmp_path, events(3, first=51)) == ()
    assert seqs(server) == list(range(1, 54))
    assert not list((tmp_path / "sinks").glob("*.spool*"))


@pytest.mark.alone
def test_a_receiver_that_hangs_does_not_hold_the_end_up(tmp_path: Path) -> None:
    with receiver() as server:
        server.hang.clear()
        began = time.monotonic()
        complaints = tell(server, tmp_path, events(2))
        assert time.monotonic() - began < 2
    assert "2 events wait on disk" in complaints[0]


def test_offering_takes_no_time_while_the_receiver_is_down(tmp_path: Path) -> None:
    config = SinkConfig(webhook=WebhookConfig(url="http://127.0.0.1:9/hook"))

    async def run() -> float:
        async with SinkHub([config], tmp_path) as hub:
            began = time.perf_counter()
            for event in events(1000):
                hub.offer(event)
            return time.perf_counter() - began

    assert asyncio.run(run()) < 0.5


def test_an_address_shows_in_no_complaint(tmp_path: Path) -> None:
    config = SinkConfig(webhook=WebhookConfig(url="http://127.0.0.1:9/hook/T0KEN"))

    async def run() -> tuple[str, ...]:
        async with SinkHub([config], tmp_path) as hub:
            hub.offer(Event("rollout.started", "r", seq=1))
        return hub.complaints

    complaints = asyncio.run(run())
    assert complaints
    assert "T0KEN" not in "".join(complaints)


def test_a_missing_secret_is_no_reason_to_send_unsigned(tmp_path: Path) -> None:
    with receiver() as server:
        complaints = tell(server, tmp_path, events(1), secret="env:GAPLESS_NO_SUCH_KEY")
    assert server.got == []
    assert "GAPLESS_NO_SUCH_KEY" in complaints[0]


def test_a_resume_tells_neither_twice_nor_too_little(tmp_path: Path) -> None:
    with receiver() as server:
        tell(server, tmp_path, events(5))
        tell(server, tmp_path, events(2, first=8), replayed=events(7))
    assert seqs(server) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_the_spool_of_a_program_that_died_is_taken_over(tmp_path: Path) -> None:
    for event in events(3):
        (tmp_path / "x.spool.4194304").open("a").write(event.to_line() + "\n")
    with (tmp_path / "x.spool.4194304").open("a") as file:
        file.write('{"type": "torn')
    assert [event.seq for event in Spool(tmp_path, "x").take()] == [1, 2, 3]
    assert not (tmp_path / "x.spool.4194304").exists()


def test_a_spool_in_use_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / f"x.spool.{os.getppid()}"
    other.write_text(events(1)[0].to_line() + "\n")
    assert Spool(tmp_path, "x").take() == []
    assert other.exists()


def test_the_address_may_be_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as server:
        monkeypatch.setenv("HOOK_URL", server.url)
        config = SinkConfig(webhook=WebhookConfig(url="env:HOOK_URL"))

        async def run() -> tuple[str, ...]:
            async with SinkHub([config], tmp_path) as hub:
                hub.offer(events(1)[0])
            return hub.complaints

        assert asyncio.run(run()) == ()
    assert seqs(server) == [1]
    assert server.url not in config.model_dump_json()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ftp://hooks.example/t0psecret", "its address is no URL"),
        ("http://hooks.example/t0p secret", "its address is no URL"),
        ("http://[t0psecret/", "its address is no URL"),
        ("http://hooks.example:t0psecret/", "its address cannot be asked"),
        (None, "the secret env:HOOK_URL cannot be read: the variable is not set"),
    ],
)
def test_an_address_that_cannot_be_asked_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None, said: str
) -> None:
    if address is None:
        monkeypatch.delenv("HOOK_URL", raising=False)
    else:
        monkeypatch.setenv("HOOK_URL", address)
    config = SinkConfig(webhook=WebhookConfig(url="env:HOOK_URL"))

    async def run() -> tuple[str, ...]:
        async with SinkHub([config], tmp_path) as hub:
            hub.offer(events(1)[0])
        return hub.complaints

    (told,) = asyncio.run(run())
    assert told.startswith("webhook env:HOOK_URL: ")
    assert said in told
    assert "t0p" not in told


def test_an_address_is_http_or_a_reference() -> None:
    with pytest.raises(ValueError, match="is no address"):
        WebhookConfig(url="hooks.example")
