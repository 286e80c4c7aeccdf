"""Status, history, locks and doctor as aligned plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gapless.engine.standing import ways_on
from gapless.model import Verdict
from gapless.places import machine_of
from gapless.render.layout import INDENT, following, labelled, screen, table, wrap
from gapless.render.rows import FindingRow, HostLockRow, LockRow, RolloutRow, StatusRow
from gapless.render.spelling import spelled
from gapless.render.words import ago, clean, hosts, moment, plural, seconds


def render_status(
    rows: Sequence[StatusRow],
    now: float,
    unfinished: Sequence[RolloutRow] = (),
    width: int = 0,
) -> str:
    """One line per instance; then mixed versions, and rollouts that are not over."""
    header = ("SERVICE", "HOST", "STATE", "RELEASE", "TRAFFIC", "SINCE", "RESTARTS", "CHECKS")
    spare = ("RESTARTS", "SINCE", "TRAFFIC")
    cells = [_status(row, now) for row in rows]
    lines = table(header, cells, width, spare)
    cut = bool(width) and any(line.endswith("…") for line in lines)
    if cut:  # an answer that is cut says nothing: it has lines of its own
        short = [(*row[:-1], row[-1].partition(" ")[0]) for row in cells]
        lines = table(header, short, width, spare)
    asked = [line for row in rows for line in _answer(row, width)] if cut else []
    open_ = (line for row in unfinished for line in _open(row))
    by_hand = (line for row in rows for line in _by_hand(row, now))
    told = (*by_hand, *_mixed(rows), *_switched(rows), *_drifted(rows), *_behind(rows))
    return screen([*lines, *asked, *told, *open_])


def _answer(row: StatusRow, width: int) -> Iterator[str]:
    """What was asked, answered and wanted of an instance that does not pass."""
    if row.verdict is not None and not row.verdict.passed:
        told = f"{row.service} on {row.host}: {_checks(row.verdict)}"
        first, *rest = wrap(clean(told), width - len(INDENT))
        yield from (first, *(INDENT + line for line in rest))


def _by_hand(row: StatusRow, now: float) -> Iterator[str]:
    """Who has it out of traffic and why, also where a balancer forgot; and what ends it."""
    if not row.by_hand:
        return
    who, reason = row.by_hand.get("actor") or "somebody", row.by_hand.get("reason")
    but = f", but {', '.join(row.has_it_in)} has it in" if row.has_it_in else ""
    since = ago(float(row.by_hand.get("since") or 0.0), now)
    told = f"{row.service} on {row.host}: drained by hand{but} (by {who}, {since}"
    yield from ("", clean(f"{told}{f': {reason}' if reason else ''})"))
    yield from following(f"gapless admit {row.service}@{row.host}")


def _switched(rows: Sequence[StatusRow]) -> Iterator[str]:
    """Whoever moved the link by hand did not restart anything: what runs is not known."""
    for row in rows:
        if row.last_good:
            linked = f"{row.release} is linked" if row.release else "no release is linked"
            yield from (
                "",
                f"{row.service} on {row.host}: {linked}, {row.last_good} was verified last: what"
                " runs may be either",
            )


def _drifted(rows: Sequence[StatusRow]) -> Iterator[str]:
    """Files that somebody else wrote since: the next deploy would write them anew."""
    for service in dict.fromkeys(row.service for row in rows if row.config_good):
        where = [row.host for row in rows if row.service == service and row.config_good]
        yield ""
        yield f"{service} on {hosts(where)}: configuration is not what was verified last"
        yield from following(f"gapless plan deploy {service} --diff")


def _behind(rows: Sequence[StatusRow]) -> Iterator[str]:
    """Who missed which release, and the command that brings it."""
    missed: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.behind:
            missed.setdefault((row.service, row.behind), []).append(row.host)
    for (service, release), names in missed.items():
        command = spelled(f"gapless catch-up {service}")
        yield from ("", f"{service} on {hosts(names)} missed {release}: {command}")


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
    yield from following(ways_on(row))


def render_waiting(row: RolloutRow) -> str:
    """A rollout that begins nothing new until somebody says how it goes on."""
    why = {"interrupted": "nobody works on it", "paused": "it is paused already"}
    told = f"Rollout {row.id} begins nothing new: {why[str(row.state)]}"
    return screen([told, *following(ways_on(row))])


def render_in_the_way(row: RolloutRow) -> str:
    """Below a plan that cannot be carried out before somebody ends another rollout."""
    of = f"{row.verb} of {', '.join(row.services)}"
    told = f"Refused as long as this {of} is {row.state} (rollout {row.id})"
    return screen(["", told, *following(ways_on(row))])


def _status(row: StatusRow, now: float) -> tuple[str, ...]:
    return (
        row.service,
        f"{row.host} copy {row.slot}" if row.slot else row.host,
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
    if verdict.unsure:
        return "none"
    return verdict.status.value if verdict.passed else f"{verdict.status.value}  {verdict}"


def render_history(rows: Sequence[RolloutRow], now: float, width: int = 0) -> str:
    """One line per rollout, newest first."""
    if not rows:
        return "No rollout yet.\n"
    header = ("ROLLOUT", "STARTED", "TOOK", "VERB", "OUTCOME", "BY", "SERVICES", "REASON")
    spare = ("REASON", "BY", "TOOK", "VERB")
    return screen(table(header, (_rollout(row, now) for row in rows), width, spare))


def _rollout(row: RolloutRow, now: float) -> tuple[str, ...]:
    waits = str(row.state) in ("interrupted", "paused")
    outcome = str(row.state) if waits else row.outcome or str(row.state)
    took = seconds(max(0.0, (row.ended or now) - row.started))
    many = f" and {len(row.services) - 3} more" if len(row.services) > 3 else ""
    services = " ".join(row.services[:3]) + many
    words = (row.id, moment(row.started), took if row.ended else f"{took} …", row.verb)
    return (*words, outcome.replace("_", " "), row.actor, services, row.reason)


def render_locks(
    rows: Sequence[LockRow],
    now: float,
    open_: Sequence[RolloutRow] = (),
    on_hosts: Sequence[HostLockRow] = (),
    silent: Mapping[str, str] = MappingProxyType({}),
    neighbours: Mapping[str, RolloutRow] = MappingProxyType({}),
) -> str:
    """Who owns what: as this controller knows, with the rollouts that wait for somebody, and as
    only hosts know, unless they are of ``neighbours``: other environments here, by rollout; and the
    hosts that did not say. A rollout here owns clusters on the same hosts on these alone."""
    header = ("SERVICE", "OWNER", "WHERE", "SINCE", "ROLLOUT", "ALIVE", "REASON")
    owned = [*(_lock(row, now) for row in rows), *(_known(row, now) for row in on_hosts)]
    lines = table(header, owned) if owned else []
    if not owned:
        lines.append("Nothing is locked, as far as could be asked." if silent else _FREE)
    lines += [_LEFT_BEHIND] if any(row.host for row in rows) else []
    lines += (_of_neighbour(row) for row in neighbours.values())
    ours = {row.rollout for row in rows}
    strange = [row for row in on_hosts if row.rollout not in (*neighbours, *ours)]
    if strange:
        where = ", ".join(dict.fromkeys(row.controller for row in strange))
        lines.append(f"What only hosts know is {where}'s: go on there, or break it.")
    lines += (f"Not asked: {host}: {why}" for host, why in silent.items())
    waiting = [ways_on(row) for row in (*open_, *neighbours.values())]
    broken = [
        spelled(f"gapless lock break {name}") for name in dict.fromkeys(r.service for r in strange)
    ]
    next_ = "\n".join(dict.fromkeys([*waiting, *broken]))
    return screen([*lines, *(following(next_) if next_ else ())])


def _of_neighbour(row: RolloutRow) -> str:
    what = f"{row.verb} of {', '.join(row.services)}"
    return f"Rollout {row.id} is one of {row.environment} here: {what}, {row.state}."


_FREE = "Nothing is locked."
_LEFT_BEHIND = "What an ended rollout left on a host is taken over by the next rollout."


def _lock(row: LockRow, now: float) -> tuple[str, ...]:
    alive = f"left on {row.host}" if row.host else "yes" if row.live else "no"
    where = f"{row.controller} pid {row.pid}"
    return (row.service, row.owner, where, ago(row.since, now), row.rollout, alive, row.reason)


def _known(row: HostLockRow, now: float) -> tuple[str, ...]:
    alive = f"{'yes' if row.live else 'no'}, says {hosts(row.hosts)}"
    where = f"{row.controller} pid {row.pid}"
    return (row.service, row.owner, where, ago(row.since, now), row.rollout, alive, row.reason)


def render_doctor(findings: Sequence[FindingRow]) -> str:
    """What is wrong first, each with its remedy; then one line about what is well."""
    bad = [finding for finding in findings if not finding.verdict.passed]
    lines = [line for finding in bad for line in _finding(finding)]
    good = len(findings) - len(bad)
    named = dict.fromkeys(machine_of(finding.host) for finding in findings)
    machines = [hosts(name for name in named if name), "here" if "" in named else ""]
    where = " and ".join(filter(None, machines)) or "no host"
    told = f"{plural(len(findings), 'check')} on {where}: {good:,} passed"
    lines.append(f"{told}, {plural(len(bad), 'problem')}.")
    if findings and not bad:
        asked = ", ".join(dict.fromkeys(finding.check for finding in findings))
        lines += labelled("asked", asked)
    return screen(lines)


def _finding(finding: FindingRow) -> Iterable[str]:
    mark = "✗" if finding.verdict.status.value == "FAIL" else "?"
    yield f"{mark}  {finding.host or 'here'}: {finding.check}"
    told = replace(finding.verdict, wanted=spelled(finding.verdict.wanted))
    yield from labelled("asked", str(told))
    if finding.remedy:
        yield from following(finding.remedy, label="remedy")


def render_check(
    project: str, counts: Mapping[str, tuple[int, int]], path: str, doctor: str
) -> str:
    """A configuration without problems; ``counts`` of services and hosts by environment."""
    told = ", ".join(
        f"{f'{environment}: ' if environment else ''}"
        f"{plural(services, 'service')} on {plural(machines, 'host')}"
        for environment, (services, machines) in counts.items()
    )
    return f"✓  {path}: {project}, {told}, no problems.\n{INDENT}next    {spelled(doctor)}\n"
