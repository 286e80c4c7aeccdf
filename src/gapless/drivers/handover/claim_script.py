"""What is run on a host before its copies hand over, sent over stdin: whether accounts can claim.

Needs Python 3.8 and its standard library there, and nothing of gapless.

    try FOLDER LOCK NAMESPACE ACCOUNT...   what each account could not do, "" where it could, as
                                           JSON

Each account writes a file in the folder, and takes a claim that nobody else wants and gives it
back, as the copies do it. A password is the program's affair: a server that asks for one has
answered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import socket
import struct
import sys
import tempfile
import time
from urllib.parse import parse_qs, unquote, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK = 3.0
"""Seconds a server may take for an answer."""
BUSY = 8.0
"""Seconds for one claim: a copy that claims all the time leaves gaps, on a busy host short ones."""


class Refused(Exception):
    """Why it was not done."""


def attempt(folder: str, lock: str, namespace: str, accounts: list[str]) -> dict[str, str]:
    """By account."""
    if lock.startswith("sqlite"):
        import sqlite3  # noqa: F401 - before: an account may not be let into where Python lies
    if lock.startswith(("postgres", "rediss")):
        import ssl  # noqa: F401 - the same

    def work() -> None:
        fill(folder)
        claim(folder, lock, namespace)

    return {account: as_account(account, work) for account in accounts}


def as_account(account: str, work: Callable[[], None]) -> str:
    """Its complaint, from a process that is that account."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told = ""
        try:
            become(account)
            work()
        except Exception as error:  # it is told in the words of whatever it was
            told = str(error) or type(error).__name__
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        told = file.read().decode()
    status = os.waitpid(child, 0)[1]
    return told or (f"ended with {status}" if status else "")


def become(account: str) -> None:
    """By name or number; "" stays who we are."""
    if not account:
        return
    try:
        known = pwd.getpwuid(int(account)) if account.isdigit() else pwd.getpwnam(account)
        uid, gid = known.pw_uid, known.pw_gid
    except KeyError:
        if not account.isdigit():
            raise Refused("there is no account " + account) from None
        uid = gid = int(account)
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def claim(folder: str, lock: str, namespace: str) -> None:
    """In a store of any kind."""
    scheme, path = lock.partition(":")[0], unquote(urlsplit(lock).path)
    if scheme == "sqlite":
        in_sqlite(path or os.path.join(folder, "claims.db"), namespace)
    elif scheme == "dir":
        in_folder(path.rstrip("/"), namespace)
    elif scheme.startswith("redis"):
        in_redis(lock, namespace)
    elif scheme.startswith("postgres"):
        in_postgresql(lock, namespace)


def fill(folder: str) -> str:
    """There is room for a little more, and the right to have it; the file is gone again."""
    fd, path = tempfile.mkstemp(prefix=".gapless-", dir=folder)
    try:
        os.write(fd, b"x" * 65536)
    finally:
        os.close(fd)
        os.unlink(path)
    return path


def in_sqlite(path: str, namespace: str) -> None:
    """A file that is not there yet is made by the first copy."""
    fill(os.path.dirname(path))
    if not os.path.exists(path):
        return
    import sqlite3  # a host may have none

    database = None
    try:
        database = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Refused(f"{path}: {found}")
        database.execute("BEGIN IMMEDIATE")
        database.execute(TABLE.format("claims", "TEXT", "INTEGER", "INTEGER"))
        database.execute("INSERT INTO claims VALUES (?, ?, 'gapless', 1, ?)", row(namespace))
        database.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise Refused(f"{path}: {error}") from None
    finally:
        if database is not None:
            database.close()


TABLE = (
    "CREATE TABLE IF NOT EXISTS {0} (ns {1} NOT NULL, id {1} NOT NULL, owner {1} NOT NULL,"
    " state {2} NOT NULL, at {3} NOT NULL, PRIMARY KEY (ns, id))"
)


def row(namespace: str) -> tuple[str, str, int]:
    """Namespace, an id that no event has, and milliseconds since 1970."""
    return namespace, "gapless tries " + os.urandom(8).hex(), int(time.time() * 1000)


def in_folder(path: str, namespace: str) -> None:
    """Where the claim would lie, or in the nearest folder that is there: the first copy makes the
    rest. It gets its name by a second link."""
    _, name, _ = row(namespace)
    below = hashlib.sha256(name.encode()).hexdigest()[-2:]
    place = os.path.join(path, encoded(namespace), below)
    while not os.path.isdir(place):
        if os.path.lexists(place):
            raise Refused(place + " is no folder")
        place = os.path.dirname(place)
    fd, fresh = tempfile.mkstemp(prefix=".gapless-", dir=place)
    os.close(fd)
    try:
        os.link(fresh, fresh + ".tried")
        os.unlink(fresh + ".tried")
    finally:
        os.unlink(fresh)
    fill(place)


