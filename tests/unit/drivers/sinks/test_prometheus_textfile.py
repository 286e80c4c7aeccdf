"""prometheus_textfile: a whole file at any time, totals that go on, and nothing that is a guess."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gapless.config.project import SinkConfig
from gapless.drivers.sinks.hub import SinkHub
from gapless.drivers.sinks.metrics_book import opened
from gapless.drivers.sinks.rollout_figures import RolloutFigures
from gapless.events.event import Event
from tests.unit.render.streams import Stream

GOLDEN = Path(__file__).with_name("metrics_of_a_cluster.prom")
MEMBERS = {
    "n1": {"leads": 0, "groups": 3, "in_sync": 3},
    "n2": {"leads": 2, "groups": 3, "in_sync": 3},
    "n3": {"leads": 1, "groups": 3, "in_sync": 2},
}


def tell(path: Path, events: list[Event], seen: int = 0) -> tuple[str, ...]:
    """By a command of its own; ``seen``: as many were told to an earlier one of that rollout."""

    async def run() -> tuple[str, ...]:
        sinks = [SinkConfig(prometheus_textfile=str(path))]
        async with SinkHub(sinks, path.parent / "state") as hub:
            for event in events[:seen]:
                hub.replay(event)
            for event in events[seen:]:
                hub.offer(event)
        return hub.complaints

    return asyncio.run(run())


def rolled(rollout: str = "r1", environment: str = "production") -> Stream:
    """Two members of a cluster, one of which leads something, with --prove."""
    stream = Stream(rollout)
    stream.add("rollout.planned", project="stream", environment=environment, verb="restart")
    stream.after(1).add("rollout.started")
    stream.add("leaders.moved", "chronik", "n1", "evacuate", moved=3, failed=0)
    stream.after(2).add("step.succeeded", "chronik", "n1", "evacuate", seconds=1.5)
    stream.after(9).add("step.succeeded", "chronik", "n1", "switch", seconds=8.5, stopped=8.0)
    stream.after(3).add("step.succeeded", "chronik", "n1", "rejoin", seconds=2, members=MEMBERS)
    stream.after(4).add("step.succeeded", "chronik", "n2", "switch", seconds=4, stopped=1.25)
    stream.add("step.observed", "chronik", "n2", "ready", seconds=0.0)
    stream.add("rollout.succeeded", outcome="done", exit_code=0)
    client = {"service": "chronik", "operations": 400, "longest_gap": 0.074}
    silent = {"service": "other", "kind": "zookeeper", "unmeasured": "nobody"}
    stream.after(1).add("prove.finished", workloads=[client, silent])
    return stream


def samples(path: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """As Prometheus's own parser reads them."""
    parser = pytest.importorskip("prometheus_client.parser")
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in parser.text_string_to_metric_families(path.read_text())
        for one in family.samples
    }


def value(path: Path, name: str, **labels: str) -> float | None:
    """Of the one line with these labels among others."""
    found = [
        number
        for (called, pairs), number in samples(path).items()
        if called == name and set(labels.items()) <= set(pairs)
    ]
    assert len(found) < 2, found
    return found[0] if found else None


def test_a_rollout_of_a_cluster_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    assert tell(path, rolled().events) == ()
    assert path.read_text() == GOLDEN.read_text()


def test_it_is_readable_by_everybody_and_what_it_is_made_of_is_not(tmp_path: Path) -> None:
    path = tmp_path / "textfile" / "gapless.prom"
    tell(path, rolled().events)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o005 == 0o005
    book = path.with_name("gapless.prom.book")
    assert stat.S_IMODE(book.stat().st_mode) == 0o600
    assert sorted(one.name for one in path.parent.iterdir() if one.name != "state") == [
        "gapless.prom",
        "gapless.prom.book",
    ]


