"""What is asked before a copy is handed over, and every reason for which it is refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gapless.drivers.handover.base import HANDED_OVER
from gapless.model import Verdict
from tests.unit.drivers.handover.bench import Bench, bench
from tests.unit.handover.servers import NOBODY


async def _refusals(it: Bench, *, forced: bool = False) -> dict[str, Verdict]:
    found = await it.seat.fit(it.at("a"), forced=forced)
    return {verdict.check: verdict for verdict in found if not verdict.passed}


def test_a_copy_that_may_be_handed_over(tmp_path: Path) -> None:
    async def play() -> None:
        budget = [sys.executable, "-c", "print('37 of 1000 left')"]
        async with bench(tmp_path, budget=budget) as it:
            await it.begin()
            found = await it.seat.fit(it.at("a"), forced=False)
            assert {verdict.check for verdict in found} == {*HANDED_OVER, "memory", "budget"}
            assert all(verdict.passed for verdict in found), found
            assert found[-1].answer == "37 of 1000 left"
            assert "MiB available" in found[-2].answer

    asyncio.run(play())


def test_nothing_that_runs_is_fit_for_a_start(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            assert not await _refusals(it)

    asyncio.run(play())


def test_a_program_that_does_not_speak_is_refused_and_never_doubled(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            it.slots["a"].program = (sys.executable, "-c", "import time; time.sleep(60)")
            it.slots["a"].start()
            for forced in (False, True):
                refused = (await _refusals(it, forced=forced))["active copy"]
                assert refused.answer == f"copy a does not answer in {it.path}"
                assert f"HANDOVER_DIR={it.path} and HANDOVER_ID=bot-a" in refused.wanted
            with pytest.raises(Exception, match="there would be two without a lock"):
                await it.seat.add(it.at("b"), it.fences)
            assert not it.slots["b"].file.exists()

    asyncio.run(play())


def test_a_program_that_was_started_by_hand_is_taken_over(tmp_path: Path) -> None:
    """Whatever it is called: it is the one that runs."""

    async def play() -> None:
        for name in ("bot-a", "the one"[:3]):
            folder = tmp_path / name
            folder.mkdir()
            async with bench(folder) as it:
                it.path.mkdir()
                it.slots["a"].file.write_text(
                    json.dumps({"HANDOVER_DIR": str(it.path), "HANDOVER_ID": name})
                )
                it.slots["a"].start()
                await it.becomes("a", "ACTIVE")
                assert not await _refusals(it)
                await it.start("b")
                assert it.state["active"] == {"id": name, "epoch": 0}
                await it.seat.admit(it.at("b"), it.fences)
                await it.seat.drain(it.at("a"), it.fences)
                await it.seat.remove(it.at("a"), it.fences)
                assert it.state["active"] == {"id": "bot-b-1", "epoch": 1}

    asyncio.run(play())


def test_too_little_memory_for_two(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            sight = await it.folder.look("here")
            (me,) = sight.copies
            assert 1 << 10 < me.peak < 1 << 20, "KiB of a small Python program"
            plenty = sight.memory / me.peak
            more = it.config.model_copy(update={"memory": 2 * plenty})
            it.folder.config = more
            refused = await _refusals(it)
            assert list(refused) == ["memory"]
            assert "the copy that serves had up to" in refused["memory"].answer
            assert not await _refusals(it, forced=True)  # a person may answer for that

    asyncio.run(play())


def test_no_budget_for_one_more_connection(tmp_path: Path) -> None:
    async def play() -> None:
        none = [sys.executable, "-c", "print('0 of 1000 left, 3 h'); raise SystemExit(1)"]
        async with bench(tmp_path, budget=none) as it:
            await it.begin()
            refused = await _refusals(it)
            assert list(refused) == ["budget"]
            assert refused["budget"].answer == "0 of 1000 left, 3 h"

    asyncio.run(play())


def test_another_handover_is_under_way(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            written = {**it.state, "phase": "joint", "owner": "somebody@else"}
            (it.path / "state.json").write_text(json.dumps(written))
            refused = (await _refusals(it))["handover"]
            assert refused.answer == "phase joint, by somebody@else"
            (it.path / "state.json").write_text("{half of")
            assert (await _refusals(it))["handover"].answer == "it is no handover/1"

    asyncio.run(play())


def test_two_copies_are_there_already(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            await it.start("b")
            await it.becomes("b", "STANDBY")
            refused = (await _refusals(it))["handover"]
            assert "bot-a-1: ACTIVE" in refused.answer and "bot-b-2: STANDBY" in refused.answer

    asyncio.run(play())


def test_a_copy_that_hangs_is_not_handed_over(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            first = await it.begin()
            assert first.popen is not None
            first.popen.send_signal(19)  # SIGSTOP
            refused = (await _refusals(it))["active copy"]
            assert refused.answer == "bot-a-1: lives, no answer: timed out"

    asyncio.run(play())


@pytest.mark.parametrize("lock", ["sqlite:", "sqlite://FOLDER/claims.db"])
def test_a_corrupt_lock(tmp_path: Path, lock: str) -> None:
    async def play() -> None:
        async with bench(tmp_path, lock=lock.replace("FOLDER", str(tmp_path))) as it:
            await it.begin()
            database = (it.path if lock == "sqlite:" else tmp_path) / "claims.db"
            for left in database.parent.glob("claims.db*"):
                left.unlink()
            database.write_bytes(b"this is no database, and never was\n" * 100)
            refused = await _refusals(it)
            assert list(refused) == ["event lock"]
            assert refused["event lock"].answer.endswith("file is not a database")

    asyncio.run(play())


def test_a_lock_that_somebody_holds(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path, lock=f"sqlite://{tmp_path}/claims.db") as it:
            await it.begin()
            holder = sqlite3.connect(tmp_path / "claims.db", isolation_level=None)
            holder.execute("CREATE TABLE IF NOT EXISTS theirs (x)")
            holder.execute("BEGIN EXCLUSIVE")
            refused = await _refusals(it)
            holder.close()
            assert refused["event lock"].answer.endswith("database is locked")

    asyncio.run(play())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it is about another account")
def test_a_lock_that_one_of_the_accounts_cannot_write(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path, user=str(NOBODY)) as it:
            it.path.mkdir(0o755)  # root's, and stays so
            (it.path / "ours").touch()
            os.chown(it.path, 1, 1)
            await it.begin()
            refused = await _refusals(it)
            assert list(refused) == ["event lock"]
            assert refused["event lock"].answer.startswith(f"{NOBODY}: [Errno 13]")
            os.chown(it.path, NOBODY, NOBODY)

    with _reachable(tmp_path):
        asyncio.run(play())


@contextlib.contextmanager
def _reachable(folder: Path):  # type: ignore[no-untyped-def]
    """By every account, as a folder on a host is."""
    modes = {parent: parent.stat().st_mode for parent in (folder, *folder.parents)}
    for parent, mode in modes.items():
        if not mode & 0o001:
            parent.chmod(mode | 0o055)
    yield
    for parent, mode in modes.items():
        parent.chmod(mode & 0o7777)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts a small disk")
def test_a_lock_on_a_disk_that_is_full(tmp_path: Path) -> None:

    async def play() -> None:
        async with bench(tmp_path, lock=f"dir://{disk}/claims") as it:
            (disk / "claims").mkdir()
            await it.begin()
            with contextlib.suppress(OSError):
                (disk / "filler").write_bytes(b"x" * (2 << 20))
            refused = await _refusals(it)
            assert list(refused) == ["event lock"]
            assert "No space left on device" in refused["event lock"].answer

    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no mount: {done.stderr.decode().strip()}")
    try:
        asyncio.run(play())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_redis_that_is_not_there(tmp_path: Path) -> None:
    async def play() -> None:
        lock = f"redis+unix://{tmp_path}/redis.sock?db=0"
        async with bench(tmp_path) as it:
            await it.begin()
            it.folder.config = it.config.model_copy(update={"lock": lock})
            refused = await _refusals(it)
            assert list(refused) == ["event lock"]

    asyncio.run(play())


def test_another_lock_than_that_of_the_copy_that_runs(tmp_path: Path) -> None:
    """Each would claim in a place of its own, and handle every event."""

    async def play() -> None:
        for changed in ({"lock": f"dir://{tmp_path}/claims"}, {"namespace": "other"}):
            async with bench(tmp_path / next(iter(changed))) as it:
                await it.begin()
                it.folder.config = it.config.model_copy(update=changed)
                refused = await _refusals(it, forced=True)
                assert "it claims events in sqlite" in refused["event lock"].answer
                assert next(iter(changed.values())) in refused["event lock"].wanted

    asyncio.run(play())


def test_a_redis_that_answers_and_takes_no_claim(tmp_path: Path) -> None:
    async def replica(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = await reader.readline()
        words = b"+PONG" if told.startswith(b"PING") else b"-READONLY it is a replica"
        writer.write(words + b"\r\n")
        await writer.drain()
        writer.close()

    async def play() -> None:
        lock = f"redis+unix://{tmp_path}/redis.sock?db=0"
        async with bench(tmp_path) as it:
            await it.begin()
            server = await asyncio.start_unix_server(replica, tmp_path / "redis.sock")
            async with server:
                it.folder.config = it.config.model_copy(update={"lock": lock})
                refused = await _refusals(it)
            assert "READONLY it is a replica" in refused["event lock"].answer

    asyncio.run(play())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it is about another account")
def test_a_lock_of_root_alone_is_told_in_words(tmp_path: Path) -> None:
    database = tmp_path / "claims.db"
    sqlite3.connect(database).execute("CREATE TABLE claims_tried (at INTEGER)").connection.close()
    database.chmod(0o600)
    tmp_path.chmod(0o777)
    script = Path("src/gapless/drivers/handover/claim_script.py").resolve()
    words = ("try", str(tmp_path), f"sqlite://{database}", "bot", str(NOBODY))
    with _reachable(tmp_path):
        done = subprocess.run(
            [sys.executable, "-", *words], stdin=script.open(), capture_output=True
        )
    told = json.loads(done.stdout)[str(NOBODY)]
    assert told.startswith(str(database)) and "ended with" not in told


def test_what_the_program_has_put_in_the_folder_is_not_written_through(tmp_path: Path) -> None:
    """It is the program's folder, and root writes in it."""
    outside, folder = tmp_path / "outside", tmp_path / "bot"
    outside.mkdir(0o700)
    folder.symlink_to(outside)
    script = Path("src/gapless/drivers/handover/seat_script.py").resolve()
    argv = [sys.executable, "-", "make", str(folder), str(NOBODY)]
    done = subprocess.run(argv, stdin=script.open(), capture_output=True, text=True)
    assert done.returncode and "is a symbolic link" in done.stderr
    assert outside.stat().st_uid == os.geteuid()
    folder.unlink()
    folder.mkdir()
    text = '{"protocol": "handover/1"}'
    victim = tmp_path / "victim"
    victim.write_text("kept")
    future = "from __future__ import annotations\n"
    known = future + "import os\nos.urandom = lambda n: bytes(n)\n"  # the name can be guessed
    planted = script.read_text().replace(future, known, 1)
    (folder / (".gapless-" + "00" * 8)).symlink_to(victim)
    argv = [sys.executable, "-", "turn", str(folder), "", text]
    done = subprocess.run(argv, input=planted, capture_output=True, text=True)
    assert done.returncode and "File exists" in done.stderr
    assert victim.read_text() == "kept"


def test_the_script_is_for_every_python_a_host_may_have() -> None:
    import ast

    from gapless.drivers.handover.orders import script

    for name in ("seat_script", "claim_script"):
        ast.parse(script(name), feature_version=(3, 8))


def test_the_script_needs_nothing_but_python(tmp_path: Path) -> None:
    from gapless.drivers.handover.orders import script

    alone = shutil.which("python3") or sys.executable
    import subprocess

    done = subprocess.run(
        [alone, "-I", "-S", "-", "look", str(tmp_path / "none")],
        input=script("seat_script"), capture_output=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (told["state"], told["copies"]) == (None, {})
    assert told["memory"] > 0
