"""A small blocking web server that behaves, or misbehaves, as it is told.

``python -I -S serve.py [FLAG ...]``: the standard library alone, up in some 15 ms. It answers one
request at a time, so that whatever waits, waits in the kernel; connections are kept alive.

Where its sockets come from:
  (nothing)             LISTEN_FDS, all of them, one called ``probe`` like the others
  --from server-starter SERVER_STARTER_PORT
  --from einhorn        EINHORN_FD_0 and so on
  --bind HOST:PORT      binds itself; with --reuseport next to others
  --unix PATH           binds itself, in place of what was there

What it does:
  --work MS             per request
  --notify              READY=1 to $NOTIFY_SOCKET once it can serve
  --linger S            what open connections still have to ask after TERM (1)
  --times FILE          appends "ready|term|end PID SECONDS" (monotonic)
  --ready-file FILE     is made once it can serve
  --child group|session starts a process of its own that sleeps, in its group or in a new session
  --health STATUS       what /health says (200)
  --release FILE        VERSION=... and BEHAVIOUR=... are read from it, over the environment

GET / "PID GENERATION VERSION", /health "ok", /child the pid of its process, /slow?MS after that
long, /drop closes without a word. A datagram socket sends back what / answers.

On TERM it closes its listeners, answers what open connections ask within --linger with
``Connection: close``, and ends with 0.

--behaviour, or BEHAVIOUR in the environment: KIND[:SECONDS], several with commas.
  import-error     a traceback, exit 1
  exit-zero        ends at once
  crash-in-settle  exit 1 after SECONDS (0.5)            } with no request in its hands: such a
  oom              SIGKILL after SECONDS (0: not ready)  } one would be lost whoever supervises
  hang             never does anything
  never-ready      503 on /health and no READY=1; serves otherwise
  wrong-port       serves a port of its own and believes itself ready
  check-hangs      /health is never answered and no READY=1; serves otherwise
  ignores-term     goes on as if TERM had not come
  stuck-at-stop    on TERM all as it should be, but it does not end
  forks-away       becomes a daemon that serves after SECONDS (1); the parent ends with 0
  slow-start       serves after SECONDS (1)
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable

BIRTH = time.monotonic()
ANSWER_WITHIN = 5.0
"""How long a client may take to receive."""

Flags = dict[str, str]
SWITCHES = ("--notify", "--reuseport")
DEFAULTS = {
    "--from": "systemd",
    "--bind": "",
    "--unix": "",
    "--work": "0",
    "--linger": "1",
    "--times": "",
    "--ready-file": "",
    "--child": "",
    "--health": "200",
    "--release": "",
    "--behaviour": "",
}
KINDS = (
    "import-error", "exit-zero", "crash-in-settle", "oom", "hang", "never-ready", "wrong-port",
    "check-hangs", "ignores-term", "stuck-at-stop", "forks-away", "slow-start",
)  # fmt: skip
SECONDS = {"crash-in-settle": 0.5, "oom": 0.0, "forks-away": 1.0, "slow-start": 1.0}


def main(argv: list[str]) -> int:
    """The exit code."""
    flags = parse(argv)
    if flags["--release"]:
        read_release(flags["--release"])
    behaviour = behaviours(flags["--behaviour"] or os.environ.get("BEHAVIOUR", ""))
    before_serving(behaviour)
    child = start_child(flags["--child"]) if flags["--child"] else 0
    listeners = own_port() if "wrong-port" in behaviour else sockets(flags)
    server = Server(listeners, flags, behaviour, child)
    server.hook_signals()
    note(flags, "ready")
    if flags["--ready-file"]:
        os.close(os.open(flags["--ready-file"], os.O_WRONLY | os.O_CREAT, 0o600))
    if "--notify" in flags and not {"never-ready", "check-hangs"} & behaviour.keys():
        notify("READY=1")
    server.run()
    note(flags, "end")
    return 0


def parse(argv: list[str]) -> Flags:
    """Without argparse: importing it takes longer than all the rest."""
    flags = dict(DEFAULTS)
    words = iter(argv)
    for word in words:
        if word in SWITCHES:
            flags[word] = "yes"
        elif word in DEFAULTS:
            flags[word] = next(words)
        else:
            raise SystemExit(f"unknown flag {word}\n{__doc__}")
    return flags


def read_release(path: str) -> None:
    with open(path) as file:
        lines = file.read().splitlines()
    for name, given, value in (line.partition("=") for line in lines):
        if given:
            os.environ[name] = value


def behaviours(text: str) -> dict[str, float]:
    """By kind, with its seconds."""
    found = {}
    for one in text.split(",") if text else ():
        kind, _, seconds = one.strip().partition(":")
        if kind not in KINDS:
            raise SystemExit(f"no behaviour {kind}")
        found[kind] = float(seconds) if seconds else SECONDS.get(kind, 0.0)
    return found


def before_serving(behaviour: dict[str, float]) -> None:
    """What goes wrong before there is anything to ask."""
    if "import-error" in behaviour:
        __import__("a_module_that_this_release_forgot")
    if "exit-zero" in behaviour:
        raise SystemExit(0)
    if behaviour.get("oom") == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    while "hang" in behaviour:
        time.sleep(3600)
    if "forks-away" in behaviour:
        fork_away()
        time.sleep(behaviour["forks-away"])
    time.sleep(behaviour.get("slow-start", 0.0))


def fork_away() -> None:
    """As daemons do: twice, with a session of its own between."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    if "LISTEN_PID" in os.environ:
        os.environ["LISTEN_PID"] = str(os.getpid())


