"""The controller of a rollout is killed at any write to its journal; then one command ends it.

All of them take long: ``GAPLESS_RECORDS=before`` kills at each before it is committed, ``after``
when it is, ``before,after`` both. Else a few are drawn, by ``GAPLESS_SEED`` or by the day.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gapless.engine.sqlite_journal import SqliteJournal
from tests.lab.load import Load

from .shop import Shop

ROOT = Path(__file__).parents[2]
RATE = 20
DRAWN = 5
MOMENTS = tuple(filter(None, os.environ.get("GAPLESS_RECORDS", "").split(",")))
SEED = os.environ.get("GAPLESS_SEED") or str(int(time.time() / 86400))


@pytest.mark.timeout(7200 if MOMENTS else 300)
@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_kill_at_any_record_leaves_one_container_of_one_version(shop: Shop, command: str) -> None:
    shop.settings["health"] = {"http": "http://{address}:8080/health", "timeout": "60s"}
    proxy = shop.behind_haproxy()
    shop.run("deploy", "--yes", "--reason", "first")
    shop.write(VERSION="2")
    deploy(shop, 0, "after")
    records = int((shop.folder / "writes").read_text())
    with (
        Load(proxy.url, rate=RATE, keep_alive=False) as new,
        Load(proxy.url, rate=RATE, keep_alive=True) as kept,
    ):
        for turn, (record, moment) in enumerate(chosen(records, command)):
            print(command, moment, record, "of", records, flush=True)
            end_what_is_left(shop, command, str(turn + 3), record, moment)
    assert (new.report.failed, kept.report.failed) == (0, 0), (
        new.report.errors[:5],
        kept.report.errors[:5],
    )


def chosen(records: int, command: str) -> list[tuple[int, str]]:
    """At which writes, and when."""
    wanted = MOMENTS or ("before", "after")
    every = [(record, moment) for record in range(1, records + 1) for moment in wanted]
    if MOMENTS:
        return every
    print(f"GAPLESS_SEED={SEED}")
    return random.Random(f"{SEED} {command}").sample(every, DRAWN)


def end_what_is_left(shop: Shop, command: str, version: str, record: int, moment: str) -> None:
    """Kill one deploy, end it by one command, and look at what there is."""
    before = shop.answer()
    shop.write(VERSION=version)
    deploy(shop, record, moment)
    told = ""
    if unfinished(shop):
        told = shop.run(command, check=None)
    elif shop.answer() == before:
        told = shop.run("deploy", "--yes", "--reason", "again")
    now = shop.answer()
    assert now in ((version,) if command == "resume" else (before, version)), told
    assert len(shop.ids()) == 1, told
    assert len(shop.containers()) == 1, f"{shop.containers()}\n{told}"
    assert not unfinished(shop), told
    assert shop.proxy is not None
    servers = [name for name in shop.proxy.stats() if name.startswith("web-")]
    assert len(servers) == 1, f"{servers}\n{told}"
    if now == version:
        assert "othing to do" in shop.run("deploy", "--yes")


def deploy(shop: Shop, record: int, moment: str) -> None:
    """It dies at that record; of 0 it lives."""
    argv = [str(record), moment, str(shop.folder / "writes"), "deploy", "--yes", "--reason", "x"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.containers.mortal", *argv],
        cwd=shop.folder,
        env={**shop.environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    wanted = -signal.SIGKILL if record else 0
    assert done.returncode == wanted, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"


def unfinished(shop: Shop) -> bool:
    """Whether the journal has a rollout that is not over."""
    journal = SqliteJournal(shop.folder / "state" / "site")
    try:
        return bool(journal.rollouts(5, unfinished=True))
    finally:
        journal.close()
