"""Two processes that claim the same events at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_RACER = """
import mmap, sys, time
from gapless.handover.claims.asking import ask
from gapless.handover.claims.urls import store_of
url, name, meeting, events, rate = sys.argv[1:]
store = store_of(url, None, "race", f"{name}:1:1:a", lambda owner: True)
ask(store.open, (), 5.0)
mine = int(name == "other")
with open(meeting, "r+b") as file:
    at = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")
won, took = [], []
for first in range(0, int(events), 100):
    at[mine] = first + 1
    # the one behind would lose all: they wait for each other
    ends = time.monotonic() + 20
    while at[1 - mine] < first + 1:
        assert time.monotonic() < ends
        time.sleep(0)
    # and meet in the middle of each hundred, so that both win and both lose
    for event in range(first, first + 100)[:: (1, -1)[mine]]:
        begun = time.perf_counter()
        if ask(lambda: store.claim(str(event), done=True), (), 5.0).won:
            won.append(event)
        took.append(time.perf_counter() - begun)
        if float(rate):
            time.sleep(max(0, begun + 1 / float(rate) - time.perf_counter()))
print(*won)
print(*(f"{each * 1e3:.4f}" for each in took))
"""


def race(folder: Path, url: str, events: int, rate: int = 0) -> list[tuple[list[int], list[float]]]:
    """What each of two won, and the milliseconds that each claim took; ``rate`` is that of one."""
    meeting = folder / "meeting"
    meeting.write_bytes(bytes(16))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, url, name, str(meeting), str(events), str(rate)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    try:
        said = [racer.communicate(timeout=90)[0].split("\n") for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    return [([int(e) for e in lines[0].split()], [float(t) for t in lines[1].split()])
            for lines in said]  # fmt: skip
