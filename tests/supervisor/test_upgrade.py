"""gapless itself is upgraded: the process takes the new code in, and stays the same process."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.supervisor import rundir
from tests.supervisor.installed import born
from tests.supervisor.load import loading
from tests.supervisor.rig import LIMIT, ROOT, Rig, until

Web = Callable[..., Rig]


def installed(web: Web, tmp_path: Path, *flags: str, **changes: object) -> tuple[Rig, Path]:
    """A rig that runs a copy of the package, and the folder with its modules."""
    package = tmp_path / "lib" / "gapless"
    shutil.copytree(ROOT / "src" / "gapless" / "supervisor", package / "supervisor")
    (package / "__init__.py").write_text("")
    rig = web(*flags, **changes)
    rig.package = str(package.parent)
    return rig, package / "supervisor"


def upgrade(folder: Path, number: int) -> None:
    """A new version of the code is installed."""
    file = folder / "requests.py"
    fresh = file.with_suffix(".new")
    fresh.write_text(file.read_text() + f"# version {number}\n")
    os.utime(fresh, ns=(number * 10**9, number * 10**9))
    fresh.rename(file)


def test_a_flip_takes_the_new_code_in(web: Web, tmp_path: Path) -> None:
    rig, folder = installed(web, tmp_path)
    rig.start()
    old = rig.active()
    assert not born(rig)
    upgrade(folder, 1)
    rig.publish("2")
    reply = rig.flip()
    assert (reply["ok"], reply["generation"]) == (True, 2)
    assert born(rig)
    assert rig.serves()["pid"] == rig.pid
    assert rig.version() == "2"
    until(lambda: not os.path.exists(f"/proc/{old}"))
    assert len(rig.everybody()) == 3
    rig.signal(signal.SIGTERM)
    assert rig.ended() == 0
    rig.nobody_left()


def test_new_code_that_does_not_load_is_left_out(web: Web, tmp_path: Path) -> None:
    """The flip is done by the old code, and the next one does not try it again."""
    rig, folder = installed(web, tmp_path)
    rig.start()
    (folder / "requests.py").write_text("raise RuntimeError('half installed')\n")
    for _ in range(2):
        assert rig.flip()["ok"]
    assert not born(rig)
    told = "the new code of gapless is not taken in: RuntimeError: half installed"
    assert rig.output().count(told) == 1


@pytest.mark.timeout(1800)
def test_a_hundred_times_under_load(web: Web, tmp_path: Path) -> None:
    """Same process, no signal lost, no request failed; old copies drain over it as well."""
    times = int(os.environ.get("GAPLESS_UPGRADES", "20"))
    rig, folder = installed(web, tmp_path, "--work", "1", settle=0.0)
    rig.start()
    before = len(os.listdir(f"/proc/{rig.pid}/fd"))
    with loading(rig.address, rate=150, connections=8, connect="both") as load:
        for number in range(1, times + 1):
            upgrade(folder, number)
            asked = rig.ask("flip")
            for _ in range(3):
                rig.signal(signal.SIGHUP)
                time.sleep(0.003)
            assert asked.reply()["ok"]
            until(lambda: not (s := rig.serves())["queued"] and not s["draining"])
        result = load.end()
    assert result.failures == 0, result
    assert rig.process.poll() is None
    status = rig.serves()
    assert status["failed"] == 0
    assert times + 1 <= status["active"]["generation"] <= 3 * times + 1
    assert len(os.listdir(f"/proc/{rig.pid}/fd")) == before


def test_a_signal_in_the_middle_is_not_lost(web: Web, tmp_path: Path) -> None:
    """One after another, each while the process may be replacing itself: the last one always
    leads to a flip that began after it."""
    rig, folder = installed(web, tmp_path, settle=0.0)
    rig.start()
    for number in range(1, 11):
        upgrade(folder, number)
        rig.publish(str(number))
        rig.signal(signal.SIGHUP)
        until(lambda number=number: rig.version() == str(number))


def test_who_asks_while_our_process_replaces_itself_is_answered(web: Web, tmp_path: Path) -> None:
    """At whatever moment: not accepted yet, half of the request read, or all of it."""
    rig, folder = installed(web, tmp_path, settle=0.0)
    rig.start()
    over = threading.Event()
    replies: list[str] = []

    def asks(verb: str, pause: float) -> None:
        while not over.is_set():
            try:
                replies.append(_answer(verb, pause) or f"nothing to {verb}")
            except (OSError, LookupError) as error:
                replies.append(f"{error!r} to {verb}")

    threads = [
        threading.Thread(target=asks, args=(verb, pause))
        for verb in ("status", "wait", "flip")
        for pause in (0.0, 0.002, 0.02)
    ]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 11):
            upgrade(folder, number)
            assert rig.flip()["ok"]
            assert born(rig)
    finally:
        over.set()
        for thread in threads:
            thread.join(LIMIT)
    assert not [thread for thread in threads if thread.is_alive()]
    assert len(replies) > 100
    assert {reply for reply in replies if not reply.startswith("{")} == set()


def _answer(verb: str, pause: float) -> str:
    with rundir.connect("web") as to:
        to.settimeout(LIMIT)
        to.sendall(b'{"verb": ')
        time.sleep(pause)  # other moments each time
        to.sendall(f'"{verb}"}}\n'.encode())
        return to.makefile().readline()


def test_callers_and_drains_live_through_it(web: Web, tmp_path: Path) -> None:
    from gapless.supervisor.spec import Stop

    rig, folder = installed(
        web, tmp_path, "--linger", "60", settle=0.3, stop=Stop(timeout=3.0), max_draining=2
    )
    rig.start()
    import socket

    host, _, port = rig.address.rpartition(":")
    held = socket.create_connection((host, int(port)), timeout=10)
    held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert held.recv(4096)
    assert rig.flip()["ok"]
    upgrade(folder, 1)
    began = time.monotonic()
    first, waits = rig.ask("flip"), rig.ask("wait")
    assert first.reply()["generation"] == 3
    assert waits.reply()["ok"]
    assert born(rig)
    assert rig.serves()["draining"][0]["generation"] == 1
    until(lambda: not rig.serves()["draining"])
    assert time.monotonic() - began < 4.0, "the limit of the first copy began anew"
