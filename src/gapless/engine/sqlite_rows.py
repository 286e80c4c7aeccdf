"""Records as the embedded journal keeps them: JSON in a column."""

from __future__ import annotations

import json

from gapless.engine.journal import LockRecord, RolloutRecord, RolloutState


def dumped(record: RolloutRecord | LockRecord) -> str:
    """All its fields."""
    return json.dumps({name: getattr(record, name) for name in record.__dataclass_fields__})


def loaded_rollout(text: str) -> RolloutRecord:
    """What ``dumped`` told."""
    data = json.loads(text)
    data["services"] = tuple(data["services"])
    data["state"] = RolloutState(data["state"])
    return RolloutRecord(**data)


def loaded_lock(text: str) -> LockRecord:
    """What ``dumped`` told."""
    return LockRecord(**json.loads(text))
