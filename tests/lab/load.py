#!/usr/bin/env python3
"""Open-loop load: requests leave at their appointed times, whether or not earlier ones came back.

    with Load("http://127.0.0.1:8080/", rate=100, keep_alive=True) as load:
        ...                                   # a restart, say
    assert load.report.failed == 0, load.report
    load.report.versions                      # which versions answered how often

It runs in a process of its own, so that a busy test cannot slow it down: `python -m
tests.lab.load URL --rate 100 --seconds 10` is the same from a shell. Closed-loop tools stop
sending while the service is down and so hardly see an outage; and they count waiting from the
moment of sending. Here latency counts from the appointed time.

A request fails if there is no complete answer within `timeout`, or a status of 400 and above.
With `keep_alive`, a connection which the server closed while it was idle is replaced, as every
client does; a connection that breaks after the request was sent is a failure, never retried.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import itertools
import json
import math
import select
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Outcome:
    """What became of one request; times in seconds of the machine's monotonic clock."""

    at: float
    """When it was due."""
    latency: float
    status: int
    body: str
    error: str

    @property
    def ok(self) -> bool:
        """Whether it was answered as a client would wish."""
        return not self.error


@dataclass(frozen=True)
class Report:
    """The outcomes of a time span, in the order in which they were due."""

    started: float
    ended: float
    outcomes: tuple[Outcome, ...]

    @property
    def sent(self) -> int:
        """How many requests there were."""
        return len(self.outcomes)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return len(self.errors)

    @cached_property
    def errors(self) -> list[Outcome]:
        """The failed ones."""
        return [outcome for outcome in self.outcomes if not outcome.ok]

    @property
    def longest_silence(self) -> float:
        """The longest time, in seconds, without a good answer arriving."""
        arrivals = sorted(o.at + o.latency for o in self.outcomes if o.ok)
        moments = [self.started, *arrivals, max([self.ended, *arrivals[-1:]])]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    @property
    def p99(self) -> float:
        """The latency, in seconds, that 99 % of the good answers kept."""
        return self.percentile(99)

    @cached_property
    def versions(self) -> dict[str, int]:
        """How often each `version` of the JSON bodies answered."""
        return dict(collections.Counter(filter(None, map(_version, self.outcomes))))

    def percentile(self, percent: float) -> float:
        """The latency, in seconds, that so many per cent of the good answers kept; NaN of none."""
        latencies = sorted(outcome.latency for outcome in self.outcomes if outcome.ok)
        if not latencies:
            return math.nan
        return latencies[max(math.ceil(len(latencies) * percent / 100) - 1, 0)]

    def between(self, start: float, end: float) -> Report:
        """The part that was due from `start` to `end`, both of time.monotonic()."""
        part = tuple(outcome for outcome in self.outcomes if start <= outcome.at < end)
        return Report(max(start, self.started), min(end, self.ended), part)

    def summary(self) -> dict[str, object]:
        """The numbers, and the first errors with the second in which they happened."""
        errors = [f"{e.at - self.started:.3f} s: {e.error}" for e in self.errors[:20]]
        return {
            "seconds": round(self.ended - self.started, 3),
            "sent": self.sent,
            "failed": self.failed,
            "longest_silence": round(self.longest_silence, 4),
            "p50": round(self.percentile(50), 4),
            "p99": round(self.p99, 4),
            "versions": self.versions,
            "errors": errors,
        }

    def __str__(self) -> str:
        return json.dumps(self.summary(), indent=2)


