"""What is told of a flip to whoever asked for it."""

from __future__ import annotations

from gapless.supervisor.copy import Copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLIPPED, KEPT, DOWN = 0, 4, 5
"""Codes of a reply: flipped; the old copy serves on; nothing serves."""


def reply(
    code: int, what: str, copy: Copy | None, evidence: str, *, serves: Copy | None, notes: list[str]
) -> dict[str, Any]:
    """``copy`` is the one that it is about, ``serves`` the one that serves; ``notes`` are for who
    flipped."""
    lines, source = copy.last or copy.last_lines() if copy else ([], "")
    return {
        "ok": code == FLIPPED,
        "code": code,
        "what": what,
        "evidence": evidence,
        "log": lines if code else [],
        "log_source": source,
        "pid": copy.pid if copy else 0,
        "generation": copy.number if copy else 0,
        "seconds": copy.seconds() if copy else {},
        "settings_of": copy.settings_of if copy else None,
        "warnings": [*notes] if code == FLIPPED else [],
        "serves": {"generation": serves.number, "pid": serves.pid} if serves else None,
    }
