"""The programs of docs/how-to/handover-python.md, as they stand there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.handover.site import request, variables, wait_until

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "handover-python.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def _start(program: str, given: dict[str, str], said: Path) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HANDOVER_")}
    with said.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-c", program], env=environment | given, stdout=out, stderr=out
        )


@pytest.mark.parametrize("program", PROGRAMS, ids=["asyncio", "threads"])
def test_the_session_of_the_page(tmp_path: Path, program: str) -> None:
    said = tmp_path / "said"
    copies = []
    try:
        for number in (1, 2):
            given = variables(tmp_path, f"ticker-{number}", number, LOCK_WHEN="always")
            copies.append(_start(program, given, said))
            control = tmp_path / f"ctl-ticker-{number}.sock"
            expected = "ACTIVE" if number == 1 else "STANDBY"
            wait_until(
                lambda control=control, expected=expected: (
                    control.exists() and request(control, "GET", "/readyz")[1]["state"] == expected
                )
            )
        assert request(tmp_path / "ctl-ticker-2.sock", "POST", "/activate?epoch=2")[0] == 200
        assert request(tmp_path / "ctl-ticker-1.sock", "POST", "/deactivate?epoch=2")[0] == 200
        assert copies[0].wait(10) == 0
        told = len(said.read_text().splitlines())
        wait_until(lambda: len(said.read_text().splitlines()) > told)
        copies[1].send_signal(signal.SIGTERM)
        assert copies[1].wait(10) == 0
        seconds = [int(line.split()[-1]) for line in said.read_text().splitlines()]
        assert seconds == list(range(seconds[0], seconds[-1] + 1))
    finally:
        for copy in copies:
            copy.kill()
            copy.wait()


@pytest.mark.parametrize("program", PROGRAMS, ids=["asyncio", "threads"])
def test_without_variables_it_runs_alone(tmp_path: Path, program: str) -> None:
    said = tmp_path / "said"
    copy = _start(program, {}, said)
    try:
        wait_until(lambda: "it is" in said.read_text())
        copy.send_signal(signal.SIGTERM)
        assert copy.wait(10) == 0
    finally:
        copy.kill()
        copy.wait()
