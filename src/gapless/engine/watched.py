"""What is known of one rate of one instance: its baseline, and the counts look by look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gapless.drivers.checks.rates import Count
from gapless.engine.windows import Window
from gapless.judge.contest import Contest, habit
from gapless.judge.dispersion import dispersion
from gapless.judge.gate import Evidence
from gapless.judge.tally import Tally, lend, total

Messages = tuple[tuple[str, int], ...]


def tally_of(count: Count) -> Tally:
    """A count as the judge reads it."""
    return Tally(count.errors, count.seconds, count.total)


@dataclass
class Watched:
    """``ahead``: what the wall clock was ahead of the monotonic one when it began; a clock that is
    set meanwhile moves no window. ``buckets`` cut the baseline; ``others`` are the untouched
    hosts."""

    window: Window
    ahead: float
    before: Tally | None = None
    buckets: tuple[Tally, ...] = ()
    others_before: dict[str, Tally] = field(default_factory=dict)
    now: Tally | None = None
    top: Messages = ()
    unseen: Messages = ()
    others: dict[str, Tally] = field(default_factory=dict)
    elsewhere: Messages = ()
    ticks: list[Tally] = field(default_factory=list)
    contest: Contest = field(default_factory=Contest)

    @property
    def dispersion(self) -> float:
        """How bursty its errors are."""
        return dispersion(self.now or Tally(), self.buckets, self.ticks)

    def take(self, count: Count, others: Mapping[str, Count]) -> None:
        """One more look: everything since the switch, of it and of the untouched hosts."""
        now = tally_of(count)
        tick = now.since(self.now) if self.now is not None else now
        seen = {host: tally_of(other) for host, other in others.items()}
        theirs = [
            tally.since(self.others[host]) if host in self.others else tally
            for host, tally in seen.items()
        ]
        self.now, self.top, self.unseen = now, count.top, count.unseen
        self.others.update(seen)
        self.elsewhere = tuple(m for other in others.values() for m in (*other.unseen, *other.top))
        self.ticks.append(tick)
        together = total(theirs)
        if together is not None:
            usual = habit(self.before, total([self.others_before[h] for h in self._known(seen)]))
            self.contest = self.contest.after(tick, together, self.dispersion, usual)

    def _known(self, hosts: Mapping[str, Tally]) -> list[str]:
        return [host for host in hosts if host in self.others_before]

    def evidence(self, baseline: float) -> Evidence:
        """What the judge reads; ``baseline`` seconds of before are wanted. Untouched hosts without
        a baseline are left out where others have one, so that both sums are of the same hosts."""
        known = self._known(self.others)
        hosts = known or list(self.others)
        unseen = self.unseen
        if not self.window.baseline:  # a person knows what errs everywhere
            unseen = tuple(m for m in unseen if m[0] not in {text for text, _ in self.elsewhere})
        now = self.now or Tally()
        others = [self.others[host] for host in hosts]
        others_before = [self.others_before[host] for host in known]
        return Evidence(
            now=now,
            before=self.before,
            lent=lend(self.before, total([*others_before, *others]), now, baseline),
            others=total(others),
            others_before=total(others_before),
            dispersion=self.dispersion,
            contest=self.contest.log_e,
            top=self.top,
            unseen=unseen,
            elsewhere=self.elsewhere,
        )


def together(evidence: list[Evidence], others: Evidence) -> Evidence | None:
    """The instances of a batch as one, beside the untouched hosts of one of them; None where they
    cannot be added up. Messages are judged on each alone: one at every start is no repetition."""
    unknown = any(one.reference is None for one in evidence)
    kinds = {one.now.requests is None for one in evidence}
    if len(evidence) < 2 or unknown or len(kinds) > 1:
        return None
    return Evidence(
        now=total([one.now for one in evidence]) or Tally(),
        before=total([one.before for one in evidence if one.before is not None]),
        lent=total([one.lent for one in evidence if one.lent is not None]),
        others=others.others,
        others_before=others.others_before,
        dispersion=max(one.dispersion for one in evidence),
        top=_merged([one.top for one in evidence]),
    )


def _merged(messages: list[Messages]) -> Messages:
    counts: dict[str, int] = {}
    for text, times in (message for several in messages for message in several):
        counts[text] = counts.get(text, 0) + times
    return tuple(sorted(counts.items(), key=lambda item: -item[1]))
