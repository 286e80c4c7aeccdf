"""Who runs what a deploy would bring and is not where it should be all the same.

1. It gets no traffic. A deploy does not let it in: it may be out on purpose, and whoever is let in
   is asked first whether it is well. It is told, with the command for it.
2. There are containers of the service that are of no instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gapless.drivers.balancers.base import MemberState
from gapless.engine.in_balancers import InBalancer
from gapless.planning.survey import Seen, Survey

_NO_TRAFFIC = "gets no traffic"


@dataclass(frozen=True, slots=True)
class Unserved:
    """Why an instance gets no traffic; ``verb`` is that of the command that ends it."""

    why: str = ""
    verb: str = ""

    def ends(self, service: str, hosts: Sequence[str]) -> str:
        """The command for these; "" where nothing has to end."""
        if self.verb == "admit":
            return f"gapless admit {' '.join(f'{service}@{host}' for host in hosts)}"
        return f"gapless doctor --hosts {','.join(hosts)}" if self.verb else ""


def unserved(name: str, host: str, survey: Survey | None) -> Unserved:
    """What is to be said of one that has nothing to be deployed."""
    if survey is None:
        return Unserved()
    seen = survey.of(name, host)
    now = seen.observation if seen is not None else None
    if now is not None and (others := now.detail.get("besides")):
        return Unserved(f"there is {others} besides it", "doctor")
    return next(_trouble(survey.in_balancers(name, host), seen), Unserved())


def _trouble(standing: Iterable[InBalancer], seen: Seen | None) -> Iterator[Unserved]:
    for one in standing:
        states = {member.state for member in one.members}
        if one.silence is not None:
            yield Unserved(f"{one.balancer} cannot be asked: {one.silence.what}", "doctor")
        elif MemberState.MISSING in states:
            verb = "admit" if one.joins else "doctor"
            yield Unserved(f"{_NO_TRAFFIC}: {one.balancer} has no member for it", verb)
        elif states & {MemberState.DRAINED, MemberState.DRAINING}:
            yield Unserved(f"{_NO_TRAFFIC}: {_out_by(one, seen)}", "admit")
        elif MemberState.DOWN in states:
            yield Unserved(f"{_NO_TRAFFIC}: {one.balancer} reports it down", "doctor")


def _out_by(one: InBalancer, seen: Seen | None) -> str:
    if seen is not None and seen.by_hand:
        return f"drained by hand ({seen.by_hand})"
    left = " by an earlier rollout" if seen is not None and seen.left_out else ""
    return f"it is left out of {one.balancer}{left}" if left else f"it is out of {one.balancer}"
