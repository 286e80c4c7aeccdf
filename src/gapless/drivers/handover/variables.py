"""The variables that a copy is started with."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.config.handover_service import HandoverConfig
from gapless.drivers.handover.view import PROTOCOL


def variables(
    config: HandoverConfig,
    name: str,
    epoch: int,
    role: str,
    folder: str,
    now: float,
) -> Mapping[str, str]:
    """As the protocol has them; ``now`` in seconds since the epoch."""
    return {
        "HANDOVER_PROTOCOL": PROTOCOL,
        "HANDOVER_DIR": folder,
        "HANDOVER_ID": name,
        "HANDOVER_EPOCH": str(epoch),
        "HANDOVER_ROLE": role,
        "HANDOVER_STARTED_AT": str(round(now * 1000)),
        "HANDOVER_MAX_AGE": f"{config.max_age:g}",
        "HANDOVER_LOCK": config.lock,
        "HANDOVER_LOCK_WHEN": config.when,
        "HANDOVER_LOCK_FAIL": config.fail,
        # without it, it is the folder's name: the same for a copy that a person started there
        **({"HANDOVER_NAMESPACE": config.namespace} if config.namespace else {}),
        "HANDOVER_BUFFER": f"{config.buffer:g}",
    }
