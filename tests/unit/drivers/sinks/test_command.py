"""Programs that get events on standard input."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from gapless.config.project import SinkConfig
from gapless.drivers.sinks import command
from gapless.drivers.sinks.hub import SinkHub
from gapless.events.event import Event


def tell(argv: list[str], folder: Path, count: int = 1) -> tuple[str, ...]:
    async def run() -> tuple[str, ...]:
        async with SinkHub([SinkConfig(command=argv)], folder) as hub:  # type: ignore[arg-type]
            for number in range(1, count + 1):
                hub.offer(Event("rollout.started", "r1", seq=number))
        return hub.complaints

    return asyncio.run(run())


def test_it_gets_one_event_per_run_without_a_shell(tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"
    out = tmp_path / "out $(id)"
    assert tell([sys.executable, "-c", program, str(out)], tmp_path, 3) == ()
    assert [json.loads(line)["seq"] for line in out.read_text().splitlines()] == [1, 2, 3]


def test_its_failure_is_told_with_its_last_words(tmp_path: Path) -> None:
    program = "import sys; sys.exit('no such channel')"
    assert "no such channel" in tell([sys.executable, "-c", program], tmp_path)[0]


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    assert "/no/such/program" in tell(["/no/such/program"], tmp_path)[0]


@pytest.mark.alone
def test_a_program_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gapless.drivers.sinks.registry.CommandSink", Impatient)
    began = time.monotonic()
    complaints = tell(["sleep", "60"], tmp_path)
    assert time.monotonic() - began < 2
    assert "no end within 0.2 s" in complaints[0]


class Impatient(command.CommandSink):
    """The same with a short deadline."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        super().__init__(argv, deadline=0.2)
