"""The prover against a real server that drops, resets, delays and stops on order."""

from __future__ import annotations

import asyncio
import shlex
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.project import ProveConfig
from gapless.prove import Failure, Gap, Prover, Record
from gapless.prove.words import told as _words

from .server import Server


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def config(**changes: Any) -> ProveConfig:
    return ProveConfig.model_validate({"rate": 100, **changes})


async def prove(server: Server, requests: int, **changes: Any) -> tuple[Gap, list[Record]]:
    records: list[Record] = []
    prover = Prover(config(url=server.url, **changes), LoopClock(), on_record=records.append)
    async with prover:
        await until(lambda: len(records) >= requests)
    return prover.gap(), records


def test_a_healthy_service_loses_nothing() -> None:
    async def scenario() -> None:
        async with Server() as server:
            gap, records = await prove(server, 40)
        assert gap.failed == 0 and gap.sent == len(records) >= 40
        assert gap.versions == {"v1": gap.sent}
        assert gap.p50_before and gap.p99_before and gap.p50_during is None
        assert abs(sum(r.kept for r in records) - sum(not r.kept for r in records)) <= 2

    asyncio.run(scenario())


def test_half_take_new_connections_and_half_reuse_one() -> None:
    async def scenario() -> None:
        async with Server() as server:
            _, records = await prove(server, 40, rate=50)
            new = sum(not record.kept for record in records)
            kept = sum(record.kept for record in records)
            assert new <= server.connections < new + kept / 2

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("what", "words"),
    [("drop", "closed"), ("reset", "reset"), ("503", "status 503"), ("half", "middle")],
)
def test_every_failed_request_is_counted_exactly(what: str, words: str) -> None:
    async def scenario() -> None:
        bad = {5, 6, 17, 18, 19, 20, 21}
        async with Server(lambda n: what if n in bad else "ok") as server:
            gap, records = await prove(server, 40)
        assert gap.failed == len(bad) == sum(not record.ok for record in records)
        assert gap.failed == gap.failed_new + gap.failed_kept
        assert len(gap.failures) == 5 and all(words in f.what.lower() for f in gap.failures)

    asyncio.run(scenario())


def test_a_service_that_is_gone_is_a_measured_gap() -> None:
    async def scenario() -> None:
        async with Server() as server:
            prover = Prover(config(url=server.url), LoopClock())
            async with prover:
                await until(lambda: prover.gap().sent > 20)
                prover.mark("change")
                server._server.close()
                server.hang_up()
                began = time.monotonic()
                await asyncio.sleep(0.3)
                away = time.monotonic() - began
                server._server = await asyncio.start_server(server._serve, "127.0.0.1", server.port)
                sent = prover.gap().sent
                await until(lambda: prover.gap().sent > sent + 20)
        gap = prover.gap()
        assert gap.failed > 0 and any("refused" in f.what.lower() for f in gap.failures[1:])
        stalls = gap.late / gap.rate_wanted
        assert 0.25 - stalls <= gap.longest_silence <= away + 1

    asyncio.run(scenario())


def test_held_requests_are_a_silence_without_failures() -> None:
    async def scenario() -> None:
        async with Server() as server:
            prover = Prover(config(url=server.url), LoopClock())
            async with prover:
                await until(lambda: prover.gap().sent > 20)
                prover.mark("change")
                server.gate.clear()
                await asyncio.sleep(0.4)
                server.gate.set()
                sent = prover.gap().sent
                await until(lambda: prover.gap().sent > sent + 50)
        gap = prover.gap()
        assert gap.failed == 0
        assert gap.longest_silence >= 0.3 - gap.late / gap.rate_wanted
        assert gap.p99_during and gap.p99_before and gap.p99_during > gap.p99_before
        assert "before" in str(gap) and "during" in str(gap)

    asyncio.run(scenario())


def test_an_idle_connection_closed_by_the_server_is_no_failure() -> None:
    async def scenario() -> None:
        async with Server() as server:
            prover = Prover(config(url=server.url, rate=20), LoopClock())
            async with prover:
                for _ in range(10):
                    sent = prover.gap().sent
                    await until(lambda sent=sent: prover.gap().sent > sent and prover._asker._idle)
                    server.hang_up()
        assert prover.gap().failed == 0

    asyncio.run(scenario())


def test_no_answer_within_the_time_is_a_failure() -> None:
    async def scenario() -> None:
        async with Server() as server:
            server.gate.clear()
            gap, _ = await prove(server, 5, timeout="200ms", rate=20)
        assert gap.failed == gap.sent >= 5
        assert gap.failures[0].what == "no answer within 200ms"
        assert gap.longest_silence >= 0.2

    asyncio.run(scenario())


def test_a_stall_of_our_own_is_late_and_not_the_services_fault() -> None:
    async def scenario() -> None:
        async with Server() as server:
            prover = Prover(config(url=server.url, timeout="300ms"), LoopClock())
            async with prover:
                await until(lambda: prover.gap().sent > 20)
                server.delay = 0.02
                await until(lambda: prover._running)
                time.sleep(0.6)
                sent = prover.gap().sent
                await until(lambda: prover.gap().sent > sent + 20)
        gap = prover.gap()
        assert gap.failed == 0 and gap.longest_silence < 0.4
        assert gap.late >= 50
        assert "late" in str(gap)

    asyncio.run(scenario())


