"""What a catch-up touches of a service: the hosts that missed a release, as far as they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gapless.planning.catch_up import CatchUp
from gapless.planning.choosing import Choice
from gapless.plans import NOT_ASKED_FOR, Untouched

NOTHING_MISSED = "missed nothing"
STAYS_DUE = "stays due"


def without_absent(choice: Choice, catch_up: CatchUp) -> Choice:
    """Hosts that do not answer fail nothing: they stay due. The others are told by what is known of
    them."""
    untouched = tuple(told for left in choice.untouched for told in _told(left, choice, catch_up))
    return Choice(choice.hosts, untouched)


def stays_due(left: Untouched) -> bool:
    """Whether it tells of hosts that are still behind because they do not answer."""
    return left.why.endswith(f"; {STAYS_DUE}")


def _told(left: Untouched, choice: Choice, catch_up: CatchUp) -> Iterator[Untouched]:
    reasons: dict[str, list[str]] = {}
    for host in left.hosts:
        reasons.setdefault(_why(left.why, host, choice, catch_up), []).append(host)
    for why, hosts in reasons.items():
        yield Untouched(left.service, tuple(hosts), why, left.next)


def _why(why: str, host: str, choice: Choice, catch_up: CatchUp) -> str:
    if host in choice.absent:
        return f"{why}; {STAYS_DUE}"
    if why != NOT_ASKED_FOR or host in catch_up.hosts:
        return why
    older = catch_up.older.get(host)
    return f"missed {older}, an older one: catch up again for it" if older else NOTHING_MISSED


def note_of(catch_up: CatchUp, hosts: Sequence[str]) -> str:
    """Whom it brings what, and since when they miss it."""
    missed = catch_up.missed
    if missed is None:
        return ""
    told = [f"{host} ({missed.hosts[host]})" for host in hosts[:_SHOWN]]
    more = f" and {len(hosts) - _SHOWN} more" if len(hosts) > _SHOWN else ""
    return f"missed {missed.name} in {missed.rollout}: {', '.join(told)}{more}"


_SHOWN = 3
