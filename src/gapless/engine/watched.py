"""What is known of one rate of one instance: its baseline, and the counts look by look. Of a new
copy that had shares of the traffic, what was counted in them is known, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gapless.drivers.checks.rates import Count
from gapless.engine.shown import Counted, Shown
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
    hosts. ``shown`` comes of shares before this window; ``elder`` is the old copy in them: as good
    as before. ``carried`` is counted on from."""

    window: Window
    ahead: float
    before: Tally | None = None
    elder: Tally | None = None
    shown: Shown | None = None
    carried: Counted | None = None
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
        mine, beside = (self.carried.new, self.carried.others) if self.carried else (None, {})
        now = _after(mine, tally_of(count))
        tick = now.since(self.now) if self.now is not None else now
        seen = {h: _after(beside.get(h), tally_of(other)) for h, other in others.items()}
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

    def counted(self, until: float) -> Counted | None:
        """All of it up to ``until``, for whoever counts on; None of nothing."""
        if self.now is None:
            return None
        return Counted(
            until, self.now, self.others, self.before, self.others_before, self.contest.wealth
        )

    def comes_after(self, shown: Shown, old: str) -> None:
        """The shares of a new copy, with ``old`` beside it. What was judged then is not judged
        again; what was not is counted on, with nobody beside it any more."""
        self.shown, counted = shown, shown.counted
        if counted is None:
            return
        others = dict(counted.others)
        had = others.pop(old, Tally())
        if shown.well:
            had = shown.last
            self.before, self.others_before = counted.before, dict(counted.others_before)
        else:
            self.count_on(replace(counted, others=others, wealth=Contest().wealth))
        self.elder = had if had.exposure > 0 else None

    def count_on(self, counted: Counted) -> None:
        """From there, and not anew. Before anything is taken."""
        self.carried = counted
        self.before, self.others_before = counted.before, dict(counted.others_before)
        self.now, self.others = counted.new, dict(counted.others)
        self.ticks, self.contest = [counted.new], Contest(counted.wealth)

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
        now, before = self.now or Tally(), self._before()
        others = [self.others[host] for host in hosts]
        others_before = [self.others_before[host] for host in known]
        return Evidence(
            now=now,
            before=before,
            lent=lend(before, total([*others_before, *others]), now, baseline),
            others=total(others),
            others_before=total(others_before),
            dispersion=self.dispersion,
            contest=self.contest.log_e,
            top=self.top,
            unseen=unseen,
            elsewhere=self.elsewhere,
        )

    def _before(self) -> Tally | None:
        return total([tally for tally in (self.before, self.elder) if tally is not None])


def _after(carried: Tally | None, tally: Tally) -> Tally:
    return tally if carried is None else tally + carried


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
