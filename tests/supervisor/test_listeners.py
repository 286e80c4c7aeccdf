"""Sockets: whose they are, and what becomes of them when a configuration changes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor import sockets
from gapless.supervisor.spec import Listen, Proxy, Ready, Stop
from tests.ports import free_port
from tests.supervisor.configured import compiler, configure, configured
from tests.supervisor.installed import born, installed, renewed
from tests.supervisor.rig import Rig, until

Web = Callable[..., Rig]

SOON = 6.0


GIVES_TWO = """\
import os, socket, sys
for n, port in enumerate(sys.argv[1:3]):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", int(port)))
    one.listen(64)
    os.dup2(one.fileno(), 50 + n)
for n in (0, 1): os.dup2(50 + n, 3 + n); os.close(50 + n)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="http:more")
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_sockets_that_were_given_are_not_looked_for_again(web: Web, tmp_path: Path) -> None:
    """After our process replaced itself the variables still stand there; the numbers have gone to
    something else."""
    ports = free_port(), free_port()
    listen = tuple(
        Listen(name, f"tcp://127.0.0.1:{port}")
        for name, port in zip(("http", "more"), ports, strict=True)
    )
    rig = configured(web, tmp_path, listen=listen)
    folder = installed(rig, tmp_path)
    wrapper = (sys.executable, "-c", GIVES_TWO, *map(str, ports))
    configure(rig)
    rig.start(wrapper=wrapper, environment=compiler(tmp_path))
    for number in range(1, 4):
        assert rig.flip()["ok"]
        until(lambda: not rig.serves()["draining"])
        renewed(folder, number)
        assert rig.flip()["ok"]
        assert born(rig)
        until(lambda: not rig.serves()["draining"])
    moved = (Listen("http", f"tcp://127.0.0.1:{free_port()}"), listen[1])
    spec = configure(rig, listen=moved)
    assert rig.flip()["ok"]
    rig.front = spec.listen[0].address.removeprefix("tcp://")
    assert rig.version() == "1"


def test_a_file_in_the_way_of_a_socket_is_not_removed(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("data")
    rig = web(listen=(Listen("http", f"unix://{file}"),)).start(ready=False)
    with contextlib.suppress(subprocess.TimeoutExpired):
        rig.ended(3.0)
    assert file.is_file()
    assert file.read_text() == "data"


GIVES_PATH = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="http")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_the_path_of_a_socket_that_was_given_stays(web: Web, tmp_path: Path) -> None:
    """It belongs to whoever gave it, who listens on."""
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(path))
        given.listen(64)
        rig = web(listen=(Listen("http", f"unix://{path}"),))
        wrapper = (sys.executable, "-c", GIVES_PATH, str(given.fileno()))
        rig.start(wrapper=wrapper, pass_fds=(given.fileno(),))
        rig.signal(signal.SIGTERM)
        assert rig.ended() == 0
        assert path.exists()


