"""What the helper tells the controller when it could not do what was asked."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Fault(Exception):
    """What went wrong on this host, in words for a person.

    ``kind`` decides the error on the controller: host, fence, deadline or cancelled.
    """

    def __init__(
        self, what: str, *, kind: str = "host", evidence: str = "", hint: str = ""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.kind = kind
        self.evidence = evidence
        self.hint = hint

    def to_json(self) -> dict[str, Any]:
        """As it travels."""
        return {
            "kind": self.kind,
            "what": self.what,
            "evidence": self.evidence,
            "hint": self.hint,
        }


class Cancelled(Fault):
    """The controller no longer wants the answer."""

    def __init__(self) -> None:
        super().__init__("cancelled", kind="cancelled")


def from_os_error(error: OSError, doing: str = "") -> Fault:
    """The operating system's own words, with the path they are about."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    path = error.filename if isinstance(error.filename, str) else ""
    what = ": ".join(part for part in (doing, path, reason) if part)
    return Fault(what, evidence=f"{type(error).__name__} errno {error.errno}")
