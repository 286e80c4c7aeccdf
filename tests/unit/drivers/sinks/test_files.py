"""jsonl and compat: private files, whole lines, the older words."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

from gapless.config.project import SinkConfig
from gapless.drivers.sinks.compat import CompatWriter
from gapless.drivers.sinks.hub import SinkHub
from gapless.events.event import Event
from tests.unit.render import streams


def tell(configs: list[dict[str, Any]], folder: Path, events: list[Event]) -> tuple[str, ...]:
    async def run() -> tuple[str, ...]:
        async with SinkHub([SinkConfig(**c) for c in configs], folder) as hub:
            for event in events:
                hub.offer(event)
        return hub.complaints

    return asyncio.run(run())


def test_jsonl_gets_every_event_in_order_in_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "var" / "log" / "events.jsonl"
    events = streams.not_ready()
    assert tell([{"jsonl": str(path)}], tmp_path, events) == ()
    assert path.read_text().splitlines() == [event.to_line() for event in events]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_types_narrow_by_name_and_prefix(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    config = {"jsonl": str(path), "types": ["rollout.", "step.failed"]}
    tell([config], tmp_path, streams.not_ready())
    types = {json.loads(line)["type"] for line in path.read_text().splitlines()}
    assert types == {"rollout.planned", "rollout.started", "rollout.failed", "step.failed"}


def test_readings_for_the_live_view_only_when_named(tmp_path: Path) -> None:
    some, all_ = tmp_path / "named", tmp_path / "all"
    configs = [{"jsonl": str(all_)}, {"jsonl": str(some), "types": ["prove.reading"]}]
    tell(configs, tmp_path, [Event("prove.reading", "r"), Event("rollout.started", "r")])
    assert "prove.reading" not in all_.read_text()
    assert "prove.reading" in some.read_text()


def test_a_file_that_cannot_be_written_is_reported_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    complaints = tell([{"jsonl": str(tmp_path / "file" / "x")}], tmp_path, streams.success()[:3])
    assert len(complaints) == 1
    assert "3 events not delivered" in complaints[0]


def test_compat_writes_the_older_form(tmp_path: Path) -> None:
    path = tmp_path / "orchestrator-events.jsonl"
    tell([{"compat": str(path)}], tmp_path, streams.not_ready())
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["type"], line["serviceId"]) for line in lines] == [
        ("SERVICE_RESTART_START", "shop.postgresql"),
        ("SERVICE_RESTART_SUCCESS", "shop.postgresql"),
        ("SERVICE_RESTART_START", "shop.api"),
        ("ROLLBACK_START", "shop.api"),
        ("ROLLBACK_SUCCESS", "shop.api"),
        ("SERVICE_RESTART_FAILED", "shop.api"),
        ("ROLLBACK_START", "shop.api"),
        ("ROLLBACK_SUCCESS", "shop.api"),
    ]
    assert lines[0]["timestamp"] == "2026-01-19T12:00:00.000Z"
    assert lines[0]["metadata"]["rollout"] == "rtouehn-7f3a"
    assert lines[3]["metadata"]["hosts"] == ["web3"]


def test_compat_says_rollback_failed() -> None:
    writer = CompatWriter()
    types = [older["type"] for e in streams.rollback_failed() for older in writer.translate(e)]
    assert types[-2:] == ["ROLLBACK_START", "ROLLBACK_FAILED"]


def test_compat_has_one_rollback_per_service_however_many_hosts() -> None:
    writer = CompatWriter()
    events = [Event("rollback.started", "r", "api", f"web{n}") for n in range(5)]
    events += [Event("rollback.succeeded", "r", "api", f"web{n}") for n in range(4)]
    events += [Event("rollback.failed", "r", "api", "web4")]
    types = [older["type"] for event in events for older in writer.translate(event)]
    assert types == ["ROLLBACK_START", "ROLLBACK_FAILED"]


def test_compat_goes_on_after_a_resume() -> None:
    writer = CompatWriter()
    writer.translate(Event("rollback.started", "r", "api", "web1"))
    assert writer.translate(Event("rollback.started", "r", "api", "web2")) == []


def test_compat_says_why_the_rollout_was_begun() -> None:
    writer = CompatWriter()
    assert writer.translate(Event("rollout.planned", "r", reason="release 42")) == []
    for kind in ("service.started", "service.succeeded"):
        older = writer.translate(Event(kind, "r", "api"))[0]
        assert older["metadata"] == {"rollout": "r", "reason": "release 42"}