class Load:
    """Load in a process of its own, from `start` to `stop` (or for the span of a `with`)."""

    def __init__(
        self, url: str, *, rate: float = 100.0, keep_alive: bool = False, timeout: float = 10.0
    ) -> None:
        self._options = [url, f"--rate={rate}", f"--timeout={timeout}", "--raw"]
        if keep_alive:
            self._options.append("--keep-alive")
        self._timeout = timeout
        self._process: subprocess.Popen[str] | None = None
        self._report: Report | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def report(self) -> Report:
        """What happened; there after `stop`."""
        if self._report is None:
            raise RuntimeError("the load still runs: its report comes with stop()")
        return self._report

    def start(self) -> None:
        """Start; returns when the first request is about to leave."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> Report:
        """Send no more, wait for what is in flight, and return the report."""
        if self._process is not None:
            # It runs until its stdin ends, so it also ends when we are killed.
            answer, _ = self._process.communicate(timeout=self._timeout + 20)
            self._process = None
            self._report = _from_json(answer)
        return self.report


class Client:
    """A small HTTP/1.1 client for one URL."""

    def __init__(self, url: str, *, keep_alive: bool) -> None:
        parts = urllib.parse.urlsplit(url)
        self._at = (parts.hostname or "127.0.0.1", parts.port or 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        wish = "keep-alive" if keep_alive else "close"
        self._request = (
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: {wish}\r\n\r\n"
        ).encode()
        self._keep_alive = keep_alive
        self._idle: list[_Connection] = []

    async def get(self) -> tuple[int, str]:
        """Status and body of one request. Raises OSError or EOFError if there is no answer."""
        connection = self._take_idle() or await _Connection.open(*self._at)
        try:
            status, body, reusable = await connection.ask(self._request)
        except BaseException:
            connection.close()
            raise
        if reusable and self._keep_alive:
            self._idle.append(connection)
        else:
            connection.close()
        return status, body

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open():
                return connection
            connection.close()
        return None


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> _Connection:
        return cls(*await asyncio.open_connection(host, port))

    def is_open(self) -> bool:
        """Whether the server has not closed it: an idle connection has nothing to be read."""
        if self._reader.at_eof() or self._writer.is_closing():
            return False
        # The event loop may not have seen the end yet; the kernel knows.
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    async def ask(self, request: bytes) -> tuple[int, str, bool]:
        """Send a request; status, body, and whether the connection can take another."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        body = await self._body(headers)
        reusable = headers.get("connection", "").lower() != "close" and _has_length(headers)
        return int(first.split()[1]), body.decode(errors="replace"), reusable

    async def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunks()
        return await self._reader.read()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self._reader.readline()).split(b";")[0], 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
        return body

    def close(self) -> None:
        self._writer.close()


def _has_length(headers: dict[str, str]) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers


async def run_load(
    url: str, *, rate: float, keep_alive: bool, timeout: float, end: asyncio.Event
) -> Report:
    """Send `rate` requests a second until `end` is set; wait for the last ones; the report."""
    client = Client(url, keep_alive=keep_alive)
    started = time.monotonic()
    running: list[asyncio.Task[Outcome]] = []
    while not end.is_set():
        due = started + len(running) / rate
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), max(due - time.monotonic(), 0.0))
            break
        running.append(asyncio.create_task(_outcome(client, due, timeout)))
    ended = time.monotonic()
    outcomes = await asyncio.gather(*running)
    client.close()
    return Report(started, ended, tuple(outcomes))


async def _outcome(client: Client, due: float, timeout: float) -> Outcome:
    status, body, error = 0, "", ""
    try:
        status, body = await asyncio.wait_for(client.get(), timeout)
        if status >= 400:
            error = f"status {status}: {body[:200]}"
    except TimeoutError:
        error = f"no answer within {timeout:g} s"
    except EOFError:
        error = "the connection was closed before the answer was complete"
    except (OSError, ValueError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    return Outcome(due, time.monotonic() - due, status, body, error)


def _version(outcome: Outcome) -> str:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(outcome.body)["version"])
    return ""


def _from_json(text: str) -> Report:
    raw = json.loads(text)
    return Report(raw["started"], raw["ended"], tuple(Outcome(**o) for o in raw["outcomes"]))


async def _main(options: argparse.Namespace) -> Report:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    if options.seconds:
        loop.call_later(options.seconds, end.set)
    else:
        loop.add_reader(sys.stdin, end.set)
    if options.raw:
        print("started", flush=True)
    report = await run_load(
        options.url,
        rate=options.rate,
        keep_alive=options.keep_alive,
        timeout=options.timeout,
        end=end,
    )
    if not options.seconds:
        loop.remove_reader(sys.stdin)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 0 if no request failed."""
    parser = argparse.ArgumentParser(description="Open-loop HTTP load.")
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second (100)")
    parser.add_argument("--seconds", type=float, help="how long; until stdin ends if not given")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for an answer (10)")
    parser.add_argument("--keep-alive", action="store_true", help="reuse connections")
    parser.add_argument("--raw", action="store_true", help="print every outcome")
    options = parser.parse_args(arguments)
    report = asyncio.run(_main(options))
    print(json.dumps(asdict(report)) if options.raw else report)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
