"""What ``doctor`` found out about a host or a service, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from gapless.drivers.transports.base import Transport
from gapless.engine.steps.preflight import forcible
from gapless.errors import GaplessError
from gapless.model import Command, Verdict

ASKED_OF_THE_HOST = frozenset(("privilege", "host"))
"""Checks of a runtime that the host itself was asked already."""

_QUESTIONS = frozenset(("http", "tcp", "unix", "command"))
"""Checks of the file; what they want is an answer, and no remedy."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One question about one host and its answer; ``remedy`` is empty when all is well."""

    host: str
    check: str
    verdict: Verdict
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "host": self.host,
            "check": self.check,
            "verdict": self.verdict.to_json(),
            "remedy": self.remedy,
        }


def examined(
    host: str, service: str, unit: str, verdict: Verdict, missing: str, forced: str = ""
) -> Finding:
    """A finding of one verdict. ``missing`` is the remedy where there is no such unit, ``forced``
    the command that starts by all means what is down."""
    if verdict.passed:
        return Finding(host, service, verdict)
    if verdict.check in _QUESTIONS:
        look = f"journalctl -u {unit} -n 50 on {host}" if unit else f"gapless status {service}"
        return Finding(host, service, verdict, f"{look}; or the check asks the wrong thing")
    if verdict.look:
        remedy = f"{verdict.look} on {host}"
        return Finding(host, service, verdict, _or_forced(remedy, verdict, forced))
    # what a runtime wants is its remedy: it is told once
    remedy = missing if verdict.check == "unit" and missing else verdict.wanted
    remedy = _or_forced(remedy, verdict, forced)
    return Finding(
        host, service, replace(verdict, wanted=""), remedy or f"gapless status {service}"
    )


def _or_forced(remedy: str, verdict: Verdict, forced: str) -> str:
    return f"{remedy}; or: {forced}" if forced and forcible(verdict) else remedy


async def unit_remedy(transport: Transport, unit: str, verdicts: Sequence[Verdict]) -> str:
    """For a unit that is not there, the one that was meant; "" when nothing comes near."""
    if not any(v.check == "unit" and "no such unit" in v.answer for v in verdicts):
        return ""
    argv = ("systemctl", "list-unit-files", "--no-legend", "--plain", "--no-pager")
    try:
        done = await transport.run(Command(argv, timeout=10.0))
    except GaplessError:
        return ""
    names = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    close = get_close_matches(unit, names, n=1, cutoff=0.75)
    install = "install its file, then: systemctl daemon-reload"
    return f"did you mean '{close[0]}'? Else {install}" if close else install
