"""The transport suite: files, folders, questions over sockets."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gapless.drivers.transports.base import Probe, Transport
from gapless.drivers.transports.log_query import LogQuery
from gapless.errors import DeadlineExceeded, FenceRefused, HostFault
from gapless.model import Command, Verdict, VerdictStatus
from gapless.testing.transport_rig import TransportCases, claim_of, fence_of, sh, until

HEALTHY = b'{"status": "healthy", "checks": [{"name": "db", "up": true}]}'
CONTAINER = "1" * 64
INSPECTED = {
    "Id": CONTAINER,
    "Name": "/web",
    "Image": "sha256:1",
    "Config": {"Image": "web:1", "Env": ["TOKEN=hush"], "Labels": {}},
    "HostConfig": {"NetworkMode": "none"},
    "NetworkSettings": {"Networks": {}},
    "Mounts": [],
}
ENGINE = b"""
import os
import socket
import sys

path, answer = sys.argv[1:]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path + ".new")
listening.listen()
os.rename(path + ".new", path)
while True:
    connection, _ = listening.accept()
    with connection, connection.makefile("rb") as asked:
        while asked.readline().strip():
            pass
        connection.sendall(answer.encode())
"""
"""Answers everything alike."""


def _line(at: float, text: str) -> bytes:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))} {text}\n".encode()


class FileCases(TransportCases):
    """Promises of ``put``, ``replace``, ``get``, ``digest``, ``push``, ``exchange``, ``keep``,
    ``ask`` and ``watch``."""

    def test_what_is_put_can_be_got(self) -> None:
        """Any bytes, also over an older file."""

        async def case(host: Transport) -> None:
            path = f"{self.folder}/file"
            for content in (b"", bytes(range(256)) * 100, b"shorter"):
                await host.put(content, path)
                assert await host.get(path) == content

        self.check(case)

    def test_errors_in_a_log_file_are_counted_on_the_host(self) -> None:
        """logs(): between two moments, and what comes after it by where it ended."""

        async def case(host: Transport) -> None:
            path, now = f"{self.folder}/shop.log", (await host.facts()).clock
            old, new = _line(now - 60, "ERROR old"), _line(now - 10, "ERROR disk full")
            await host.put(old + new + _line(now - 5, "INFO served"), path)
            query = LogQuery(now - 30, now, files=(path,), patterns={"disk": "disk"})
            reading = await host.logs(query)
            found = [(name, tally.errors) for name, tally in reading.tallies.items()]
            assert found == [("", 1), ("disk", 1)]
            assert reading.covered == 30
            (told,) = reading.tallies[""].top
            assert told[0].endswith("ERROR disk full")
            known = reading.tallies[""].seen
            again = await host.logs(replace(query, known=known))
            assert again.tallies[""].new == ()
            nothing = await host.logs(replace(query, files=(f"{self.folder}/none.log",)))
            assert nothing.covered is None

        self.check(case)

    def test_what_is_missing_is_none_and_what_is_too_large_is_a_fault(self) -> None:
        """get()."""

        async def case(host: Transport) -> None:
            assert await host.get(f"{self.folder}/nothing") is None
            await host.put(b"12345", f"{self.folder}/file")
            assert await host.get(f"{self.folder}/file", limit=5) == b"12345"
            with pytest.raises(HostFault):
                await host.get(f"{self.folder}/file", limit=4)

        self.check(case)

    def test_modes_are_as_asked_and_nothing_is_left_beside(self) -> None:
        """No temporary file stays."""

        async def case(host: Transport) -> None:
            await host.put(b"x", f"{self.folder}/file", 0o640)
            await host.put(b"y", f"{self.folder}/file", 0o604)
            listed = await host.run(sh(f"cd {self.folder} && stat -c '%a %n' *"))
            assert listed.stdout == "604 file\n"

        self.check(case, needs="shell")

    def test_a_file_is_replaced_only_while_it_is_what_was_read(self) -> None:
        """replace(): behind a link, with its mode; what somebody else wrote stays."""

        async def case(host: Transport) -> None:
            path, link = f"{self.folder}/file", f"{self.folder}/link"
            await host.put(b"old", path, 0o604)
            assert (await host.run(sh(f"ln -s file {link}"))).ok
            read = (await host.digest([path]))[path]
            assert await host.replace(link, read, b"new")
            assert not await host.replace(link, read, b"late")
            assert not await host.replace(f"{self.folder}/none", read, b"x")
            assert await host.get(path) == b"new"
            listed = await host.run(sh(f"cd {self.folder} && stat -c '%a %F %n' *"))
            assert listed.stdout == "604 regular file file\n777 symbolic link link\n"

        self.check(case, needs="shell")

    def test_a_file_is_replaced_by_the_newest_rollout_alone(self) -> None:
        """replace() with a fence."""

        async def case(host: Transport) -> None:
            path = f"{self.folder}/file"
            await host.put(b"old", path)
            read = (await host.digest([path]))[path]
            old = fence_of(await host.claim(claim_of("r1")))
            new = fence_of(await host.claim(claim_of("r1")))
            with pytest.raises(FenceRefused):
                await host.replace(path, read, b"zombie", old)
            assert await host.get(path) == b"old"
            assert await host.replace(path, read, b"new", new)
            assert await host.get(path) == b"new"

        self.check(case)

    def test_a_file_that_cannot_be_written_says_why(self) -> None:
        """The path and the reason."""

        async def case(host: Transport) -> None:
            path = f"{self.folder}/no/such/folder/file"
            with pytest.raises(HostFault) as caught:
                await host.put(b"x", path)
            assert path in str(caught.value)
            assert "No such file or directory" in str(caught.value)

        self.check(case, needs="shell")

    def test_digests_tell_contents_names_and_modes_apart(self) -> None:
        """A file's is that of its content; a missing one has none."""

        async def case(host: Transport) -> None:
            import hashlib

            tree = f"{self.folder}/tree"
            assert (await host.run(sh(f"mkdir {tree}"))).ok
            seen = set()
            for content, name, mode in (
                (b"x", "a", 0o600),
                (b"y", "a", 0o600),
                (b"y", "a", 0o700),
                (b"y", "b", 0o600),
            ):
                await host.put(content, f"{tree}/{name}", mode)
                seen.add((await host.digest([tree]))[tree])
            assert len(seen) == 4
            found = await host.digest([f"{tree}/b", f"{tree}/none"])
            assert found == {
                f"{tree}/b": hashlib.sha256(b"y").hexdigest(),
                f"{tree}/none": "",
            }

        self.check(case, needs="shell")

    def test_push_makes_a_folder_equal(self) -> None:
        """New, changed, deleted, excluded, linked."""

        async def case(host: Transport) -> None:
            with tempfile.TemporaryDirectory() as local:
                source = Path(local)
                (source / "sub").mkdir()
                (source / "sub" / "it's a file").write_text("x" * 5000)
                (source / "skipped.log").write_text("no")
                first, second = f"{self.folder}/first", f"{self.folder}/sec ond"
                sent = await host.push(source, first, exclude=["*.log"])
                assert sent > 5000
                (source / "new").write_text("n")
                again = await host.push(source, second, exclude=["*.log"], link_from=first)
                assert again < 5000
                assert await host.get(f"{second}/sub/it's a file") == b"x" * 5000
                assert await host.get(f"{second}/skipped.log") is None
                (source / "new").unlink()
                await host.push(source, second)
                assert await host.get(f"{second}/new") is None
                assert await host.get(f"{second}/skipped.log") == b"no"

        self.check(case, needs="push")

    def test_exchange_reads_to_the_end(self) -> None:
        """Over TCP, guarded by a fence when one is given."""

        async def case(host: Transport) -> None:
            async with answering(b"hello\n") as port:
                assert await host.exchange(f"127.0.0.1:{port}", b"hi\n") == b"hello\n"
                old = fence_of(await host.claim(claim_of("r1")))
                await host.claim(claim_of("r1"))
                with pytest.raises(FenceRefused):
                    await host.exchange(f"127.0.0.1:{port}", b"hi\n", fence=old)
            with pytest.raises(HostFault):
                await host.exchange(f"127.0.0.1:{port}", b"hi\n")

        self.check(case, needs="sockets")

    def test_exchange_with_a_mute_is_over_in_time(self) -> None:
        """DeadlineExceeded."""

        async def case(host: Transport) -> None:
            async with answering(b"", linger=30) as port:
                with pytest.raises(DeadlineExceeded):
                    await host.exchange(f"127.0.0.1:{port}", b"hi\n", timeout=0.3)

        self.check(case, needs="sockets")

    def test_a_container_is_kept_for_its_owner_alone(self) -> None:
        """keep(): what an engine on the host says of it, in a folder that is made."""

        async def case(host: Transport) -> None:
            socket, path = f"{self.folder}/engine", f"{self.folder}/kept/container.json"
            async with engine(host, socket):
                await host.keep(socket, CONTAINER, path)
            kept = json.loads(await host.get(path) or b"{}")
            assert (kept["name"], kept["config"]["Image"]) == ("web", "sha256:1")
            assert kept["config"]["Env"] == ["TOKEN=hush"]
            listed = await host.run(sh(f"cd {self.folder} && stat -c '%a %n' kept kept/*"))
            assert listed.stdout == "700 kept\n600 kept/container.json\n"

        self.check(case, needs="shell")

    def test_a_container_of_an_engine_that_is_not_there_is_not_kept(self) -> None:
        """keep(): HostFault, with the engine's path; no file."""

        async def case(host: Transport) -> None:
            socket, path = f"{self.folder}/engine", f"{self.folder}/container.json"
            with pytest.raises(HostFault) as caught:
                await host.keep(socket, CONTAINER, path, ["/banner"])
            assert socket in caught.value.what
            assert await host.get(path) is None

        self.check(case)

    def test_answers_come_with_evidence(self) -> None:
        """What was asked, what came back, what was wanted."""

        async def case(host: Transport) -> None:
            async with answering(http(503, b'{"db": "migration 42 pending"}')) as port:
                url = f"http://127.0.0.1:{port}/health"
                (verdict,) = await host.ask([web(url)], passes=1, every=0.1, within=0)
            assert verdict.status is VerdictStatus.FAIL
            assert verdict.asked == f"GET {url}"
            assert verdict.answer == '503 {"db": "migration 42 pending"}'
            (refused,) = await host.ask([web(url)], passes=1, every=0.1, within=0)
            assert refused.status is VerdictStatus.FAIL
            assert refused.answer == "Connection refused"

        self.check(case, needs="sockets")

    def test_asking_goes_on_until_enough_passed_in_a_row(self) -> None:
        """And says so when they did not."""

        async def case(host: Transport) -> None:
            async with answering(http(200, HEALTHY)) as port:
                probe = web(f"http://127.0.0.1:{port}/", json={"status": "healthy"})
                (passed,) = await host.ask([probe], passes=3, every=0.05, within=5)
                assert passed.passed
                (short,) = await host.ask([probe], passes=1000, every=0.05, within=0.5)
                assert not short.passed

        self.check(case, needs="sockets")

    def test_watching_ends_at_the_first_failure(self) -> None:
        """After its retries, with the answer that failed."""

        async def case(host: Transport) -> None:
            async with answering(http(200, HEALTHY)) as port:
                url = f"http://127.0.0.1:{port}/"
                good, bad = web(url), web(url, status=[204])
                fine = await watch(host, [good], seconds=0.6)
                assert [verdict.passed for verdict in fine] == [True]
                _, failed = await watch(host, [good, bad], seconds=60)
                assert failed.status is VerdictStatus.FAIL
                assert failed.wanted == "status 204"

        self.check(case, needs="sockets")

    def test_a_watch_waits_for_the_first_answer_of_each_question(self) -> None:
        """A command that takes longer than the watch is no failure, and its answer is told."""

        async def case(host: Transport) -> None:
            async with asyncio.timeout(20):
                for status, wanted in ((0, VerdictStatus.PASS), (2, VerdictStatus.FAIL)):
                    argv = ["sh", "-c", f"sleep 0.6; echo said; exit {status}"]
                    slow = Probe("slow", "command", {"argv": argv}, answer=5.0)
                    quick = Probe("quick", "command", {"argv": ["true"]}, answer=5.0)
                    found = await watch(host, [slow, quick], seconds=0.1)
                    assert [verdict.status for verdict in found] == [wanted, VerdictStatus.PASS]
                    assert found[0].answer == f"exit {status}: said"

        self.check(case, needs="shell")


async def watch(host: Transport, probes: list[Probe], *, seconds: float) -> tuple[Verdict, ...]:
    """A watch of probes only."""
    return await host.watch(
        "", probes, seconds=seconds, every=0.1, retries=2, retry_delay=0.05, identity={}
    )


def web(url: str, **expect: object) -> Probe:
    """An http probe."""
    return Probe("web", "http", {"url": url, "expect": expect}, answer=2.0)


def http(status: int, body: bytes) -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def engine(host: Transport, path: str) -> AsyncIterator[None]:
    """A container engine on the host, at this path."""
    body = json.dumps(INSPECTED).encode()
    program = Command.python(ENGINE, path, http(200, body).decode(), timeout=30.0)
    running = asyncio.ensure_future(host.run(program))

    async def listens() -> bool:
        return (await host.run(sh(f"test -S {path}"))).ok

    try:
        await until(listens)
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def answering(answer: bytes, *, linger: float = 0) -> AsyncIterator[int]:
    """A server on our loopback that answers everything alike; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        await asyncio.sleep(linger)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
