"""A reader that has seen enough is no error; any other broken pipe is."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import sys
from gapless.cli import main
def fails(words):
    raise BrokenPipeError(32, "of a helper")
main._command = fails
sys.exit(main.run(["status"]))
"""


def test_a_pipe_that_is_not_ours_is_no_success() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "of a helper" in done.stderr


def test_a_reader_that_went_away_is_fine() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "gapless", "--help"], stdout=writer, stderr=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
