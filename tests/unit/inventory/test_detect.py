from __future__ import annotations

import asyncio

import pytest

from gapless.errors import UsageError
from gapless.inventory.detect import (
    DetectedUnit,
    detect,
    parse_fragments,
    parse_unit_files,
    parse_units,
    run_here,
)
from gapless.model import Command, Completed

UNITS = """\
  cron.service            loaded    active   running Regular background program processing daemon
  shop-api.service        loaded    active   running Shop: the API
● shop-broken.service     loaded    failed   failed  Shop: broken
  ntpsec.service          not-found inactive dead    ntpsec.service
  getty@tty1.service      loaded    active   running Getty on tty1
  shop-worker@1.service   loaded    active   running Shop worker 1
"""

FILES = """\
cron.service              enabled  enabled
getty@.service            enabled  enabled
shop-api.service          enabled  enabled
shop-broken.service       disabled enabled
shop-idle.service         static   -
shop-worker@.service      disabled enabled
"""

SHOWN = """\
Id=cron.service
FragmentPath=/usr/lib/systemd/system/cron.service

Id=shop-api.service
FragmentPath=/etc/systemd/system/shop-api.service

FragmentPath=/etc/systemd/system/shop-broken.service
Id=shop-broken.service

Id=shop-idle.service
FragmentPath=/etc/systemd/system/shop-idle.service

Id=shop-worker@1.service
FragmentPath=/etc/systemd/system/shop-worker@.service
"""


def test_units() -> None:
    units = parse_units(UNITS)
    assert list(units) == [
        "cron.service",
        "shop-api.service",
        "shop-broken.service",
        "getty@tty1.service",
        "shop-worker@1.service",
    ]
    assert units["shop-api.service"].running
    assert units["shop-api.service"].description == "Shop: the API"
    assert units["shop-broken.service"].active == "failed"


def test_unit_files() -> None:
    assert parse_unit_files(FILES)["shop-broken.service"] == "disabled"


def test_fragments() -> None:
    found = parse_fragments(SHOWN)
    assert found["shop-broken.service"] == "/etc/systemd/system/shop-broken.service"


def test_nothing_reads_as_nothing() -> None:
    assert (parse_units(""), parse_unit_files(""), parse_fragments("")) == ({}, {}, {})


def test_what_somebody_put_there_running_first() -> None:
    asked: list[tuple[str, ...]] = []

    async def run(command: Command) -> Completed:
        asked.append(command.argv)
        answer = {"list-units": UNITS, "list-unit-files": FILES, "show": SHOWN}[command.argv[1]]
        return Completed(command.argv, 0, answer, "", 0.0)

    found = asyncio.run(detect(run))
    assert [unit.name for unit in found] == [
        "shop-api.service",
        "shop-worker@1.service",
        "shop-broken.service",
        "shop-idle.service",
    ]
    assert found[0] == DetectedUnit(
        "shop-api.service",
        "active",
        "enabled",
        "Shop: the API",
        "/etc/systemd/system/shop-api.service",
    )
    assert asked[2][:4] == ("systemctl", "show", "--property=Id,FragmentPath", "--")
    assert "getty@.service" not in asked[2]


def test_a_machine_without_systemd_has_none() -> None:
    async def run(command: Command) -> Completed:
        return Completed(command.argv, 127, "", "no such program", 0.0)

    assert asyncio.run(detect(run)) == ()


def test_running_here() -> None:
    done = asyncio.run(run_here(Command(("sh", "-c", "echo out; echo err >&2; exit 3"))))
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert asyncio.run(run_here(Command(("/no/such",)))).status == 127


def test_running_here_has_an_end() -> None:
    with pytest.raises(UsageError, match="no answer within"):
        asyncio.run(run_here(Command(("sleep", "9"), timeout=0.1)))