def encoded(text: str) -> str:
    """As folders are called after a namespace."""
    plain = b"-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in text.encode())


def in_redis(lock: str, namespace: str) -> None:
    """A key that is over at once."""
    parts = urlsplit(lock)
    unix = parts.scheme == "redis+unix"
    place = unquote(parts.path) if unix else (parts.hostname or "127.0.0.1", parts.port or 6379)
    with connected(place) as plain:
        line = encrypted(plain, parts.hostname) if parts.scheme == "rediss" else plain
        key = "gapless:{}:{}".format(*row(namespace)).encode()
        words = (b"SET", key, b"1", b"NX", b"PX", b"1")
        sent = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        line.sendall(b"*%d\r\n" % len(words) + sent)
        told = line.recv(200).decode(errors="replace").strip()
    if told != "+OK" and not told.startswith("-NOAUTH"):
        raise Refused(told.lstrip("-") or "it closed the connection")


@contextlib.contextmanager
def connected(place: str | tuple[str, int]) -> Iterator[socket.socket]:
    """To a path or an address."""
    if isinstance(place, tuple):
        line = socket.create_connection(place, LOOK)
    else:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(LOOK)
        line.connect(place)
    with line:
        yield line


def encrypted(line: socket.socket, name: str | None) -> socket.socket:
    """Nothing that is secret goes over it, so whose it is is left to the program."""
    import ssl  # a look has no use for it

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(line, server_hostname=name)


def in_postgresql(lock: str, namespace: str) -> None:
    """A row in a transaction that is taken back; a table that is not there comes and goes with
    it."""
    parts = urlsplit(lock)
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    user = unquote(parts.username or "") or asked.get("user") or pwd.getpwuid(os.getuid()).pw_name
    host = unquote(parts.hostname or "") or asked.get("host") or "/var/run/postgresql"
    port = int(parts.port or asked.get("port") or 5432)
    base = unquote(parts.path.strip("/")) or asked.get("dbname") or user
    path = f"{host}/.s.PGSQL.{port}"
    with connected(path if host.startswith("/") else (host, port)) as plain:
        server = Postgresql(plain)
        if not host.startswith("/") and asked.get("sslmode") != "disable":
            server.encrypt(host)
        if server.begin(user, base):
            name, event, now = row(namespace.replace("'", "''").replace("\\", "\\\\"))
            table = TABLE.format("gapless_claims", "text", "integer", "bigint")
            given = f"(E'{name}', '{event}', 'gapless', 1, {now})"
            insert = f"INSERT INTO gapless_claims VALUES {given}"  # noqa: S608 - quoted above
            server.query(f"BEGIN; {table}; {insert}; ROLLBACK")


class Postgresql:
    """As much of its protocol (3.0) as one transaction takes."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def encrypt(self, name: str) -> None:
        """Where the server can."""
        self._line.sendall(struct.pack("!II", 8, 80877103))
        if self._line.recv(1) == b"S":
            self._line = encrypted(self._line, name)

    def begin(self, user: str, base: str) -> bool:
        """Whether it lets us in; it may ask for a password."""
        limits = "-c lock_timeout=2000 -c statement_timeout=2000"
        said = ("user", user, "database", base, "options", limits, "")
        words = b"".join(word.encode() + b"\0" for word in said)
        self._line.sendall(struct.pack("!II", len(words) + 8, 196608) + words)
        kind, body = self._answer(b"R")
        if struct.unpack("!I", body[:4])[0] != 0:
            return False
        while kind != b"Z":
            kind, _ = self._answer()
        return True

    def query(self, text: str) -> None:
        """To its end."""
        sent = text.encode() + b"\0"
        self._line.sendall(b"Q" + struct.pack("!I", len(sent) + 4) + sent)
        kind = b""
        while kind != b"Z":
            kind, _ = self._answer()

    def _answer(self, wanted: bytes = b"") -> tuple[bytes, bytes]:
        kind = self._exactly(1)
        if wanted and kind not in (wanted, b"E"):
            raise Refused("it is no PostgreSQL")
        body = self._exactly(struct.unpack("!I", self._exactly(4))[0] - 4)
        if kind == b"E":
            fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
            raise Refused(fields.get(b"M", b"refused").decode(errors="replace"))
        return kind, body

    def _exactly(self, count: int) -> bytes:
        came = b""
        while len(came) < count:
            more = self._line.recv(count - len(came))
            if not more:
                raise Refused("it closed the connection")
            came += more
        return came


if __name__ == "__main__":
    shared, store, name = sys.argv[2:5]
    print(json.dumps(attempt(shared, store, name, sys.argv[5:])))
