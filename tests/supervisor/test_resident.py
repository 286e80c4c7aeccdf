"""What stays resident is small, asleep, and nothing but the standard library."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from gapless.supervisor import processes
from tests.supervisor.rig import PYTHON, ROOT, Rig, until

Web = Callable[..., Rig]

HEAVY = {
    "asyncio", "subprocess", "http", "http.client", "ssl", "logging", "urllib", "urllib.request",
    "pathlib", "yaml", "pydantic", "click", "typing", "threading", "selectors_", "argparse",
}  # fmt: skip
LOADED = """\
import sys, types
sys.modules["gapless"] = types.ModuleType("gapless")
sys.modules["gapless"].__path__ = [sys.argv[1]]
import gapless.supervisor.supervisor
print(*sys.modules)
"""


def test_nothing_heavy_is_loaded() -> None:
    done = subprocess.run(
        [*PYTHON, "-c", LOADED, str(ROOT / "src" / "gapless")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not HEAVY & set(done.stdout.split())
    ours = {name for name in done.stdout.split() if name.startswith("gapless.")}
    assert {name.split(".")[1] for name in ours} == {"supervisor"}


def test_it_sleeps_while_nothing_happens(web: Web) -> None:
    rig = web().start()
    assert rig.flip()["ok"]
    until(lambda: not rig.serves()["draining"])
    everybody = {pid for pid in rig.everybody() if pid != rig.active()}
    until(lambda: all(processes.state(pid) == "S" for pid in everybody))
    before = {pid: _woken(pid) for pid in everybody}
    time.sleep(2.0)  # what is measured is that nothing happens in a time
    assert {pid: _woken(pid) for pid in everybody} == before
    assert _status(rig.pid, "Threads") == 1


def test_it_is_small(web: Web) -> None:
    """At most 15 MB. Debian's Python has 9 of them; builds of it that start from more may have as
    much more."""
    rig = web().start()
    assert rig.flip()["ok"]
    bare = max(_bare(), 9 * 1024)
    assert _status(rig.pid, "VmRSS") <= 15 * 1024 + bare - 9 * 1024
    assert os.path.exists(f"/proc/{rig.pid}")


def _bare() -> int:
    """Kilobytes of a Python that does nothing."""
    asks = "print(open('/proc/self/status').read())"
    done = subprocess.run([*PYTHON, "-c", asks], capture_output=True, text=True, check=True)
    return int(done.stdout.partition("VmRSS:")[2].split()[0])


def _woken(pid: int) -> int:
    return _status(pid, "voluntary_ctxt_switches") + _status(pid, "nonvoluntary_ctxt_switches")


def _status(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    assert found
    return int(found[1])
