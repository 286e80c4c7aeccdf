"""Who goes first, in which groups, and never with whom: the order of one service's hosts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gapless.config.groups import hosts_on
from gapless.config.ordering import APPROVE
from gapless.config.quantities import resolve_amount
from gapless.config.rollout import GroupConfig, RolloutConfig
from gapless.errors import UsageError
from gapless.inventory import Inventory
from gapless.planning.options import PlanOptions
from gapless.plans import IN_PLACE
from gapless.strategies import canary as strategy_canary
from gapless.strategies import start_first
from gapless.strategies.rolling import First, Group, Sizes, sizes


@dataclass(frozen=True, slots=True)
class Arranged:
    """The order of the hosts of one service that are replaced, and what a reader must know of
    it."""

    size: Sizes
    canary: First
    groups: tuple[Group, ...]
    zones: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def notes_of(self, name: str) -> tuple[str, ...]:
        """For the plan of the service of this name."""
        return tuple(f"{name}: {note}" for note in self.notes)


@dataclass(frozen=True, slots=True)
class Arranging:
    """One service: all of its hosts, those that are replaced, and how many others are out."""

    name: str
    rollout: RolloutConfig
    options: PlanOptions
    inventory: Inventory
    everywhere: Sequence[str]
    chosen: frozenset[str]
    out: int
    strategy: str = "rolling"

    def arranged(self) -> Arranged:
        """Groups in their order, hosts in none last. Raises UsageError for canaries that nobody
        knows."""
        parts = list(self._parts())
        said = self.rollout.canary if self.options.canary is None else self.options.canary
        zones = self._zones()
        groups = tuple(self._group(config, members) for config, members in parts)
        first = self._first(said, self.everywhere)
        if first == 0 and self.strategy == "canary" and self.options.canary is None:
            first = strategy_canary.FIRST
        notes = [*self._cut_down(parts), *self._canary_notes(said), *self._last(groups, first)]
        if any(group.batch > 1 for group in groups):
            notes += self._zone_notes(zones)
        size = self._size(self.everywhere, self.rollout.batch)
        return Arranged(size, first, groups, zones, tuple(notes))

    def _parts(self) -> Iterator[tuple[GroupConfig | None, tuple[str, ...]]]:
        taken: set[str] = set()
        for config in self.rollout.groups:
            named = frozenset(self._hosts((config.group,)))
            members = tuple(h for h in self.everywhere if h in named and h not in taken)
            taken.update(members)
            if members:
                yield config, members
        yield None, tuple(host for host in self.everywhere if host not in taken)

    def _group(self, config: GroupConfig | None, members: Sequence[str]) -> Group:
        hosts = tuple(host for host in members if host in self.chosen)
        if config is None:
            return Group("", hosts, self._size(self.everywhere, self.rollout.batch).batch)
        approve = config.then == APPROVE
        return Group(
            config.group,
            hosts,
            self._size_of(config, members).batch,
            self._first(0 if self.options.canary is not None else config.canary, members),
            0.0 if isinstance(config.then, str) else config.then,
            approve,
        )

    def _size_of(self, config: GroupConfig, members: Sequence[str]) -> Sizes:
        if config.batch is None:
            return self._size(self.everywhere, self.rollout.batch)
        return self._size(members, config.batch)

    def _size(self, of: Sequence[str], batch: int | str) -> Sizes:
        """Shares are of ``of``; what may be out is out of all."""
        if self.options.batch is not None:
            of, batch = self.everywhere, self.options.batch
        wanted = resolve_amount(batch, len(of), at_least=1)
        if self.strategy not in IN_PLACE:
            wanted = len(self.everywhere) if self.strategy == "blue-green" else wanted
            return start_first.sizes(len(self.everywhere), batch=wanted, out=self.out)
        return sizes(
            len(self.everywhere),
            batch=wanted,
            max_unavailable=self.rollout.max_unavailable,
            out=self.out,
        )

    def _first(self, canary: int | str | tuple[str, ...], of: Sequence[str]) -> First:
        if not isinstance(canary, tuple):
            return resolve_amount(canary, len(of))
        return tuple(host for host in self._named(canary) if host in of)

    def _named(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the file, in their order; or what the command line selects."""
        if self.options.canary is None:
            return self._hosts(words)
        try:
            return self.inventory.select(",".join(words))
        except UsageError as error:
            error.what = error.what.replace("--hosts", "--canary")
            raise

    def _hosts(self, words: tuple[str, ...]) -> tuple[str, ...]:
        hosts = hosts_on(words, self.inventory.hosts, self.inventory.groups)
        return tuple(p for host in hosts for p in (host, *self.inventory.places.get(host, ())))

    def _zones(self) -> Mapping[str, str]:
        if self.rollout.spread != "zone":
            return {}
        return self.inventory.zones(self.everywhere)

    def _last(self, groups: Sequence[Group], canary: First) -> Iterator[str]:
        first = canary if isinstance(canary, tuple) else ()
        last = [host for host in groups[-1].hosts if host not in first]
        if last and len(groups) > 1:
            verb = "is" if len(last) == 1 else "are"
            yield f"{named_few(last)} {verb} in no group and {verb} replaced last"

    def _zone_notes(self, zones: Mapping[str, str]) -> Iterator[str]:
        if zones:
            yield "never two of one zone at the same time"
        chosen = (host for host in self.everywhere if host in self.chosen)
        unknown = [host for host in chosen if zones and not zones[host]]
        if unknown and len(self.chosen) > 1:
            verb, each = ("has", "it is") if len(unknown) == 1 else ("have", "each is")
            yield f"{named_few(unknown)} {verb} no zone: {each} replaced alone"

    def _cut_down(
        self, parts: Sequence[tuple[GroupConfig | None, tuple[str, ...]]]
    ) -> Iterator[str]:
        """Batches that would have broken the floor."""
        said: dict[str, None] = {}
        for config, members in parts:
            if not _any(members, self.chosen):
                continue
            whole = self._size(self.everywhere, self.rollout.batch)
            size = self._size_of(config, members) if config else whole
            if size.batch < size.wanted:
                own = config and config.batch is not None and self.options.batch is None
                where = f" in {config.group}" if config and own else ""
                asked = f"{size.wanted} at once were asked for{where}"
                said[f"{asked}, {size.batch} at once keep the floor"] = None
        yield from said

    def _canary_notes(self, canary: int | str | tuple[str, ...]) -> Iterator[str]:
        """A canary that is left alone guards nothing."""
        if not isinstance(canary, tuple):
            return
        every = frozenset(self.everywhere)
        own = [host for host in self._named(canary) if host in every]
        away = [host for host in own if host not in self.chosen]
        if own and len(away) == len(own):
            yield f"no canary goes first: {_left(away)}"
        elif away:
            yield f"canary: {_left(away)}"


def _any(members: Collection[str], chosen: Collection[str]) -> bool:
    return any(host in chosen for host in members)


def _left(hosts: Sequence[str]) -> str:
    return f"{named_few(hosts)} {'is' if len(hosts) == 1 else 'are'} left alone"


_SHOWN = 3


def named_few(hosts: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = f" and {len(hosts) - _SHOWN} more" if len(hosts) > _SHOWN else ""
    return f"{', '.join(hosts[:_SHOWN])}{more}"
