"""Status, history, locks and doctor as aligned plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gapless.model import Verdict
from gapless.render.layout import INDENT, labelled, screen, table
from gapless.render.rows import FindingRow, LockRow, RolloutRow, StatusRow
from gapless.render.words import ago, hosts, moment, plural, seconds


def render_status(rows: Sequence[StatusRow], now: float) -> str:
    """One line per instance."""
    header = ("SERVICE", "HOST", "STATE", "RELEASE", "TRAFFIC", "SINCE", "RESTARTS", "CHECKS")
    return screen(table(header, (_status(row, now) for row in rows)))


def _status(row: StatusRow, now: float) -> tuple[str, ...]:
    return (
        row.service,
        row.host,
        str(row.state),
        row.release or "-",
        _traffic(row.serving),
        ago(row.since or 0.0, now),
        "-" if row.restarts is None else str(row.restarts),
        _checks(row.verdict),
    )


def _traffic(serving: Any) -> str:
    if serving is None or serving == "":
        return "-"
    return {True: "in", False: "OUT"}[serving] if isinstance(serving, bool) else str(serving)


def _checks(verdict: Verdict | None) -> str:
    if verdict is None:
        return "-"
    return verdict.status.value if verdict.passed else f"{verdict.status.value}  {verdict}"


def render_history(rows: Sequence[RolloutRow], now: float) -> str:
    """One line per rollout, newest first."""
    if not rows:
        return "No rollout yet.\n"
    header = ("ROLLOUT", "STARTED", "TOOK", "VERB", "OUTCOME", "BY", "SERVICES", "REASON")
    return screen(table(header, (_rollout(row, now) for row in rows)))


def _rollout(row: RolloutRow, now: float) -> tuple[str, ...]:
    outcome = row.outcome or str(row.state)
    took = seconds(max(0.0, (row.ended or now) - row.started))
    many = f" and {len(row.services) - 3} more" if len(row.services) > 3 else ""
    services = " ".join(row.services[:3]) + many
    words = (row.id, moment(row.started), took if row.ended else f"{took} …", row.verb)
    return (*words, outcome.replace("_", " "), row.actor, services, row.reason)


def render_locks(rows: Sequence[LockRow], now: float) -> str:
    """Who owns what."""
    if not rows:
        return "Nothing is locked.\n"
    header = ("SERVICE", "OWNER", "WHERE", "SINCE", "ROLLOUT", "ALIVE", "REASON")
    return screen(table(header, (_lock(row, now) for row in rows)))


def _lock(row: LockRow, now: float) -> tuple[str, ...]:
    alive = "yes" if row.live else "no"
    where = f"{row.controller} pid {row.pid}"
    return (row.service, row.owner, where, ago(row.since, now), row.rollout, alive, row.reason)


def render_doctor(findings: Sequence[FindingRow]) -> str:
    """What is wrong first, each with its remedy; then one line about what is well."""
    bad = [finding for finding in findings if not finding.verdict.passed]
    lines = [line for finding in bad for line in _finding(finding)]
    good = len(findings) - len(bad)
    machines = hosts(dict.fromkeys(finding.host for finding in findings))
    told = f"{plural(len(findings), 'check')} on {machines or 'no host'}: {good:,} passed"
    return screen([*lines, f"{told}, {plural(len(bad), 'problem')}."])


def _finding(finding: FindingRow) -> Iterable[str]:
    mark = "✗" if finding.verdict.status.value == "FAIL" else "?"
    yield f"{mark}  {finding.host or 'here'}: {finding.check}"
    yield from labelled("asked", str(finding.verdict))
    if finding.remedy:
        yield from labelled("remedy", finding.remedy)


def render_check(project: str, services: int, machines: int, path: str) -> str:
    """A configuration without problems."""
    told = f"{plural(services, 'service')} on {plural(machines, 'host')}"
    return f"✓  {path}: {project}, {told}, no problems.\n{INDENT}next    gapless doctor\n"
