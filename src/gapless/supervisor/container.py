"""What Docker says about a container: is it running, and healthy where it has a health check?"""

from __future__ import annotations

import json

from gapless.supervisor.evidence import status, words
from gapless.supervisor.http_answer import HttpAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def verdict(answer: HttpAnswer) -> tuple[bool, str, str]:
    """Whether it is good, what it is, and the words of Docker."""
    if answer.fault or answer.status != 200:
        return False, status(answer), words(answer)
    try:
        return _of_state(json.loads(answer.body)["State"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False, "an answer without State.Running", words(answer)


def _of_state(state: dict[str, Any]) -> tuple[bool, str, str]:
    """A container that is being restarted, or stands still, is Running, too. Where there is no
    health check, Health is missing, or without a status, or its status is ``none``."""
    halt = next((name for name in ("Restarting", "Paused") if state.get(name)), "")
    running = state["Running"] is True and not halt
    health = (state.get("Health") or {}).get("Status") or "none"
    what = "running" if running else halt.lower() or str(state.get("Status") or "not running")
    told = "" if health == "none" else f", {health}"
    return running and health in ("none", "healthy"), what + told, ""