def test_prometheus_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    tell(path, rolled().events)
    assert value(path, "gapless_rollouts_total", result="done") == 1
    assert value(path, "gapless_rollout_duration_seconds_sum") == 18
    assert value(path, "gapless_step_duration_seconds_sum", step="switch") == 12.5
    assert value(path, "gapless_step_duration_seconds_count", step="switch") == 2
    assert value(path, "gapless_step_last_duration_seconds", step="switch") == 4
    assert value(path, "gapless_leadership_transfers_total", result="success") == 3
    assert value(path, "gapless_leadership_transfers_total", result="failed") == 0
    assert value(path, "gapless_stop_duration_seconds", member="n1") == 8
    assert value(path, "gapless_cluster_member_leaders", member="n2") == 2
    assert value(path, "gapless_cluster_member_in_sync", member="n3") == 2
    assert value(path, "gapless_longest_unavailability_seconds", service="chronik") == 0.074
    assert value(path, "gapless_last_rollout_exit_code") == 0


def test_what_nobody_knows_has_no_line(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    stream = Stream("r1").add("rollout.planned", project="shop")
    stream.after(1).add("rollout.refused", outcome="refused", exit_code=3)
    tell(path, stream.events)
    names = {name for name, _ in samples(path)}
    assert names == {
        "gapless_rollouts_total",
        "gapless_rollout_duration_seconds_sum",
        "gapless_rollout_duration_seconds_count",
        "gapless_last_rollout_end_timestamp_seconds",
        "gapless_last_rollout_exit_code",
    }
    assert "environment=" not in path.read_text()


def test_totals_go_on_from_rollout_to_rollout(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    tell(path, rolled("r1").events)
    tell(path, rolled("r2").events)
    tell(path, rolled("r3", "staging").events)
    assert value(path, "gapless_rollouts_total", environment="production") == 2
    assert value(path, "gapless_rollouts_total", environment="staging") == 1
    assert (
        value(
            path,
            "gapless_leadership_transfers_total",
            environment="production",
            result="success",
        )
        == 6
    )


@pytest.mark.parametrize("killed_at", range(1, 10))
def test_a_rollout_that_is_resumed_counts_once(tmp_path: Path, killed_at: int) -> None:
    path = tmp_path / "gapless.prom"
    events = rolled().events
    tell(path, events[:killed_at])
    tell(path, events, seen=killed_at)
    assert path.read_text() == GOLDEN.read_text()


def test_events_that_are_told_twice_count_once(tmp_path: Path) -> None:
    """Nobody noted before the crash that they were."""
    path = tmp_path / "gapless.prom"
    tell(path, rolled().events)
    (tmp_path / "state" / "sinks" / "seen.json").unlink()
    tell(path, rolled().events)
    assert path.read_text() == GOLDEN.read_text()


def test_old_rollouts_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    for number in range(60):
        tell(path, rolled(f"r{number}").events)
    assert value(path, "gapless_rollouts_total", result="done") == 60
    assert value(path, "gapless_stop_duration_seconds", member="n1") == 8


def test_a_member_that_is_gone_is_in_the_last_view_no_more(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    tell(path, rolled("r1").events)
    stream = Stream("r2").after(3600).add("rollout.planned", project="stream",
                                          environment="production")  # fmt: skip
    left = {name: held for name, held in MEMBERS.items() if name != "n3"}
    stream.add("step.succeeded", "chronik", "n1", "rejoin", seconds=1, members=left)
    stream.add("rollout.interrupted")
    tell(path, stream.events)
    assert value(path, "gapless_cluster_member_leaders", member="n2") == 2
    assert value(path, "gapless_cluster_member_leaders", member="n3") is None
    assert value(path, "gapless_stop_duration_seconds", member="n1") == 8


def test_a_linked_rollback_is_no_rollout_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    stream = Stream("r1").add("rollout.planned", project="shop").after(1).add("rollout.started")
    stream.add("rollout.planned", rollout_="r1-undo1", project="other")
    stream.add("step.succeeded", "api", "web1", "switch", seconds=3, rollout_="r1-undo1")
    stream.add("rollout.failed", rollout_="r1-undo1", outcome="mixed", exit_code=5)
    stream.after(5).add("rollout.failed", outcome="restored", exit_code=4)
    tell(path, stream.events)
    assert value(path, "gapless_rollouts_total", project="shop", result="restored") == 1
    assert value(path, "gapless_rollouts_total", result="mixed") is None
    assert value(path, "gapless_step_duration_seconds_sum", project="shop", step="switch") == 3
    assert value(path, "gapless_last_rollout_exit_code") == 4


def test_a_pause_is_no_end(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    stream = Stream("r1").add("rollout.planned", project="shop").add("rollout.started")
    stream.add("rollout.paused", outcome="paused", exit_code=7)
    tell(path, stream.events)
    assert value(path, "gapless_rollouts_total") is None


def test_names_with_signs_in_them_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    odd = 'a"b\\c\nd'
    stream = Stream("r1").add("rollout.planned", project="shop")
    stream.add("step.succeeded", odd, "web1", "switch", seconds=1)
    stream.add("rollout.interrupted")
    tell(path, stream.events)
    assert value(path, "gapless_step_last_duration_seconds", service=odd) == 1


def test_two_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"

    async def both() -> None:
        sinks = [SinkConfig(prometheus_textfile=str(path))]
        async with SinkHub(sinks, tmp_path / "one") as one, SinkHub(sinks, tmp_path / "two") as two:
            for first, second in zip(rolled("r1").events, rolled("r2").events, strict=True):
                one.offer(first)
                two.offer(second)

    asyncio.run(both())
    assert value(path, "gapless_rollouts_total") == 2
    assert value(path, "gapless_leadership_transfers_total", result="success") == 6


def test_a_book_that_was_changed_is_not_counted_on(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    path.with_name("gapless.prom.book").write_text('{"version": 1}')
    complaints = tell(path, rolled().events)
    assert "gapless.prom.book is not what was written: move it away" in complaints[0]
    assert not path.exists()


def test_an_empty_book_is_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "gapless.prom"
    path.with_name("gapless.prom.book").write_text("")
    assert tell(path, rolled().events) == ()
    assert path.read_text() == GOLDEN.read_text()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    complaints = tell(tmp_path / "file" / "gapless.prom", rolled().events)
    assert len(complaints) == 1 and "not delivered" in complaints[0]


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"prometheus_textfile": "/var/lib/gapless.txt"}, "pattern"),
        ({"prometheus_textfile": "/m.prom", "types": ["rollout."]}, "counted from all of them"),
        ({"prometheus_textfile": "/m.prom", "jsonl": "/x"}, "exactly one of"),
    ],
)
def test_what_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SinkConfig(**config)


def test_values_of_an_earlier_moment_do_not_come_back(tmp_path: Path) -> None:
    """The older rollout of two is told of last, as when it was resumed."""
    path = tmp_path / "gapless.prom"
    late = [replace(one, ts=one.ts + 3600) for one in rolled("r2").events]
    tell(path, [replace(one, data={**one.data, "stopped": 99}) if "stopped" in one.data else one
                for one in late])  # fmt: skip
    tell(path, rolled("r1").events)
    assert value(path, "gapless_stop_duration_seconds", member="n1") == 99


def test_the_book_is_open_to_one_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path / "gapless.prom.book"):
        folder = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)


def test_a_rollout_of_many_hosts_is_written_whole_and_in_time(tmp_path: Path) -> None:
    """Behind fifty others of as many, as totals of the last ones are kept apart."""
    path, hosts = tmp_path / "gapless.prom", [f"h{n}" for n in range(1000)]
    members = {host: {"leads": 1, "groups": 3, "in_sync": 3} for host in hosts}
    stream = Stream("r0")
    stream.add("rollout.planned", project="p", environment="production", verb="restart")
    stream.after(1).add("rollout.started")
    for host in hosts:
        stream.after(1).add("step.succeeded", "s", host, "switch", seconds=1.0, stopped=0.5)
    stream.add("step.succeeded", "s", "h1", "rejoin", seconds=1.0, members=members)
    stream.after(1).add("rollout.succeeded", outcome="done", exit_code=0)
    with opened(path.with_name(f"{path.name}.book")) as book:
        for number in range(60):
            figures = RolloutFigures()
            for event in stream.events:
                figures.take(event)
            book.enter(f"old{number}", figures.figures)
    assert tell(path, list(stream.events)) == ()
    assert value(path, "gapless_rollouts_total", result="done") == 61
    assert value(path, "gapless_stop_duration_seconds", member="h999") == 0.5