def start_child(where: str) -> int:
    """The pid of a process that sleeps and holds nothing of ours but its output."""
    child = os.fork()
    if child:
        return child
    if where == "session":
        os.setsid()
    os.closerange(3, 256)
    while True:
        signal.pause()


# Sockets


def sockets(flags: Flags) -> list[socket.socket]:
    """What it serves."""
    if flags["--bind"]:
        return [bind_port(flags["--bind"], "--reuseport" in flags)]
    if flags["--unix"]:
        return [bind_path(flags["--unix"])]
    givers: dict[str, Callable[[], list[int]]] = {
        "systemd": from_systemd, "server-starter": from_server_starter, "einhorn": from_einhorn,
    }  # fmt: skip
    numbers = givers[flags["--from"]]()
    if not numbers:
        raise SystemExit("no listening socket was handed over")
    return [socket.socket(fileno=number) for number in numbers]


def from_systemd() -> list[int]:
    """As sd_listen_fds reads it."""
    if os.environ.get("LISTEN_PID", str(os.getpid())) != str(os.getpid()):
        return []
    return list(range(3, 3 + int(os.environ.get("LISTEN_FDS", "0"))))


def from_server_starter() -> list[int]:
    given = os.environ.get("SERVER_STARTER_PORT", "")
    return [int(pair.rpartition("=")[2]) for pair in given.split(";") if pair]


def from_einhorn() -> list[int]:
    count = int(os.environ.get("EINHORN_FD_COUNT", "0"))
    return [int(os.environ[f"EINHORN_FD_{number}"]) for number in range(count)]


def own_port() -> list[socket.socket]:
    return [bind_port("127.0.0.1:0", False)]


def bind_port(address: str, shared: bool) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host.strip("[]"), int(port)))
    listener.listen(4096)
    return listener


def bind_path(path: str) -> socket.socket:
    """By a rename, so that the path is never missing."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = f"{path}.{os.getpid()}"
    listener.bind(fresh)
    listener.listen(4096)
    os.rename(fresh, path)
    return listener


# Words to others


def notify(text: str) -> None:
    """To the supervisor, when there is one that asked for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect("\0" + address[1:] if address.startswith("@") else address)
        to.send(text.encode())


