"""Control over HTTP, as an orchestrator in any language would ask."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gapless.handover import Handover
from tests.unit.handover.site import ask, handover, request, state, until, variables


def _asked(tmp_path: Path, questions: Callable[[Handover], Any], **others: object) -> None:
    async def run() -> None:
        state(tmp_path, "standby", active=6, next=7)
        async with (
            handover(variables(tmp_path, "bot-6", 6)) as old,
            handover(variables(tmp_path, "bot-7", 7, **others)) as new,
        ):
            await until(lambda: old.state == "ACTIVE" and new.state == "STANDBY")
            await questions(new)

    asyncio.run(run())


def test_the_status_has_every_key_of_the_page(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "handover.md"
    after = page.read_text().split("The status:\n", 1)[1]
    example = json.loads(after.split("```json\n", 1)[1].split("```", 1)[0])

    async def questions(new: Handover) -> None:
        for path in ("/healthz", "/readyz", "/handover"):
            status, said = await ask(tmp_path, "bot-7", "GET", path)
            assert status == 200
            assert set(said) == set(example)
            for key, value in example.items():
                assert isinstance(said[key], type(value)), key
        assert said["pid"] == os.getpid()
        assert (said["id"], said["epoch"], said["state"]) == ("bot-7", 7, "STANDBY")

    _asked(tmp_path, questions)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/activate"),
        ("POST", "/activate?epoch="),
        ("POST", "/activate?epoch=seven"),
        ("POST", "/activate?epoch=-7"),
        ("POST", "/activate?epoch=7&epoch=8"),
        ("POST", "/lock?epoch=7"),
        ("POST", "/lock?on=yes&epoch=7"),
        ("POST", "/deactivate?epoch=7&deadline=soon"),
        ("POST", "/deactivate?epoch=7&deadline=-1"),
        ("GET", "/activate?epoch=7"),
        ("POST", "/handover"),
        ("GET", "/"),
        ("DELETE", "/handover"),
        ("POST", "/nothing?epoch=7"),
    ],
)
def test_nonsense_changes_nothing(tmp_path: Path, method: str, target: str) -> None:
    async def questions(new: Handover) -> None:
        status, said = await ask(tmp_path, "bot-7", method, target)
        assert (status, said["error"]) == (400, "request")
        assert said["why"]
        assert (new.state, new.status()["lock"]) == ("STANDBY", True)

    _asked(tmp_path, questions)


@pytest.mark.parametrize("target", ["/deactivate?epoch=7", "/abort?epoch=7"])
def test_what_does_not_fit_the_state_changes_nothing(tmp_path: Path, target: str) -> None:
    async def questions(new: Handover) -> None:
        found = await ask(tmp_path, "bot-7", "POST", target)
        assert found == (409, {"error": "state", "state": "STANDBY"})
        assert new.state == "STANDBY"

    _asked(tmp_path, questions)


@pytest.mark.parametrize("path", ["/activate", "/lock?on=false", "/deactivate", "/abort"])
def test_an_orchestrator_of_an_older_epoch_changes_nothing(tmp_path: Path, path: str) -> None:
    async def questions(new: Handover) -> None:
        await ask(tmp_path, "bot-7", "POST", "/lock?on=true&epoch=9")
        old = path + ("&" if "?" in path else "?") + "epoch=8"
        assert await ask(tmp_path, "bot-7", "POST", old) == (409, {"error": "obsolete", "epoch": 9})
        assert (new.state, new.status()["lock"]) == ("STANDBY", True)

    _asked(tmp_path, questions)


def test_the_state_file_counts_as_seen(tmp_path: Path) -> None:
    async def questions(new: Handover) -> None:
        state(tmp_path, "standby", active=6, next=7, latest=12)
        found = await ask(tmp_path, "bot-7", "POST", "/activate?epoch=11")
        assert found == (409, {"error": "obsolete", "epoch": 12})

    _asked(tmp_path, questions)


def test_every_request_can_be_repeated(tmp_path: Path) -> None:
    async def questions(new: Handover) -> None:
        for target in ("/lock?on=true", "/activate", "/deactivate", "/abort"):
            with new.follow_up():
                for _ in range(3):
                    joined = f"{target}{'&' if '?' in target else '?'}epoch=7"
                    assert (await ask(tmp_path, "bot-7", "POST", joined))[0] == 200, target
                if target == "/deactivate":
                    await ask(tmp_path, "bot-7", "POST", "/abort?epoch=7")
        assert new.state == "ACTIVE"

    _asked(tmp_path, questions)


def test_a_broken_state_file_is_a_problem_and_nothing_else(tmp_path: Path) -> None:
    async def questions(new: Handover) -> None:
        (tmp_path / "state.json").write_text("{")
        said = (await ask(tmp_path, "bot-7", "GET", "/handover"))[1]
        assert said["problems"] == [
            "state.json is no JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)"
        ]
        assert (await ask(tmp_path, "bot-7", "POST", "/activate?epoch=7"))[0] == 200
        state(tmp_path, "joint", active=6, next=7)
        assert (await ask(tmp_path, "bot-7", "GET", "/handover"))[1]["problems"] == []

    _asked(tmp_path, questions)


def test_the_socket_is_for_its_account_alone_and_goes_with_the_copy(tmp_path: Path) -> None:
    async def questions(new: Handover) -> None:
        mode = (tmp_path / "ctl-bot-7.sock").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600

    _asked(tmp_path, questions)
    assert not list(tmp_path.glob("*.sock"))
    assert (tmp_path / "alive-bot-7.lock").exists()


def test_a_folder_with_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()

    async def run() -> None:
        state(folder, active=6)
        async with handover(variables(folder, "bot-6", 6)) as one:
            assert one.status()["problems"] == []
            assert (folder / "ctl-bot-6.sock").is_socket()

    asyncio.run(run())


def test_a_loopback_address_is_served_too(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def questions(new: Handover) -> None:
        found = await asyncio.to_thread(request, ("127.0.0.1", port), "GET", "/readyz")
        assert found[0] == 200

    _asked(tmp_path, questions, LISTEN=f"127.0.0.1:{port}")


def test_a_program_alone_may_be_asked_too() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ("127.0.0.1", free.getsockname()[1])

    async def run() -> None:
        given = {"HANDOVER_LISTEN": f"127.0.0.1:{address[1]}"}
        async with handover(given, "shard") as alone:
            assert (await asyncio.to_thread(request, address, "GET", "/readyz"))[0] == 503
            alone.unit("shard").connected()
            alone.unit("shard").beat()
            status, said = await asyncio.to_thread(request, address, "GET", "/readyz")
            assert (status, said["state"], said["id"]) == (200, "ACTIVE", "alone")

    asyncio.run(run())


def test_where_no_socket_can_be_had_it_says_so_and_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        (tmp_path / "ctl-bot-6.sock").mkdir()
        state(tmp_path, active=6)
        async with handover(variables(tmp_path, "bot-6", 6)) as one:
            await until(lambda: one.state == "ACTIVE")
            assert "control cannot be served" in str(one.status()["problems"])

    asyncio.run(run())


def _exchange(path: Path, sent: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as speaking:
        speaking.settimeout(5)
        speaking.connect(str(path))
        speaking.sendall(sent)
        speaking.shutdown(socket.SHUT_WR)
        answer = b""
        while more := speaking.recv(65536):
            answer += more
        return answer


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", [b"200"]),
        (b"GET /healthz HTTP/1.0\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n", [b"200"]),
        (b"GET /healthz HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\n", [b"200", b"400"]),
        (b"POST /none HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody" * 2, [b"400", b"400"]),
        (b"hello\r\n\r\n", [b"400"]),
        (b"GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n", [b"400"]),
        (b"GET /healthz HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", [b"400"]),
        (b"POST /lock HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [b"400"]),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", [b"400"]),
        (b"GET //[::1 HTTP/1.1\r\nConnection: close\r\n\r\n", [b"400"]),
        (b"GET /heal", []),
    ],
)
def test_http(tmp_path: Path, sent: bytes, answers: list[bytes]) -> None:
    async def questions(new: Handover) -> None:
        said = await asyncio.to_thread(_exchange, tmp_path / "ctl-bot-7.sock", sent)
        parts = said.split(b"HTTP/1.1 ")[1:]
        assert [part[:3] for part in parts] == answers
        assert (await ask(tmp_path, "bot-7", "GET", "/healthz"))[0] == 200

    _asked(tmp_path, questions)


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(5)

        async def run() -> None:
            state(tmp_path, active=6, lock=True)
            given = variables(tmp_path, "bot-6", 6) | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
            async with handover(given) as one:
                await until(lambda: one._copy.machine.handles)
                one.end()
                await one.drained()

        asyncio.run(run())
        messages = [told.recv(1000).decode()]
        while messages[-1] != "STATUS=handover DRAINING epoch=6 lock=on":
            messages.append(told.recv(1000).decode())
    assert messages[:2] == ["READY=1", "STATUS=handover ACTIVE epoch=6 lock=on"]
    assert "STOPPING=1" in messages
