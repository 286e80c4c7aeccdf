"""The tests of ``clients/node``, by the test runner of Node.js."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.handover.node import needs_node

CLIENT = Path(__file__).parents[2] / "clients" / "node"


@needs_node
def test_the_client_for_node() -> None:
    ran = subprocess.run(
        ["node", "--test", "test/"], cwd=CLIENT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
