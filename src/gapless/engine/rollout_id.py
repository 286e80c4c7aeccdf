"""Names of rollouts."""

from __future__ import annotations


def new_rollout_id(now: float, salt: str) -> str:
    """Short, sortable by time and unique enough for one project: ``r1b2c3-7f3a``."""
    seconds = int(now)
    return f"r{_base36(seconds)}-{salt[:4]}"


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    out = ""
    while number:
        number, rest = divmod(number, 36)
        out = digits[rest] + out
    return out or "0"
