"""The bench of one rate while two copies of an instance serve beside each other.

1. A source that tells copies apart is asked for the new one and, for the same instants, for the old
   one: same host, same clients, only the release is another. Untouched hosts are asked besides.
2. The old copy is all there was before, so the baseline of its host is that of both.
3. Counting begins when the first share was given, and goes on through all of them. What it came to
   at the end of a share is kept (shown.py): a controller that goes on counts on from there.
4. A source that does not tell them apart is asked for the instance as always: what the new copy
   does wrong is then a part of what both do. It is looked at all the same, because a message never
   seen before, or errors enough, still tell.
"""

from __future__ import annotations

from dataclasses import replace

from gapless.drivers.checks.rates import CountsCopies
from gapless.engine.bench import Bench, batch_of
from gapless.engine.context import InstanceContext
from gapless.engine.copies import new_of, old_of
from gapless.engine.look import Look, look_at, unknown
from gapless.engine.shown import Shown, named, shown_of
from gapless.engine.watched import Watched
from gapless.engine.windows import untouched, window_beside
from gapless.errors import FenceRefused, GaplessError
from gapless.judge.tally import Tally


class BesideBench:
    """Looks at one new copy. Made for each shift: what is counted later is another matter."""

    def __init__(self, bench: Bench, ctx: InstanceContext) -> None:
        clock = ctx.rollout.clock
        self._bench = bench
        self._watched = Watched(window_beside(ctx), clock.now() - clock.monotonic())
        self._since = self._until = self._watched.window.since + bench.config.grace
        self.config = bench.config
        self._old = named(old_of(ctx).instance)
        self._before_share = Tally()
        shown = shown_of(ctx, bench.source.name)
        if shown is not None and shown.counted is not None:
            self._watched.count_on(shown.counted)
            self._since = self._until = max(self._since, shown.counted.until)
            self._before_share = self._had()

    async def begin(self, ctx: InstanceContext) -> None:
        """Before it gets its next share."""
        if isinstance(self._bench.source, CountsCopies):
            await self._bench.source.begin_copy(new_of(ctx).instance)

    async def look(self, ctx: InstanceContext) -> Look:
        """Ask for everything since the first share, and judge it."""
        source = self._bench.source
        if not isinstance(source, CountsCopies):
            return await self._bench.look_with(ctx, self._watched)
        try:
            answered = await self._ask(ctx, source)
        except FenceRefused:
            raise
        except GaplessError as error:
            where = f" ({error.evidence})" if error.evidence else ""
            return unknown(source.name, f"no answer: {error.what}{where}", self._begins)
        if not answered:
            return unknown(source.name, "no data of the new copy", self._begins)
        evidence = replace(
            self._watched.evidence(self.config.baseline), others_are=self._others(ctx)
        )
        rules = self._bench.rules(ctx.service, batch_of(ctx), evidence)
        return look_at(evidence, rules, source.name, f" of copy {new_of(ctx).slot}", self._begins)

    def shown(self, look: Look) -> Shown | None:
        """What it came to by this look, at the end of a share; None where the source does not tell
        the copies apart."""
        source, had = self._bench.source, self._had()
        if not isinstance(source, CountsCopies):
            return None
        last, self._before_share = had.since(self._before_share), had
        return Shown(source.name, look, self._watched.counted(self._until), last)

    def _had(self) -> Tally:
        """What the old copy was counted up to now."""
        return self._watched.others.get(self._old, Tally())

    @property
    def _begins(self) -> str:
        return self._watched.window.begins

    def _others(self, ctx: InstanceContext) -> str:
        old = f"copy {old_of(ctx).slot}"
        return f"{old} and untouched hosts" if len(self._watched.others) > 1 else old

    async def _ask(self, ctx: InstanceContext, source: CountsCopies) -> bool:
        watched, since = self._watched, self._since
        until = watched.ahead + ctx.rollout.clock.monotonic()
        if until <= since:
            return False
        hosts = untouched(ctx) if self.config.controls else ()
        await self._bench.ask_before(ctx.host, watched, hosts)
        new = await source.count_copy(new_of(ctx).instance, since, until)
        if new is None:
            return False
        old = old_of(ctx).instance
        beside = await source.count_copy(old, since, until)
        others = {} if beside is None else {self._old: beside}
        if watched.before is not None and not watched.before.exposure:
            watched.before = None  # nobody asked for anything: the old copy lends what it has now
        if watched.before is not None:
            watched.others_before.update(dict.fromkeys(others, watched.before))
        others |= await self._bench.counts(hosts, since, until)
        alike = {name: one for name, one in others.items() if _alike(one.total, new.total)}
        watched.take(new, alike)
        self._until = until
        return True


def _alike(one: int | None, other: int | None) -> bool:
    return (one is None) == (other is None)
