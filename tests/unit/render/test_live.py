"""The live view: pictures at moments, and when it draws."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from gapless.events.event import Event
from gapless.render.base import guarded
from gapless.render.choose import renderer
from gapless.render.frame import Row, frame
from gapless.render.live import LiveView, Screen
from gapless.render.moments import moment_line
from gapless.render.output import Output
from gapless.report.fold import apply
from gapless.report.parse import gap_of
from gapless.report.progress import Progress
from tests.unit.render import goldens, streams


def picture(events: list[Event], later: float = 0.0, **size: int) -> str:
    progress = Progress(streams.shop_plan())
    said = ""
    for event in events:
        apply(progress, event)
        said = moment_line(event) or said
    rows = frame(progress, said, progress.now + later, **size)
    return "\n".join(row.text for row in rows) + "\n"


def middle() -> list[Event]:
    """web2 soaks, web3 waits to be ready."""
    stream = streams.Stream().begin().canary()
    stream.batch("shop.api", "batch1", "web2", "web3")
    stream.steps("shop.api", "web2", "preflight", "drain", "switch", "ready", "admit")
    stream.add("step.started", "shop.api", "web2", "soak")
    stream.steps("shop.api", "web3", "preflight", "drain", "switch")
    stream.add("step.started", "shop.api", "web3", "ready")
    stream.after(4).add(
        "step.progress", "shop.api", "web3", "ready", verdict=streams.BUSY.to_json()
    )
    stream.add("prove.reading", **streams.GAP)
    return stream.events


def undoing() -> list[Event]:
    """web3 failed and goes back."""
    events = streams.not_ready()
    return events[: next(n for n, e in enumerate(events) if e.type == "rollback.started") + 1]


MOMENTS = {
    "live_start": lambda: streams.Stream().begin().events,
    "live_middle": middle,
    "live_undoing": undoing,
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moment(name: str) -> None:
    goldens.check(name, picture(MOMENTS[name](), later=2.0))


def test_the_number_of_rows_never_changes() -> None:
    sizes = {len(picture(make()).splitlines()) for make in MOMENTS.values()}
    assert len(sizes) == 1


def test_a_fleet_of_hundreds_has_no_row_per_host() -> None:
    stream = streams.Stream().begin()
    hosts = [f"web{n}" for n in range(1, 401)]
    stream.batch("shop.api", "batch1", *hosts)
    for host in hosts:
        stream.after(0.01).add(
            "step.started", "shop.api", host, "ready" if host > "web3" else "soak"
        )
        stream.add("step.failed", "shop.api", host, "drain", what="no", code="GL-406") if (
            int(host[3:]) > 380
        ) else None
    text = picture(stream.events, height=20, width=80)
    assert len(text.splitlines()) <= 20
    assert max(map(len, text.splitlines())) <= 80
    goldens.check("live_fleet", text)


class Clock:
    """Time under the test's hand."""

    def __init__(self) -> None:
        self.time = streams.T0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class Canvas(Screen):
    """Counts pictures instead of drawing them."""

    def __init__(self) -> None:
        self.drawn: list[tuple[Row, ...]] = []

    @property
    def size(self) -> tuple[int, int]:
        return 100, 24

    def draw(self, rows: tuple[Row, ...]) -> None:
        self.drawn.append(rows)

    def close(self) -> None:
        pass


def test_at_most_five_pictures_a_second_and_the_last_event_is_shown() -> None:
    clock, canvas = Clock(), Canvas()
    view = LiveView(canvas, streams.shop_plan(), clock)
    for number in range(1000):
        clock.time += 0.001
        view.observe(Event("rollout.started", "rtouehn-7f3a", reason=f"r{number}", ts=clock.time))
    assert len(canvas.drawn) <= 6
    clock.time += 0.2
    view.tick()
    assert "r999" in canvas.drawn[-1][-1].text


def test_no_change_no_picture() -> None:
    clock, canvas = Clock(), Canvas()
    view = LiveView(canvas, None, clock)
    for _ in range(10):
        clock.time += 0.3
        view.tick()
    assert len(canvas.drawn) <= 1


