"""A request that is not done, and what its answer says."""

from __future__ import annotations


class Refusal(Exception):
    """``error`` is the word for it; ``others`` stand next to it in the answer."""

    def __init__(self, status: int, error: str, **others: object) -> None:
        super().__init__(error)
        self.status = status
        self.said = {"error": error, **others}
