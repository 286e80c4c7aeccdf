"""The kit finds what is wrong with a program, and says when it cannot tell."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gapless.handover_kit.table import CASES, NAMES
from tests.handover.playing import FLAWED_BOT, all_of, played, told

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "handover.md"

FLAWS = {
    "answers-at-once": ("standby-handles-nothing", "twice-the-same"),
    "throws-away": ("activate-replays-buffer", "abort-while-draining"),
    "believes-its-environment": ("restart-in-joint", "both-killed"),
    "no-lock": ("activate-replays-buffer", "twice-the-same"),
    "never-too-old": ("no-state-old", "orchestrator-dies"),
    "always-too-old": ("no-state-fresh", "clock-behind"),
    "lofty": ("obsolete-orchestrator", "old-revived", "restart-in-joint", "nonsense"),
    "always-open": ("lock-broken",),
    "always-closed": ("lock-broken",),
    "forgetful": ("takeover", "old-hangs"),
    "no-units": ("takeover-before-ready", "wrong-state"),
    "connects-first": ("old-revived",),
    "deaf": ("signals",),
    "never-ends": ("deactivate-finishes", "deadline"),
    "takes-it-along": ("standby-told-to-end",),
    "ends-badly": ("deactivate-finishes", "deadline", "signals"),
    "hides-its-end": ("old-revived",),
    "silent": ("deadline",),
}


def test_each_flaw_is_found() -> None:
    missed: dict[str, list[str]] = {}
    turns = asyncio.Semaphore(3)

    async def torment(flaw: str) -> None:
        async with turns:
            results = await all_of((*FLAWED_BOT, flaw), *FLAWS[flaw], patience=2.5)
        missed[flaw] = [name for name, one in results.items() if one.outcome != "FAIL"]

    async def all_flaws() -> None:
        async with asyncio.TaskGroup() as group:
            for flaw in FLAWS:
                group.create_task(torment(flaw))

    asyncio.run(all_flaws())
    assert missed == {flaw: [] for flaw in FLAWS}


def test_the_cases_are_those_of_the_page() -> None:
    table = PAGE.read_text().partition("## Cases")[2].split("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)] == list(NAMES)


def test_without_a_gateway_what_needs_events_is_inconclusive() -> None:
    argv = (sys.executable, str(Path(__file__).with_name("quiet_program.py")))
    names = ("restart-in-joint", "takeover", "old-revived", "lock-broken", "signals")
    results = played(argv, *names, gateway="")
    for case in CASES:
        if case.name in names:
            result = results[case.name]
            assert result.outcome == ("INCONCLUSIVE" if case.events else "PASS"), told(results)
            assert not case.events or "--gateway-env" in result.why


def _verify(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gapless", "handover", "verify", *words],
        env={**os.environ, **({"TMPDIR": str(folder)} if folder else {})},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_list_needs_no_program() -> None:
    listed = json.loads(_verify("--list", "--json").stdout)
    assert [case["case"] for case in listed] == list(NAMES)


def test_a_failed_case_ends_with_3_and_its_evidence(tmp_path: Path) -> None:
    program = (sys.executable, "-c", "exit('words of it')")
    words = ("--case", "nonsense", "--timeout", "2s")
    found = _verify(*words, "--", *program, folder=tmp_path)
    assert found.returncode == 3, found
    assert "FAIL" in found.stdout and "words of it" in " ".join(found.stdout.split())
    found = _verify(*words, "--json", "--", *program, folder=tmp_path)
    said = json.loads(found.stdout)
    assert said["exit_code"] == found.returncode == 3
    assert said["summary"] == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 0}
    assert "words of it" in said["cases"][0]["why"]
    assert not list(tmp_path.iterdir())


def test_a_folder_with_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    program = Path(__file__).with_name("quiet_program.py")
    found = _verify("--case", "nonsense", "--", sys.executable, str(program), folder=folder)
    assert found.returncode == 0, found


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--case", "takeovr", "--", "true"),
        ("--gateway-env", "A B", "--", "true"),
        ("--gateway-env", "HANDOVER_DIR", "--", "true"),
        ("--lock", "paper", "--", "true"),
        ("--timeout", "0", "--", "true"),
    ],
)
def test_a_command_line_that_makes_no_sense(words: tuple[str, ...]) -> None:
    found = _verify(*words)
    assert found.returncode == 2, found
    assert not found.stdout


def test_it_is_told_to_end_and_leaves_nothing(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    tells = "open(os.environ['PIDS'], 'a').write(f'{os.getpid()} ')"
    program = f"import os, signal; {tells}; signal.pause()"
    kit = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gapless",
            "handover",
            "verify",
            "--",
            sys.executable,
            "-c",
            program,
        ],
        env={**os.environ, "PIDS": str(pids), "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 30
    while not pids.exists() or not pids.read_text().strip():
        assert time.monotonic() < ends
        time.sleep(0.02)
    kit.send_signal(signal.SIGTERM)
    assert kit.wait(30) == 130
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}").exists()
    assert not list(tmp_path.glob("gapless-*"))