def note(flags: Flags, what: str) -> None:
    """A line of ``--times``; one write, so that two copies do not mix theirs."""
    if not flags["--times"]:
        return
    file = os.open(flags["--times"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{what} {os.getpid()} {time.monotonic():.6f}\n".encode())
    os.close(file)


# Serving


class Connection:
    """One client: what it has sent, and whether it ever got an answer."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.heard = b""
        self.waits = True
        self.left_hanging = False


class Server:
    """One thread, one request at a time, over all listeners and connections."""

    def __init__(
        self,
        listeners: list[socket.socket],
        flags: Flags,
        behaviour: dict[str, float],
        child: int,
    ) -> None:
        self.flags, self.behaviour, self.child = flags, behaviour, child
        self.work = float(flags["--work"]) / 1000
        self.told = False
        self.until = 0.0
        self.poll = select.poll()
        self.wake, self.woken = os.pipe()
        os.set_blocking(self.woken, False)
        self.poll.register(self.wake, select.POLLIN)
        self.listeners = {listener.fileno(): listener for listener in listeners}
        self.connections: dict[int, Connection] = {}
        for number, listener in self.listeners.items():
            listener.setblocking(False)  # another copy may have taken what we were woken for
            self.poll.register(number, select.POLLIN)
        self.crash_at = self._crash_at()

    def hook_signals(self) -> None:
        signal.set_wakeup_fd(self.woken)
        ignored = "ignores-term" in self.behaviour
        signal.signal(signal.SIGTERM, signal.SIG_IGN if ignored else self._told)

    def run(self) -> None:
        """Until TERM, and all that follows from it."""
        while self.listeners or self.connections or "stuck-at-stop" in self.behaviour:
            for number, _ in self.poll.poll(self._wait()):
                self._turn_to(number)
            if self.told:
                self._stop_accepting()
            if self.until and time.monotonic() >= self.until:
                self._hang_up()
            if self.crash_at and time.monotonic() >= self.crash_at:
                self._crash()

    def _told(self, *_: object) -> None:
        note(self.flags, "term")
        self.told = True

    def _turn_to(self, number: int) -> None:
        if number == self.wake:
            os.read(self.wake, 64)
        elif number in self.connections:
            self._hear(self.connections[number])
        elif number in self.listeners and not self.told:
            self._take_from(self.listeners[number])

    def _take_from(self, listener: socket.socket) -> None:
        try:
            if listener.type == socket.SOCK_DGRAM:
                asker = listener.recvfrom(65536)[1]
                listener.sendto(self._words(), asker)
                return
            link, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        link.settimeout(ANSWER_WITHIN)
        self.connections[link.fileno()] = Connection(link)
        self.poll.register(link.fileno(), select.POLLIN)

    def _hear(self, connection: Connection) -> None:
        try:
            heard = connection.link.recv(65536)
        except OSError:
            heard = b""
        if not heard:
            self._close(connection)
            return
        connection.heard += heard
        connection.waits = True
        while b"\r\n\r\n" in connection.heard:
            request, connection.heard = connection.heard.split(b"\r\n\r\n", 1)
            if not self._answer(connection, request):
                return

    def _answer(self, connection: Connection, request: bytes) -> bool:
        """Whether the connection stays open for more."""
        path, _, query = request.split(b" ", 2)[1].decode().partition("?")
        if path == "/drop":
            self._close(connection)
            return False
        if path == "/health" and "check-hangs" in self.behaviour:
            connection.left_hanging = True
            return True
        time.sleep(float(query) / 1000 if path == "/slow" else self.work)
        status, body = self._reply(path)
        last = self.told or b"connection: close" in request.lower()
        try:
            connection.link.sendall(message(status, body, last))
        except OSError:
            last = True
        connection.waits = bool(connection.heard)
        if last:
            self._close(connection)
        return not last

    def _reply(self, path: str) -> tuple[int, bytes]:
        if path == "/health":
            status = 503 if "never-ready" in self.behaviour else int(self.flags["--health"])
            return status, b"ok\n" if status == 200 else b"not now\n"
        if path == "/child":
            return 200, b"%d\n" % self.child
        return 200, self._words()

    def _words(self) -> bytes:
        known = os.environ
        starter = known.get("SERVER_STARTER_GENERATION", "0")
        generation = known.get("GAPLESS_GENERATION", starter)
        return f"{os.getpid()} {generation} {known.get('VERSION', '-')}\n".encode()

    def _close(self, connection: Connection) -> None:
        number = connection.link.fileno()
        self.poll.unregister(number)
        del self.connections[number]
        connection.link.close()

    def _stop_accepting(self) -> None:
        """Ours are closed; the sockets themselves live on in whoever handed them over."""
        self.until = self.until or time.monotonic() + float(self.flags["--linger"])
        for number, listener in list(self.listeners.items()):
            self.poll.unregister(number)
            listener.close()
        self.listeners.clear()

    def _hang_up(self) -> None:
        for connection in list(self.connections.values()):
            self._close(connection)

    def _crash_at(self) -> float:
        kinds = [kind for kind in ("crash-in-settle", "oom") if kind in self.behaviour]
        return BIRTH + self.behaviour[kinds[0]] if kinds else 0.0

    def _crash(self) -> None:
        if any(one.waits and not one.left_hanging for one in self.connections.values()):
            return
        if "oom" in self.behaviour:
            os.kill(os.getpid(), signal.SIGKILL)
        print("the release found out that it cannot work", file=sys.stderr, flush=True)
        os._exit(1)

    def _wait(self) -> float | None:
        """Milliseconds until something is due."""
        due = [self.crash_at, self.until if self.connections else 0.0]
        first = min((moment for moment in due if moment), default=0.0)
        return max(1.0, (first - time.monotonic()) * 1000) if first else None


def message(status: int, body: bytes, last: bool) -> bytes:
    head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'No'}\r\nContent-Length: {len(body)}\r\n"
    end = "Connection: close\r\n\r\n" if last else "\r\n"
    return (head + end).encode() + body


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
