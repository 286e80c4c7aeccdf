"""A claim that is taken and given back, in a store of each kind, before anything is changed."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gapless.drivers.handover.orders import script
from tests.unit.handover.servers import NOBODY, Postgresql, postgresql_server, redis_server

pytestmark = pytest.mark.xdist_group("claim-script")


def attempt(folder: Path, lock: str, account: str = "", namespace: str = "it's\\bot") -> str:
    """What the account could not do."""
    argv = [sys.executable, "-I", "-S", "-", "try", str(folder), lock, namespace, account]
    done = subprocess.run(argv, input=script("claim_script"), capture_output=True)
    assert not done.returncode, done.stderr
    return str(json.loads(done.stdout)[account])


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Postgresql]:
    with postgresql_server() as server:
        yield server


def sql(server: Postgresql, text: str) -> list[tuple[object, ...]]:
    psycopg = pytest.importorskip("psycopg")
    writing = "-c default_transaction_read_only=off"
    with psycopg.connect(server.url, autocommit=True, options=writing) as session:
        cursor = session.execute(text)
        return list(cursor.fetchall()) if cursor.description else []


def test_postgresql_before_the_first_copy_and_after_it(
    postgresql: Postgresql, tmp_path: Path
) -> None:
    there = "SELECT tablename FROM pg_tables WHERE tablename = 'gapless_claims'"
    assert attempt(tmp_path, postgresql.url) == ""
    assert sql(postgresql, there) == [], "it was given back"
    sql(
        postgresql, "CREATE TABLE gapless_claims (ns text, id text, owner text, state int, at int8)"
    )
    try:
        assert attempt(tmp_path, postgresql.url) == ""
        assert sql(postgresql, "SELECT * FROM gapless_claims") == []
    finally:
        sql(postgresql, "DROP TABLE gapless_claims")


def test_a_postgresql_that_lets_us_in_and_takes_no_claim(
    postgresql: Postgresql, tmp_path: Path
) -> None:
    """A connection says nothing of that."""
    other = postgresql.url.replace("tester@", "reader@")
    assert 'role "reader" does not exist' in attempt(tmp_path, other)
    sql(postgresql, "CREATE ROLE reader LOGIN")
    sql(
        postgresql, "CREATE TABLE gapless_claims (ns text, id text, owner text, state int, at int8)"
    )
    try:
        assert "permission denied" in attempt(tmp_path, other)
        sql(postgresql, "ALTER DATABASE postgres SET default_transaction_read_only = on")
        assert "read-only transaction" in attempt(tmp_path, postgresql.url)
    finally:
        sql(postgresql, "ALTER DATABASE postgres RESET default_transaction_read_only")
        sql(postgresql, "DROP TABLE gapless_claims")
        sql(postgresql, "DROP ROLE reader")
    assert attempt(tmp_path, postgresql.url.replace("/postgres", "/none")).endswith("not exist")


@contextmanager
def answering(said: bytes) -> Iterator[int]:
    """A server that says this to whatever it is told first."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        line, _ = listening.accept()
        with line:
            line.recv(1000)
            line.sendall(said)
            if said:
                line.recv(1000)

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()
        serving.join(10)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"R" + struct.pack("!II", 8, 10), ""),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it is no PostgreSQL"),
        (b"", "it closed the connection"),
    ],
    ids=["asks for a password", "something else", "hangs up"],
)
def test_what_else_may_answer_in_the_place_of_postgresql(
    tmp_path: Path, said: bytes, told: str
) -> None:
    with answering(said) as port:
        lock = f"postgresql://bot@127.0.0.1:{port}/db?sslmode=disable"
        found = attempt(tmp_path, lock)
    assert found.startswith(told) and bool(found) is bool(told)


def test_a_postgresql_that_is_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "refused" in attempt(tmp_path, f"postgresql://bot@127.0.0.1:{port}/db")
    assert "No such file" in attempt(tmp_path, f"postgresql:///db?host={tmp_path}")


def test_redis_is_left_as_it_was(tmp_path: Path) -> None:
    redis = pytest.importorskip("redis")
    with redis_server() as server:
        assert attempt(tmp_path, server.url) == ""
        client = redis.Redis(unix_socket_path=str(server.socket))
        assert [key for key in client.scan_iter() if client.pttl(key) > 100] == []
        client.close()


def test_sqlite_is_left_as_it_was(tmp_path: Path) -> None:
    lock = f"sqlite://{tmp_path}/claims.db"
    assert attempt(tmp_path, lock) == ""
    assert not (tmp_path / "claims.db").exists()
    with sqlite3.connect(tmp_path / "claims.db") as database:
        database.execute("CREATE TABLE claims (ns, id, owner, state, at)")
    assert attempt(tmp_path, lock) == ""
    assert database.execute("SELECT count(*) FROM claims").fetchone() == (0,)
    database.execute("DROP TABLE claims")
    database.execute("CREATE TABLE claims (x)")
    database.close()
    assert "claims has 1 columns" in attempt(tmp_path, lock)


def test_folders_are_left_as_they_were(tmp_path: Path) -> None:
    claims = tmp_path / "claims"
    assert attempt(tmp_path, f"dir://{claims}", namespace="bot") == ""
    assert not claims.exists()
    (claims / "bot").mkdir(parents=True)
    assert attempt(tmp_path, f"dir://{claims}/", namespace="bot") == ""
    assert list(tmp_path.rglob("*")) == [claims, claims / "bot"]
    (claims / "other").touch()
    assert attempt(tmp_path, f"dir://{claims}", namespace="other").endswith("is no folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it is about another account")
def test_a_namespace_that_another_account_made(tmp_path: Path) -> None:
    """The folder above is for both."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o111)
    tmp_path.chmod(0o777)
    claims = tmp_path / "claims"
    (claims / "bot").mkdir(parents=True)
    claims.chmod(0o777)
    lock = f"dir://{claims}"
    assert "Permission denied" in attempt(tmp_path, lock, str(NOBODY), "bot")
    assert attempt(tmp_path, lock, str(NOBODY), "another") == ""


def test_nothing_hangs_that_does_not_answer(tmp_path: Path) -> None:
    async def play() -> str:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(attempt, tmp_path, f"redis://127.0.0.1:{port}/0")

    assert "timed out" in asyncio.run(play())
