"""When a new copy counts as ready: only by what the new copy itself says or answers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor.spec import Proxy, Ready, Stop
from tests.ports import free_port
from tests.supervisor.load import loading
from tests.supervisor.rig import Rig, serve, until

Web = Callable[..., Rig]
READY = {
    "alive": Ready("alive", after=0.3),
    "notify": Ready("notify"),
    "http on the private socket": Ready("http", target="probe:/health", interval=0.02),
    "command": Ready("command", command=("/bin/sh", "-c", 'test -e "$READY_FILE"'), interval=0.05),
}


def rig_of(web: Web, tmp_path: Path, ready: Ready, **changes: object) -> Rig:
    """Copies make a file of their own once they can serve, too."""
    file = f"{tmp_path}/ready-{{slot}}"
    changes = {"environment": {"READY_FILE": file}, "probe": "tcp", **changes}
    return web("--ready-file", file, ready=ready, **changes)


@pytest.mark.parametrize("how", READY)
def test_a_copy_is_ready_by(web: Web, tmp_path: Path, how: str) -> None:
    rig = rig_of(web, tmp_path, READY[how]).start()
    (tmp_path / "ready-b").unlink(missing_ok=True)
    rig.publish("2", "slow-start:0.3")
    reply = rig.flip()
    assert reply["ok"], reply
    assert rig.version() == "2"
    assert reply["seconds"]["ready"] >= 0.3


@pytest.mark.parametrize("how", ["http on the private socket", "command"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_check_is_never_answered_by_the_old_copy(
    web: Web, tmp_path: Path, how: str, kind: str
) -> None:
    """psflip's false readiness: the new copy takes long, the old one answers well all the time."""
    rig = rig_of(web, tmp_path, READY[how], probe=kind, settle=0.0).start()
    rig.publish("2", "slow-start:1")
    with loading(rig.address, rate=100) as load:
        assert rig.flip()["seconds"]["ready"] > 0.9
        assert load.end().failures == 0


def test_a_new_copy_whose_health_is_bad_is_not_ready(web: Web, tmp_path: Path) -> None:
    ready = READY["http on the private socket"]
    rig = rig_of(web, tmp_path, ready, start_timeout=1.0).start()
    rig.publish("2", "never-ready")
    reply = rig.flip()
    assert (reply["code"], reply["what"]) == (4, "not ready after 1 s")
    assert "503" in reply["evidence"]
    assert "wanted 200" in reply["evidence"]
    rig.publish("3", "check-hangs")
    reply = rig.flip()
    assert reply["code"] == 4
    assert "no answer within" in reply["evidence"]
    assert rig.version() == "1"


def test_a_check_that_hangs_leaves_nothing_behind(web: Web, tmp_path: Path) -> None:
    hangs = ("/bin/sh", "-c", 'test "$GAPLESS_GENERATION" = 1 || (sleep 1000; true); exit 0')
    ready = Ready("command", command=hangs, timeout=0.3, interval=0.05)
    rig = rig_of(web, tmp_path, ready, start_timeout=1.0).start()
    reply = rig.flip()
    assert reply["code"] == 4
    assert "did not end within 0.3 s" in reply["evidence"]
    until(lambda: len(rig.everybody()) == 3, "supervisor, guard, the old copy")


def test_a_failed_check_while_it_settles(web: Web, tmp_path: Path) -> None:
    mark = tmp_path / "broken"
    ready = Ready("command", command=("/usr/bin/test", "!", "-e", str(mark)), interval=0.05)
    rig = rig_of(web, tmp_path, ready, settle=5.0).start(ready=False)
    until(rig.active)
    asked = rig.ask("flip")
    until(lambda: rig.status()["state"] == "settling")  # type: ignore[index]
    mark.touch()
    reply = asked.reply()
    assert (reply["code"], reply["what"]) == (4, "a check failed while it settled")


def test_the_word_of_a_stranger_is_not_heard(web: Web, tmp_path: Path) -> None:
    """Its name is random; somebody who knows it all the same is told from the copy."""
    rig = web(start_timeout=1.5).start()
    rig.publish("2", "never-ready")
    asked = rig.ask("flip")
    new = until(lambda: (s := rig.status()) and s["new"] and s["new"]["pid"])
    environment = Path(f"/proc/{new}/environ").read_bytes().split(b"\0")
    name = next(v for v in environment if v.startswith(b"NOTIFY_SOCKET=")).split(b"=@")[1]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"READY=1", b"\0" + name)
        assert asked.reply()["code"] == 4


