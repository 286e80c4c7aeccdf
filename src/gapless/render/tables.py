"""Status, history, locks and doctor as aligned plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gapless.model import Verdict
from gapless.render.layout import INDENT, labelled, screen, table
from gapless.render.rows import FindingRow, LockRow, RolloutRow, StatusRow
from gapless.render.words import ago, hosts, moment, plural, seconds


def render_status(
    rows: Sequence[StatusRow],
    now: float,
    unfinished: Sequence[RolloutRow] = (),
    width: int = 0,
) -> str:
    """One line per instance; then mixed versions, and rollouts that are not over."""
    header = ("SERVICE", "HOST", "STATE", "RELEASE", "TRAFFIC", "SINCE", "RESTARTS", "CHECKS")
    spare = ("RESTARTS", "SINCE", "TRAFFIC")
    lines = table(header, (_status(row, now) for row in rows), width, spare)
    return screen([*lines, *_mixed(rows), *(line for row in unfinished for line in _open(row))])


def _mixed(rows: Sequence[StatusRow]) -> Iterator[str]:
    for service in dict.fromkeys(row.service for row in rows):
        where: dict[str, list[str]] = {}
        for row in rows:
            if row.service == service and row.release:
                where.setdefault(row.release, []).append(row.host)
        if len(where) > 1:
            told = "   ".join(f"{release}: {hosts(names)}" for release, names in where.items())
            yield from ("", f"{service} runs mixed versions  {told}")


def _open(row: RolloutRow) -> Iterator[str]:
    yield ""
    yield f"{row.verb} of {', '.join(row.services)} is {row.state} (rollout {row.id})"
    yield from labelled("next", _WAYS.get(str(row.state), "gapless watch {id}").format(id=row.id))


_WAYS = {
    "interrupted": "gapless resume {id}   or   gapless abort {id}",
    "paused": "gapless resume {id}   or   gapless promote {id}   or   gapless abort {id}",
}


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


def render_history(rows: Sequence[RolloutRow], now: float, width: int = 0) -> str:
    """One line per rollout, newest first."""
    if not rows:
        return "No rollout yet.\n"
    header = ("ROLLOUT", "STARTED", "TOOK", "VERB", "OUTCOME", "BY", "SERVICES", "REASON")
    spare = ("REASON", "BY", "TOOK", "VERB")
    return screen(table(header, (_rollout(row, now) for row in rows), width, spare))


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
    lines = table(header, (_lock(row, now) for row in rows))
    dead = dict.fromkeys(row.rollout for row in rows if not row.live and not row.host)
    ways = (_WAYS["interrupted"].format(id=rollout) for rollout in dead)
    behind = [_LEFT_BEHIND] if any(row.host for row in rows) else []
    return screen([*lines, *behind, *(labelled("next", "\n".join(ways)) if dead else ())])


_LEFT_BEHIND = "What an ended rollout left on a host is taken over by the next rollout."


def _lock(row: LockRow, now: float) -> tuple[str, ...]:
    alive = f"left on {row.host}" if row.host else "yes" if row.live else "no"
    where = f"{row.controller} pid {row.pid}"
    return (row.service, row.owner, where, ago(row.since, now), row.rollout, alive, row.reason)


def render_doctor(findings: Sequence[FindingRow]) -> str:
    """What is wrong first, each with its remedy; then one line about what is well."""
    bad = [finding for finding in findings if not finding.verdict.passed]
    lines = [line for finding in bad for line in _finding(finding)]
    good = len(findings) - len(bad)
    machines = hosts(dict.fromkeys(finding.host for finding in findings))
    told = f"{plural(len(findings), 'check')} on {machines or 'no host'}: {good:,} passed"
    lines.append(f"{told}, {plural(len(bad), 'problem')}.")
    if findings and not bad:
        asked = ", ".join(dict.fromkeys(finding.check for finding in findings))
        lines += labelled("asked", asked)
    return screen(lines)


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
