"""What can go wrong, when and where: a list of faults that the world holds against every call.

A fault strikes a verb of a transport (``act``, ``ask`` …) or of a fake balancer (``drain`` …, host
``balancer:NAME``), before it does anything, while it is under way, or after it did everything but
before the answer arrives — the case in which a naive retry acts twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class When(StrEnum):
    """At which moment of a call a fault strikes."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class What(StrEnum):
    """What goes wrong."""

    HOST_KEY = "host key"
    """The host shows another key than the known one: of ``connect``, before anything else."""
    UNREACHABLE = "unreachable"
    """The connection is down for ``seconds``; calls and connects are refused."""
    LOST = "lost"
    """The connection breaks once; a critical action goes on without us."""
    DEADLINE = "deadline"
    """No answer in time."""
    HOST_FAULT = "host fault"
    """The helper cannot do it: ``text``."""
    EXIT = "exit"
    """The (first) command of the call ends with ``status`` and does nothing."""
    REBOOT = "reboot"
    """The host goes down and is back after ``seconds``."""
    SLOW = "slow"
    """It takes ``seconds`` longer."""
    REFUSE = "refuse"
    """A balancer says no: ``text``."""
    LIE = "lie"
    """A balancer says yes and does nothing."""


@dataclass
class Fault:
    """One fault. "" for ``verb`` or ``host`` means any; ``about`` must be part of what the call is
    about (its command lines, unit, path, probe names). It lets ``skip`` matching calls pass and
    then strikes ``times`` of them. ``delay`` seconds into the call for DURING."""

    what: What
    when: When = When.BEFORE
    verb: str = ""
    host: str = ""
    about: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 5.0
    delay: float = 0.05
    status: int = 1
    text: str = "No space left on device"
    struck: int = 0

    def matches(self, host: str, verb: str, about: str) -> bool:
        """Whether the call is one of those it is meant for."""
        return (
            self.host in ("", host)
            and (not self.verb or verb in self.verb.split())
            and self.about in about
        )


class Faults:
    """The faults still to come, and those that struck."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.planned = list(faults)
        self.struck: list[tuple[Fault, str, str]] = []

    def add(self, fault: Fault) -> Fault:
        """Plan one more; returns it."""
        self.planned.append(fault)
        return fault

    def take(self, host: str, verb: str, about: str = "") -> Fault | None:
        """The fault that strikes this call, if any."""
        if not self.planned:
            return None
        for fault in self.planned:
            if not fault.matches(host, verb, about):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.struck < fault.times:
                fault.struck += 1
                self.struck.append((fault, host, verb))
                return fault
        return None
