"""Which hosts missed the release that was verified last, as the journal has it.

1. The rollouts of the environment are looked through, newest first. A release counts as verified
   for a service when a deploy ended, the service succeeded in it and an instance was done, whatever
   happened to others; one that was taken back, by an abort, a failure or a person, does not count,
   and neither does one whose health gates were skipped.
2. A host that was done in such a deploy, verified or not, missed nothing: what it runs was brought
   on purpose. The deploy that brought it last decides, and no older one.
3. A host that the deploy was to touch, or that was not fit when its plan was made, and that was not
   done, missed the release: it was down, unreachable, sick or failed.
4. A host that nobody asked for missed nothing. A restart brings nothing, so it is passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gapless.engine.journal import Journal, RolloutRecord, RolloutState, every_event
from gapless.plans import Plan, ServicePlan, Verb

_LOOKED_THROUGH = 200
"""Rollouts, newest first."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A verified release as the plan of its rollout holds it, and the hosts that missed it with
    why."""

    rollout: str
    release: Mapping[str, Any]
    hosts: Mapping[str, str]

    @property
    def name(self) -> str:
        """The version."""
        return str(self.release.get("name", ""))


def missed_by(
    journal: Journal, hosts_of: Mapping[str, Collection[str]], environment: str = ""
) -> dict[str, tuple[Missed, ...]]:
    """What hosts of services missed, by service, newest release first; services of which nobody
    missed anything are not in it."""
    search = _Search({name: set(hosts) for name, hosts in hosts_of.items()})
    for record in journal.rollouts(_LOOKED_THROUGH):
        if not any(search.open.values()):
            break
        if record.environment != environment or record.state is not RolloutState.ENDED:
            continue
        if record.verb == Verb.ROLLBACK and not record.parent:
            search.take_back(record, journal.load(record.id)[1])
        elif record.verb == Verb.DEPLOY and record.outcome in ("done", "mixed"):
            _look(journal, record, search)
    return {name: tuple(found) for name, found in search.found.items() if found}


@dataclass
class _Search:
    """Hosts of which nothing is known yet, by service; and what was found."""

    open: dict[str, set[str]]
    found: dict[str, list[Missed]] = field(default_factory=dict)
    withdrawn: set[tuple[str, str]] = field(default_factory=set)

    def take_back(self, record: RolloutRecord, plan: Plan) -> None:
        """A rollback by hand withdraws what it took back, wherever it got to."""
        if record.outcome in ("done", "mixed"):
            self.withdrawn.update((plan.parent, name) for name in record.services)


def _look(journal: Journal, record: RolloutRecord, search: _Search) -> None:
    names = [name for name in record.services if search.open.get(name)]
    names = [name for name in names if (record.id, name) not in search.withdrawn]
    back = {name for child in journal.children(record.id) for name in child.services}
    names = [name for name in names if name not in back]
    if not names:
        return
    _, plan = journal.load(record.id)
    verified = () if plan.force else _verified(journal, record)
    steps = journal.steps(record.id)
    for name in names:
        service = plan.service(name)
        if not service.to:
            continue
        key = f"{service.key_prefix}/{{}}/{name}/outcome"
        done = {h for h in service.hosts if (s := steps.get(key.format(h))) is not None and s.good}
        good = name in verified and bool(done)
        missed = _wanted(service, search.open[name] - done) if good else {}
        if missed:
            why = {host: text or _why(steps.get(key.format(host))) for host, text in missed.items()}
            search.found.setdefault(name, []).append(Missed(record.id, dict(service.to), why))
        search.open[name] -= {*done, *missed}


def _verified(journal: Journal, record: RolloutRecord) -> Collection[str]:
    """Services that succeeded in it: all of one that is done, else those that it said so of."""
    if record.outcome == "done":
        return record.services
    events = every_event(journal, record.id)
    return {event.service for event in events if event.type == "service.succeeded"}


def _wanted(service: ServicePlan, hosts: Iterable[str]) -> dict[str, str]:
    """Of these hosts those it was to touch, or would have had it been possible; and why it was not
    when the plan was made ("" when it was)."""
    known = {**dict.fromkeys(service.hosts, ""), **service.unfit, **service.absent}
    return {host: known[host] for host in known if host in frozenset(hosts)}


def _why(outcome: Any) -> str:
    error = outcome.result.get("error", {}) if outcome is not None else {}
    return str(error.get("what") or "it was not done")
