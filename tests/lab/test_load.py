"""What the load generator counts as a failure, and what not; no host needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .load import Outcome, Report, run_load

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"version": "1"}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def load(handler: Handler, *, keep_alive: bool = False, timeout: float = 1.0) -> Report:
    """The report of half a second at 40 req/s against a server made of `handler`."""

    async def run() -> Report:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        end = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, end.set)
        url = f"http://127.0.0.1:{port}/"
        report = await run_load(url, rate=40, keep_alive=keep_alive, timeout=timeout, end=end)
        server.close()
        return report

    return asyncio.run(run())


def answering(answer: bytes, *, requests: int = 1, pause: float = 0.0) -> Handler:
    """A server that answers so many requests of a connection, then closes it after `pause`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(requests):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        await asyncio.sleep(pause)
        writer.close()

    return handle


def test_good_answers_are_counted_by_version() -> None:
    report = load(answering(ANSWER))
    assert report.failed == 0
    assert 15 <= report.sent <= 21
    assert report.versions == {"1": report.sent}


def test_a_connection_closed_while_idle_is_replaced() -> None:
    report = load(answering(ANSWER), keep_alive=True)
    assert report.failed == 0, report


def test_connections_are_reused() -> None:
    opened = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await answering(ANSWER, requests=10)(reader, writer)

    report = load(handle, keep_alive=True)
    assert report.failed == 0, report
    assert opened <= 1 + report.sent // 4, "a slow answer has another one opened beside it"


def test_a_connection_closed_after_the_request_was_sent_is_a_failure() -> None:
    report = load(answering(b"", requests=1), keep_alive=True)
    assert report.failed == report.sent
    assert "closed before the answer" in report.errors[0].error


def test_a_cut_off_answer_is_a_failure() -> None:
    assert load(answering(ANSWER[:-3])).failed > 0


def test_chunked_answers_are_read_whole() -> None:
    assert {outcome.body for outcome in load(answering(CHUNKED)).outcomes} == {"abcde"}


def test_an_error_status_is_a_failure() -> None:
    report = load(answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    assert report.failed == report.sent
    assert report.errors[0].error.startswith("status 503")


def test_requests_leave_on_time_though_none_comes_back() -> None:
    report = load(answering(b"", requests=2), timeout=0.2)
    assert report.failed == report.sent >= 15
    assert report.errors[0].error == "no answer within 0.2 s"


def test_silence_counts_from_the_start_and_to_the_end() -> None:
    good, bad = Outcome(2.0, 0.1, 200, "", ""), Outcome(3.0, 0.1, 0, "", "refused")
    report = Report(1.0, 5.0, (good, bad))
    assert round(report.longest_silence, 3) == 2.9
    assert report.between(2.5, 3.5).failed == 1
    assert report.between(1.0, 2.5).p99 == 0.1