def test_what_was_given_survives_an_address_that_cannot_be_had() -> None:
    """Nothing has changed, so that the next flip finds it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as given,
        socket.create_server(("127.0.0.1", 0)) as others,
    ):
        names = {"one": os.dup(given.fileno())}
        kept = dict(names)
        wanted = [
            Listen("one", f"tcp://127.0.0.1:{given.getsockname()[1]}"),
            Listen("two", f"tcp://127.0.0.1:{others.getsockname()[1]}"),
        ]
        with pytest.raises(OSError, match="in use"):
            sockets.Listeners().open(wanted, names)
        assert names == kept
        os.close(os.dup(kept["one"]))
        os.close(kept["one"])


def test_a_failed_flip_listens_nowhere_else(web: Web, tmp_path: Path) -> None:
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    port = free_port()
    configure(rig, listen=(Listen("http", f"tcp://127.0.0.1:{port}"),))
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()


def test_listeners_that_are_dropped_are_not_kept_by_the_service_manager(
    web: Web, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(SOON)
        rig = configured(web, tmp_path)
        environment = {**compiler(tmp_path), "NOTIFY_SOCKET": str(tmp_path / "notify")}
        rig.start(environment=environment)
        configure(rig, listen=(Listen("other", f"tcp://127.0.0.1:{free_port()}"),))
        assert rig.flip()["ok"]
        heard = ""
        with contextlib.suppress(TimeoutError):
            manager.settimeout(1.0)
            while True:
                heard += manager.recv(4096).decode() + "\n"
        kept = re.findall(r"FDSTORE=1\nFDNAME=(.*)", heard)
        assert len(kept) == 2, heard
        assert re.findall(r"FDSTOREREMOVE=1\nFDNAME=(.*)", heard) == kept[:1]


PROXIED = {"listen": (), "ready": Ready("notify")}


def test_back_to_a_proxy_that_still_has_a_connection(web: Web, tmp_path: Path) -> None:
    """Its address is left, and taken again while somebody still talks over it."""
    one, two = (f"tcp://127.0.0.1:{free_port()}" for _ in "12")
    a, b = free_port(), free_port()
    to = f"127.0.0.1:{{slot:{a}|{b}}}"
    flags = ("--bind", to, "--linger", "60")
    rig = configured(
        web, tmp_path, *flags, **PROXIED, proxy=(Proxy(one, to),), stop=Stop(timeout=4.0),
    )  # fmt: skip
    rig.front = one.removeprefix("tcp://")
    rig.start(environment=compiler(tmp_path))
    host, _, port = rig.front.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as held:
        held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.recv(4096)
        configure(rig, proxy=(Proxy(two, to),))
        assert rig.flip()["ok"]
        configure(rig, proxy=(Proxy(one, to),))
        assert rig.ask("rollback").reply()["ok"]
        assert rig.get().split()[1] == "3"


def on_a_path(web: Web, tmp_path: Path) -> tuple[Rig, Path]:
    path = tmp_path / "http.sock"
    address = f"tcp://127.0.0.1:{free_port()}"
    listen = (Listen("http", f"unix://{path}"), Listen("tcp", address))
    rig = configured(web, tmp_path, listen=listen)
    rig.front = address.removeprefix("tcp://")
    configure(rig)
    return rig.start(environment=compiler(tmp_path)), path


def asked(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as to:
        to.settimeout(SOON)
        to.connect(str(path))
        to.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return to.recv(4096)


def test_a_path_that_was_removed_is_opened_anew(web: Web, tmp_path: Path) -> None:
    rig, path = on_a_path(web, tmp_path)
    path.unlink()
    reply = rig.flip()
    assert reply["ok"]
    assert b" 2 1" in asked(path)
    opened = f"unix://{path} had been removed, nobody could connect: opened anew"
    assert reply["warnings"] == [opened]
    until(lambda: opened in rig.output())
    assert rig.flip()["warnings"] == []
    assert b" 3 1" in asked(path)
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    assert not path.exists()


def test_a_failed_flip_opens_no_path_anew(web: Web, tmp_path: Path) -> None:
    """Nobody would answer there: the copy that serves has the other socket."""
    rig, path = on_a_path(web, tmp_path)
    path.unlink()
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    assert not path.exists()
    assert rig.version() == "1"
    rig.publish("3")
    assert rig.flip()["ok"]
    assert b" 3 3" in asked(path)


def test_a_proxy_whose_path_was_removed_is_reached_again(web: Web, tmp_path: Path) -> None:
    path, to = tmp_path / "front.sock", f"unix:{tmp_path}/{{slot}}.sock"
    flags = ("--unix", to.removeprefix("unix:"))
    rig = web(*flags, listen=(), proxy=(Proxy(f"unix://{path}", to),)).start()
    path.unlink()
    assert rig.flip()["ok"]
    assert b" 2 1" in asked(path)


@pytest.mark.parametrize("lives", [True, False])
def test_a_path_that_leads_elsewhere(web: Web, tmp_path: Path, *, lives: bool) -> None:
    """Another's socket is left alone and told of; what nobody listens on is in the way."""
    rig, path = on_a_path(web, tmp_path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        if lives:
            other.listen()
        else:
            other.close()
        reply = rig.flip()
    assert reply["ok"]
    (warning,) = reply["warnings"]
    assert ("socket of another process" if lives else "opened anew") in warning


def test_an_address_that_is_closed_is_told(web: Web, tmp_path: Path) -> None:
    rig, path = on_a_path(web, tmp_path)
    configure(rig, listen=rig.spec.listen[1:])
    closed = f"unix://{path} is closed: the settings do not name it any more"
    assert rig.flip()["warnings"] == [closed]
    assert rig.serves()["last"]["warnings"] == [closed]
