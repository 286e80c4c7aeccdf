"""What the clients of clusters saw, as a person reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gapless.prove.client_view import ClientView
from gapless.prove.gap import Failure, Gap
from gapless.render.frame import frame
from gapless.render.moments import sentence
from gapless.render.result import render_report
from gapless.report.parse import gap_of
from gapless.report.progress import Progress
from gapless.report.report import Report
from gapless.report.summarize import summarize
from tests.unit.render import goldens, streams

WELL = ClientView(
    "shop.store",
    "etcd",
    Gap(sent=240, longest_silence=0.11, p99_before=0.009, p99_during=0.067),
    retried=3,
    acknowledged=121,
)
LOSING = replace(
    WELL,
    gap=replace(
        WELL.gap,
        failed=2,
        late=1,
        failures=(Failure(12.4, "write of 63: no leader"), Failure(12.5, "read of 62: no leader")),
    ),
    lost=7,
    unread=1,
    first_lost=(60, 61, 62, 63, 64),
    left="etcdctl del --prefix gapless-prove/1a2b3c4d/: no answer within 10s",
)
NONE = ClientView("shop.queue", "rabbitmq", unmeasured="gapless has no client of rabbitmq")


def report(*views: ClientView, front: bool = False) -> Report:
    """Of a rollout that came to its end."""
    events = streams.success()
    place = next(n for n, event in enumerate(events) if event.type == "prove.finished")
    data: dict[str, Any] = {**(streams.GAP if front else {})}
    data["workloads"] = [view.to_json() for view in views]
    events[place] = replace(events[place], data=data)
    return summarize(streams.shop_plan(), events)


@pytest.mark.parametrize(
    ("name", "views", "front"),
    [
        ("proved_well", (WELL,), False),
        ("proved_losing", (LOSING, NONE), False),
        ("proved_beside_a_front_door", (WELL, NONE), True),
    ],
)
def test_screen(name: str, views: tuple[ClientView, ...], front: bool) -> None:
    goldens.check(name, render_report(report(*views, front=front)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lost": 1}, "1 acknowledged write of shop.store lost"),
        ({"unread": 2}, "2 writes of shop.store not read back"),
        ({"gap": Gap(sent=9, failed=3)}, "3 operations of shop.store failed"),
    ],
)
def test_what_was_missed_is_in_the_first_line(changes: dict[str, Any], told: str) -> None:
    first = " ".join(render_report(report(replace(WELL, **changes))).splitlines()[:2])
    assert first.startswith("!") and told in " ".join(first.split())


def test_it_survives_json() -> None:
    whole = report(LOSING, NONE, front=True)
    assert whole.gap and len(whole.gap.workloads) == 2
    assert Report.from_json(whole.to_json()) == whole


def test_the_line_of_a_stream_has_all_of_it() -> None:
    event = next(e for e in streams.success() if e.type == "prove.finished")
    data = {"workloads": [LOSING.to_json(), NONE.to_json()]}
    told = sentence(replace(event, data=data))
    assert told == (
        "gap: shop.store: 240 operations, 2 failed, 3 tried again, longest gap 110 ms,"
        " p99 9 ms → 67 ms, 1 late by the client itself and not counted, 121 writes acknowledged,"
        " 7 lost: number 60, 61, 62, 63, 64 …; 1 could not be read back;"
        " shop.queue: not measured: gapless has no client of rabbitmq"
    )


def test_the_living_line_counts_clients_too() -> None:
    progress = Progress()
    progress.gap = gap_of({**streams.GAP, "workloads": [LOSING.to_json()]})
    rows = "\n".join(row.text for row in frame(progress, "", 0.0))
    assert "gap 110 ms, 2 of 4,450 failed" in rows