def test_a_child_of_the_copy_may_say_it(web: Web, tmp_path: Path) -> None:
    script = tmp_path / "app"
    says = (
        "import os, socket; name = os.environ['NOTIFY_SOCKET'];"
        "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', chr(0) + name[1:])"
    )
    script.write_text(f'#!/bin/sh\n{serve()[0]} -c "{says}"\nexec sleep 1000\n')
    script.chmod(0o755)
    rig = web(command=(str(script),), listen=())
    rig.start()


def test_proxied_programs_flip_without_a_loss(web: Web, tmp_path: Path) -> None:
    """They bind a port of their own; kept connections end before the old one is told to stop."""
    rig = proxied(web, tmp_path).start()
    with loading(rig.address, rate=150, connections=8, connect="each") as load:
        for version in "2345":
            rig.publish(version)
            assert rig.flip()["ok"]
        result = load.end()
    assert result.failures == 0, result
    assert set(result.versions) >= set("1234")


@pytest.mark.parametrize("behaviour", ["never-ready", "crash-in-settle:0.3"])
def test_a_proxied_copy_gets_nothing_before_it_has_settled(
    web: Web, tmp_path: Path, behaviour: str
) -> None:
    """Both would answer if they were asked."""
    rig = proxied(web, tmp_path, settle=1.0, start_timeout=1.0).start()
    rig.publish("2", behaviour)
    with loading(rig.address, rate=150, connections=8, connect="both") as load:
        assert rig.flip()["code"] == 4
        result = load.end()
    assert result.failures == 0, result
    assert set(result.versions) == {"1"}


def test_the_old_copy_waits_for_its_proxied_connections(web: Web, tmp_path: Path) -> None:
    rig = proxied(web, tmp_path, stop=Stop(timeout=20.0)).start()
    old = rig.active()
    with _kept(rig) as held:
        assert rig.flip()["ok"]
        until(lambda: rig.status()["draining"][0]["connections"] == 1)  # type: ignore[index]
        for _ in range(3):
            held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert str(old).encode() in held.recv(4096)
    until(lambda: not os.path.exists(f"/proc/{old}"))


def test_proxied_connections_are_cut_at_the_limit(web: Web, tmp_path: Path) -> None:
    rig = proxied(web, tmp_path, stop=Stop(timeout=0.5)).start()
    old = rig.active()
    with _kept(rig) as held:
        assert rig.flip()["ok"]
        until(lambda: not os.path.exists(f"/proc/{old}"))
        assert held.recv(4096) == b""
    told = "generation 1 had connections after 0.5 s: told to stop, 1 proxied connection open"
    assert rig.serves()["late"][0] == told
    assert told in rig.output()


def test_a_slot_that_drains_is_waited_for(web: Web, tmp_path: Path) -> None:
    rig = proxied(web, tmp_path, stop=Stop(timeout=20.0)).start()
    with _kept(rig) as held:
        assert rig.flip()["ok"]
        asked = rig.ask("flip")
        status = until(lambda: (s := rig.status()) and s["queued"] and s)
        assert status["state"] == "waiting"
        assert status["waits_for"] == "generation 1 to end, which has slot a"
        assert status["proxy"] == [
            {"listen": f"tcp://{rig.front}", "to": f"unix:{tmp_path}/b.sock"}
        ]
        held.close()
        assert asked.reply()["generation"] == 3


def proxied(web: Web, tmp_path: Path, **changes: object) -> Rig:
    """The web server on ports of its own behind the supervisor's proxy."""
    port, path = free_port(), f"{tmp_path}/{{slot}}.sock"
    rig = web(
        listen=(),
        command=serve("--release", f"{tmp_path}/release", "--notify", "--unix", path),
        proxy=(Proxy(f"tcp://127.0.0.1:{port}", f"unix:{path}"),),
        **{"settle": 0.1, **changes},
    )
    rig.front = f"127.0.0.1:{port}"
    return rig


def _kept(rig: Rig) -> socket.socket:
    host, _, port = rig.address.rpartition(":")
    to = socket.create_connection((host, int(port)), timeout=10)
    to.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert to.recv(4096).startswith(b"HTTP/1.1 200")
    return to


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_does_not_say_that_a_copy_is_ready(web: Web) -> None:
    """The names of abstract sockets are no secret; who ended at once cannot be asked any more."""
    rig = web(start_timeout=3.0).start()
    rig.publish("2", "never-ready")
    asked = rig.ask("flip")
    new = until(lambda: (s := rig.status()) and s["new"] and s["new"]["pid"])
    variables = Path(f"/proc/{new}/environ").read_bytes().split(b"\0")
    name = next(v for v in variables if v.startswith(b"NOTIFY_SOCKET=")).partition(b"@")[2]
    forger = os.fork()
    if forger == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.connect(b"\0" + name)
                to.send(b"READY=1")
        finally:
            os._exit(0)
    os.waitpid(forger, 0)
    assert asked.reply()["code"] == 4
