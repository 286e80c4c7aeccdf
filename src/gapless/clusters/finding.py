"""Something that is not as it has to be before a member may be touched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``code`` is a few words that never change, as ``group-not-full``. ``where`` names the group
    or the member, ``what`` says it with its number, ``evidence`` is what was asked and answered,
    and ``next`` the command or the remedy."""

    code: str
    where: str
    what: str
    evidence: str = ""
    next: str = ""
    absolute: bool = False
    """No reason is good enough: not even ``--force`` goes past it."""
    member: str = ""
    """Id of the member that is in trouble, where it is about one alone: to restart that one may be
    what mends it."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
