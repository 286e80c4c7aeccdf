"""Ids of rollouts for a shell that completes them: one question to the file, no plan is read."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RolloutId:
    """An id, and what a person needs to tell it from the others."""

    id: str
    about: str
    open: bool
    """Whether it is not over."""


def rollout_ids(folder: Path, limit: int = 50) -> tuple[RolloutId, ...]:
    """The newest rollouts of a journal's folder, without those that took another one back. Empty
    when there is no journal, or none that can be read."""
    file = folder / "journal.db"
    if not file.exists():
        return ()
    question = (
        "SELECT id, state, record FROM rollouts WHERE parent='' ORDER BY started DESC LIMIT ?"
    )
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as journal:
            rows = journal.execute(question, (limit,)).fetchall()
        return tuple(
            RolloutId(id_, _about(record), state != "ended") for id_, state, record in rows
        )
    except (sqlite3.Error, ValueError, KeyError, TypeError):
        return ()


def _about(text: str) -> str:
    record = json.loads(text)
    outcome = record.get("outcome") or record.get("state") or ""
    return f"{record['verb']} {' '.join(record['services'])}, {outcome}".rstrip(", ")
