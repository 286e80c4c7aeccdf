"""Copies of odd epochs are Python, those of even epochs what the arguments say, or Node.js: one
folder, one lock."""

from __future__ import annotations

import os
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples" / "handover-bot"

if int(os.environ["HANDOVER_EPOCH"]) % 2:
    os.execv(sys.executable, [sys.executable, str(EXAMPLES / "bot.py")])
if others := sys.argv[1:]:
    os.execvp(others[0], others)
node = os.environ.get("NODE", "node")
os.execvp(node, [node, str(EXAMPLES / "bot.mjs")])