def test_never_more_than_its_rate_even_after_a_stall() -> None:
    async def scenario() -> None:
        async with Server() as server:
            prover = Prover(config(url=server.url, rate=50), LoopClock())
            begun = time.monotonic()
            async with prover:
                await until(lambda: prover.gap().sent > 5)
                time.sleep(0.5)
                await until(lambda: prover.gap().sent > 20)
            assert server.requests <= (time.monotonic() - begun) * 50 + 1
            assert prover.gap().rate <= 55

    asyncio.run(scenario())


def test_it_stops_with_its_context_and_leaves_nothing() -> None:
    async def scenario() -> None:
        async with Server() as server:
            await prove(server, 5)
            seen = server.requests
            await asyncio.sleep(0.1)
            assert server.requests == seen
            assert asyncio.all_tasks() == {asyncio.current_task()} | {
                task for task in asyncio.all_tasks() if "_serve" in repr(task)
            }

    asyncio.run(scenario())


def test_an_error_in_the_context_cuts_what_is_under_way() -> None:
    async def scenario() -> None:
        async with Server() as server:
            server.gate.clear()
            begun = time.monotonic()
            prover = Prover(config(url=server.url, timeout="30s"), LoopClock())
            with pytest.raises(RuntimeError, match="enough"):
                async with prover:
                    await until(lambda: server.requests > 2)
                    raise RuntimeError("enough")
            assert time.monotonic() - begun < 10 and not prover._running

    asyncio.run(scenario())


def test_chunked_bodies_and_changing_versions() -> None:
    async def scenario() -> None:
        async with Server(lambda n: "chunked") as server:
            prover = Prover(config(url=server.url), LoopClock())
            async with prover:
                await until(lambda: prover.gap().sent > 10)
                server.body = b'{"version": 2}'
                await until(lambda: "2" in prover.gap().versions)
        assert prover.gap().failed == 0 and set(prover.gap().versions) == {"v1", "2"}

    asyncio.run(scenario())


def test_an_expected_status_can_be_any() -> None:
    async def scenario() -> None:
        async with Server(lambda n: "404" if n != 3 else "200") as server:
            gap, _ = await prove(server, 10, expect=404)
        assert gap.failed == 1 and "status 200" in gap.failures[0].what

    asyncio.run(scenario())


def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1"
            f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
        ),
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)

    async def scenario() -> tuple[Gap, Gap]:
        async with Server(tls=tls) as server:
            stranger, _ = await prove(server, 4, rate=20)
            monkeypatch.setenv("SSL_CERT_FILE", str(cert))
            friend, _ = await prove(server, 10, rate=20)
        return stranger, friend

    stranger, friend = asyncio.run(scenario())
    assert stranger.failed == stranger.sent and "certificate" in stranger.failures[0].what.lower()
    assert friend.failed == 0 and friend.versions["v1"] == friend.sent


def test_a_command_is_a_probe_too(tmp_path: Path) -> None:
    flag = tmp_path / "down"
    program = [
        sys.executable,
        "-ISc",
        f"import os; raise SystemExit(3 * os.path.exists({str(flag)!r}))",
    ]

    async def scenario() -> Gap:
        prover = Prover(config(command=program, rate=5), LoopClock())
        async with prover:
            await until(lambda: prover.gap().sent >= 3)
            flag.touch()
            await until(lambda: prover.gap().failed >= 1)
        return prover.gap()

    gap = asyncio.run(scenario())
    assert 1 <= gap.failed < gap.sent and gap.failures[0].what.startswith("ended with 3")


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def scenario() -> Gap:
        hang = ["sh", "-c", f"sleep 60 & echo $! >> {pids}; wait"]
        prover = Prover(config(command=hang, rate=4, timeout="700ms"), LoopClock())
        async with prover:
            await until(lambda: prover.gap().failed >= 1)
        return prover.gap()

    assert "no answer" in asyncio.run(scenario()).failures[0].what
    for pid in pids.read_text().split():
        assert _gone(int(pid)), "a child outlived its probe"


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not an http"):
        Prover(config(url="ftp://x/"), LoopClock())


def test_only_the_known_mark() -> None:
    with pytest.raises(ValueError, match="mark"):
        Prover(config(url="http://127.0.0.1:1/"), LoopClock()).mark("lunch")


def test_a_gap_survives_json() -> None:
    gap = Gap(10, 2, 1, 0.25, 0.001, 0.002, failures=(Failure(1.5, "reset"),), versions={"a": 8})
    assert Gap.from_json(gap.to_json()) == gap


def test_nobody_listening_is_counted() -> None:
    async def scenario() -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            prover = Prover(config(url=f"http://127.0.0.1:{port}/"), LoopClock())
            async with prover:
                await until(lambda: prover.gap().failed > 3)
        assert prover.gap().failed == prover.gap().sent

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9)"), "Connection refused"),
        (
            OSError(
                "Multiple exceptions: [Errno 111] Connect call failed ('::1', 9, 0, 0), "
                "[Errno 111] Connect call failed ('127.0.0.1', 9)"
            ),
            "Connection refused",
        ),
        (OSError(113, "Connect call failed ('10.0.0.1', 9)"), "No route to host"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError(), "OSError"),
    ],
)
def test_errors_are_told_without_their_numbers(problem: OSError, words: str) -> None:
    assert _words(problem) == words