def test_a_real_terminal_is_drawn_without_colour_when_asked(monkeypatch: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    view = LiveView(Screen(Output(stream)), streams.shop_plan(), Clock())
    for event in undoing():
        view.observe(event)
    view.close()
    text = stream.getvalue()
    assert "deploy shop" in text
    assert "[31m" not in text


class Terminal(io.StringIO):
    """Says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("quiet", "Quiet"), ("jsonl", "JsonLines"), ("plain", "Plain"), ("tty", "LiveView"),
     ("auto", "Plain")],
)  # fmt: skip
def test_modes(mode: str, kind: str) -> None:
    assert type(renderer(mode, io.StringIO())).__name__ == kind


def test_auto_on_a_terminal(monkeypatch: Any) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(renderer("auto", Terminal())).__name__ == "LiveView"
    monkeypatch.setenv("TERM", "dumb")
    assert type(renderer("auto", Terminal())).__name__ == "Plain"


def test_plain() -> None:
    async def run() -> str:
        out = io.StringIO()
        show = renderer("plain", out, streams.shop_plan())
        for event in streams.not_ready():
            show.observe(event)
        show.close()
        return out.getvalue()

    goldens.check("plain_not_ready", asyncio.run(run()))


def test_plain_heartbeat_comes_once_in_thirty_seconds() -> None:
    clock, out = Clock(), io.StringIO()
    show: Any = renderer("plain", out, streams.shop_plan(), clock)
    for event in middle():
        clock.time = event.ts
        show.observe(event)
    before = len(out.getvalue().splitlines())
    for _ in range(61):
        clock.time += 1
        show.tick()
    beats = out.getvalue().splitlines()[before:]
    assert len(beats) == 2
    assert "2 of 5 instances done" in beats[0]
    goldens.check("plain_heartbeat", "\n".join(beats) + "\n")


def test_jsonl_writes_the_events_themselves() -> None:
    out = io.StringIO()
    show = renderer("jsonl", out)
    events = streams.success()
    for event in events:
        show.observe(event)
    assert out.getvalue().splitlines() == [event.to_line() for event in events]


def test_a_terminal_that_goes_away_does_not_end_the_rollout() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    output = Output(Gone())
    output.write("x")
    assert output.lost
    output.write("y")


def test_a_bug_in_a_renderer_does_not_end_the_rollout() -> None:
    calls = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise RuntimeError

    observer = guarded(broken)
    observer(Event("x"))
    observer(Event("y"))
    assert len(calls) == 1


def test_ascii_terminals_get_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(stream).write("✗ a → b — ü\n")
    assert raw.getvalue() == b"x a -> b - ?\n"


def test_eighty_columns_do_not_cut_the_gap_off() -> None:
    progress = Progress(streams.shop_plan())
    for event in streams.success()[:20]:
        apply(progress, event)
    progress.gap = gap_of({**streams.GAP, "sent": 501, "failed": 3, "longest_silence": 0.079})
    counters = frame(progress, "", streams.T0, width=80)[1].text
    assert counters.endswith("gap 79 ms, 3 of 501 failed")
    assert len(counters) <= 80


def test_a_rollout_that_goes_on_keeps_who_why_and_since_when() -> None:
    begun = Event(
        "rollout.started", "rtouehn-7f3a", actor="alice", reason="invoice fix", ts=streams.T0
    )
    paused = Event("rollout.paused", "rtouehn-7f3a", reason="asked for by bob", ts=streams.T0 + 5)
    clock, canvas = Clock(), Canvas()
    clock.time = streams.T0 + 30
    view = LiveView(canvas, streams.shop_plan(), clock, before=[begun, paused])
    view.observe(Event("rollout.resumed", "rtouehn-7f3a", actor="alice", ts=streams.T0 + 29))
    header = canvas.drawn[-1][0].text
    assert "30 s of about" in header
    assert "by alice  invoice fix" in header
    assert "PAUSED" not in header


def test_lines_of_before_are_not_told_again() -> None:
    out = io.StringIO()
    clock = Clock()
    clock.time += 60
    show: Any = renderer("plain", out, streams.shop_plan(), clock, before=middle())
    show.tick()
    assert "2 of 5 instances done; web2 shop.api in soak for 30 s" in out.getvalue()
    assert len(out.getvalue().splitlines()) <= 1


def test_copies_that_hand_over_are_not_said_to_be_in_traffic() -> None:
    def told(step: str, **data: Any) -> str:
        data = {"handed_over": True, "seconds": 2.0, "copy": "b", **data}
        done = Event("step.succeeded", service="bot", host="bot1", step=step, data=data)
        return moment_line(done).partition("  ")[2]

    assert told("admit", admitted=["handover"]) == "bot1 bot  copy b handles events in 2 s"
    ended = "bot1 bot  copy b takes no events any more"
    assert told("drain", evidence="COUNTED", left=0) == f"{ended} (nothing left to finish) in 2 s"
    assert told("drain", evidence="TIMED", left=0) == f"{ended} (it had died) in 2 s"
    assert told("drain", evidence="TIMED", left=1) == f"{ended} (1 event not finished) in 2 s"
