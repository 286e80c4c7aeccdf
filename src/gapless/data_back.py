"""What becomes of a service's data when a rollout is taken back by hand.

1. The way back is the one that gapless.yaml gives now: who adds ``migrate.down`` or ``schema.bump``
   after a rollout wants it used. What it does not give is as it was recorded with the rollout, and
   so is all else. The plan carries both: what is judged here is what is carried out.
2. What a migration raised goes back by ``migrate.down``, when no host keeps the new release.
3. Where it stays the older release lives with it, or ``schema.bump`` lifts it over.
4. Else it is refused: old code on data it cannot live with would be worse than the new code. So is
   going back past a later rollout that raised the schema once more: that one goes back first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gapless.config.definitions import from_definitions, with_services
from gapless.config.project import ProjectConfig
from gapless.config.releases import SchemaConfig
from gapless.config.services import ServiceConfig
from gapless.engine.journal import Journal, StepRecord
from gapless.engine.schema_back import is_unknown
from gapless.engine.schema_way import WayDown, can_be_bumped, cannot_live, way_down
from gapless.errors import NoWayBack
from gapless.plans import Plan, ServicePlan, StepKind

_DOWN = ("down", "cwd", "env", "secrets", "user", "timeout")
"""Keys of ``migrate`` that say how the data goes down."""


def with_ways_of_today(plan: Plan, config: ProjectConfig) -> Plan:
    """The plan of a rollout, with the ways back that ``config`` gives by now."""
    recorded = from_definitions(plan).services
    changed = {
        name: _as_today(recorded[name], config.services[name])
        for name in recorded.keys() & config.services.keys()
    }
    different = {name: one for name, one in changed.items() if one != recorded[name]}
    return replace(plan, definitions=with_services(plan.definitions, different))


def _as_today(recorded: ServiceConfig, now: ServiceConfig) -> ServiceConfig:
    taken: dict[str, object] = {}
    if recorded.migrate and now.migrate and now.migrate.down:
        keys = {key: getattr(now.migrate, key) for key in _DOWN}
        taken["migrate"] = recorded.migrate.model_copy(update=keys)
    release, schema = recorded.release, _schema(now)
    if release and release.schema_ and not release.in_place and schema and schema.bump:
        bump = {"bump": schema.bump, "current": schema.current}
        declared = release.schema_.model_copy(update=bump)
        taken["release"] = release.model_copy(update={"schema_": declared})
    return recorded.model_copy(update=taken)


@dataclass(frozen=True, slots=True)
class DataBack:
    """The data of one service, when ``kept`` (host to snapshot) is gone back to from what the
    rollout brought; hosts that would ``rest`` keep the new release."""

    rollout: str
    service: ServicePlan
    config: ServiceConfig
    migration: StepRecord | None
    kept: Mapping[str, Any]
    rest: Sequence[str]

    @property
    def name(self) -> str:
        """Of the service."""
        return self.service.name

    @property
    def way(self) -> WayDown | None:
        """What takes a migration back, None where nothing was migrated."""
        return way_down(self.service, self.config.migrate, self.migration)

    @property
    def raised(self) -> bool:
        """Whether the rollout brought the schema up, as far as the journal knows."""
        schema = _schema(self.config)
        at_start = schema is not None and schema.at_start
        return self.service.to.get("schema") is not None and (self.way is not None or at_start)

    @property
    def goes_down(self) -> bool:
        """Whether the data goes back with the release."""
        return self.way is not None and bool(self.way.argv) and not self.rest

    def refuse(self) -> None:
        """Raises NoWayBack where an older release could not live with what becomes of the data."""
        way, schema = self.way, _schema(self.config)
        if not self.raised or self.goes_down:
            return
        stuck = [
            kept
            for kept in self.kept.values()
            if cannot_live(kept, self.service, way, migrated=way is not None)
        ]
        if all(can_be_bumped(kept, self.service, schema) for kept in stuck):
            return
        why, following = self._stays(way)
        brought = f"brought to schema {self.service.to['schema']} by {self.rollout}"
        raise NoWayBack(
            f"{self.name} was {brought}, which the release before cannot live with; {why}",
            where=self.name,
            next=following,
        )

    def _stays(self, way: WayDown | None) -> tuple[str, str]:
        """Why the data stays, and what helps."""
        lives = "deploy a release that lives with this schema"
        if way is None:
            why = "what a service applied at its start is never taken back, and schema.bump is not"
            return f"{why} given", f"give it, or {lives}"
        if way.argv:
            why = f"migrate.down runs only when {', '.join(self.rest)} goes back, too"
            return why, f"gapless rollback {self.rollout}"
        if self.config.migrate is not None and self.config.migrate.down is None:
            return "neither migrate.down nor schema.bump is given", f"give one of them, or {lives}"
        return f"{way.why}, and schema.bump is not given", f"give schema.bump, or {lives}"

    def notes(self, file: str, recorded: ServiceConfig) -> Iterator[str]:
        """One sentence each for the plan; ``recorded`` is what ``file`` said at the rollout."""
        yield from self._down(file, recorded)
        yield from self._bumped()

    def _down(self, file: str, recorded: ServiceConfig) -> Iterator[str]:
        way, name = self.way, self.name
        done = self.migration
        if done is not None and (not done.closed or is_unknown(done)):
            yield f"{name}: it is not known how far its migration came: look at the schema"
        elif way is not None and not way.argv:
            yield f"{name}: the schema stays migrated: {way.why}"
        elif way is not None and self.rest:
            yield f"{name}: the schema stays migrated: {', '.join(self.rest)} not in this plan"
        elif way is not None:
            was = self.service.to.get("schema")
            route = f"from {was} to {way.to}" if was is not None else f"to {way.to}, if it rose"
            given = f", as {file} gives it now" if recorded.migrate != self.config.migrate else ""
            yield f"{name}: last of all the schema goes back {route}: {' '.join(way.argv)}{given}"

    def _bumped(self) -> Iterator[str]:
        """What the data will not take back, and what lifts the older releases over it."""
        schema, raised = _schema(self.config), self.service.to.get("schema")
        if schema is None or schema.bump is None or raised is None:
            return
        stuck = [
            kept
            for kept in self.kept.values()
            if cannot_live(kept, self.service, self.way, migrated=False)
        ]
        old = ", ".join(dict.fromkeys(kept["release"]["name"] for kept in stuck))
        if old:
            rose = f"where the schema rose to {raised} it stays"
            yield f"{self.name}: {rose}, and {old} is bumped to {raised + 1}"


def refuse_past_later(journal: Journal, one: DataBack, later: Sequence[str]) -> None:
    """Raises NoWayBack where one of these ``later`` rollouts raised the schema once more."""
    for rollout in later:
        _, plan = journal.load(rollout)
        service = plan.service(one.name)
        done = migration_of(journal, rollout, service)
        config = from_definitions(plan).services[one.name]
        since = DataBack(rollout, service, config, done, one.kept, ())
        if since.raised and any(
            cannot_live(kept, service, since.way, migrated=False) for kept in one.kept.values()
        ):
            raise NoWayBack(
                f"{one.name} was brought to schema {service.to['schema']} by {rollout} since,"
                " which the release before cannot live with",
                where=one.name,
                next=f"gapless rollback {rollout}, then this one",
            )


def migration_of(journal: Journal, rollout: str, service: ServicePlan) -> StepRecord | None:
    """What is recorded of a rollout's migration of a service."""
    return journal.steps(rollout).get(service.step_key("", StepKind.MIGRATE))


def _schema(config: ServiceConfig) -> SchemaConfig | None:
    return config.release.schema_ if config.release else None
