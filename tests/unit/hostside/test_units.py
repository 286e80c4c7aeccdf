"""What is asked of the journal of a unit, and how its answer is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.hostside.calls import Call
from gapless.hostside.units import tail

# With --since alone, --lines counts from the oldest: so it is in many versions of systemd.
JOURNALCTL = """\
#!/bin/sh
case "$*" in *--reverse*) newest=1 ;; esac
if [ "$newest" ]; then
  printf '%s\\n' '2026-01-01T00:00:09 h app[1]: Traceback' '                 line 2' \
    '2026-01-01T00:00:08 h app[1]: before it'
else
  echo '2026-01-01T00:00:01 h app[1]: oldest'
fi
"""


def test_the_newest_lines_are_told_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "journalctl"
    program.write_text(JOURNALCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    told = tail(Call(1, "tail", {"unit": "app", "since": 0.0, "lines": 2, "identity": ""}))
    assert [line.partition(": ")[2] or line.strip() for line in told.splitlines()] == [
        "before it",
        "Traceback",
        "line 2",
    ]
