"""The plan: frozen data that says what will be done, in which order, with which undo.

It is stored with the rollout and executed as it stands. It carries the definitions it was made
from (hosts, services, balancers; secrets only as references), so a rollout never depends on what
gapless.yaml says later. Steps are keyed by name — ``wave2/web3/shop.api/switch`` — never by
position.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA = 1
NOT_ASKED_FOR = "not asked for"
"""Why hosts are left out that --hosts did not name, and services that others depend on."""


class Verb(StrEnum):
    """What the plan is for."""

    RESTART = "restart"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    DRAIN = "drain"
    ADMIT = "admit"

    @property
    def by_hand(self) -> bool:
        """Whether it moves traffic only: nothing is replaced."""
        return self in (Verb.DRAIN, Verb.ADMIT)


IN_PLACE = ("rolling", "followers-first")
"""Strategies with one copy of an instance."""


class StepKind(StrEnum):
    """The steps of the one lifecycle, in the words of the design."""

    PREFLIGHT = "preflight"
    SNAPSHOT = "snapshot"
    STAGE = "stage"
    MIGRATE = "migrate"
    DRAIN = "drain"
    EVACUATE = "evacuate"
    SWITCH = "switch"
    READY = "ready"
    REJOIN = "rejoin"
    WARM = "warm"
    SHIFT = "shift"
    ADMIT = "admit"
    PARK = "park"
    RETIRE = "retire"
    SOAK = "soak"
    VERIFY = "verify"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Batch:
    """Instances (host names) of one service replaced at the same time.

    ``group`` is the one of ``rollout.groups`` they are of, "" when of none. The last batch of a
    group says what comes before the next: ``wait`` seconds, or ``approve``: a person's word.
    """

    name: str
    hosts: tuple[str, ...]
    group: str = ""
    wait: float = 0.0
    approve: bool = False

    @property
    def first(self) -> bool:
        """Whether it is a canary: the rest follows only if it passes."""
        return self.name.startswith("canary")


@dataclass(frozen=True, slots=True)
class Untouched:
    """What the plan leaves alone, and why."""

    service: str
    hosts: tuple[str, ...]
    why: str
    next: str = ""
    """The command that ends it, where it is not as it should be."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """How one service is replaced.

    ``floor`` instances serve at any moment; ``total`` counts all instances, touched or not.
    ``expected`` seconds for one instance, from history where ``known``. ``wave`` is the level in
    the dependency order. ``from_``/``to`` hold releases by host ("" = same) and the new one.
    """

    name: str
    wave: int
    after: tuple[str, ...]
    steps: tuple[StepKind, ...]
    batches: tuple[Batch, ...]
    total: int
    floor: int
    max_failed: int
    on_failure: str
    pause: float
    expected: float
    known: bool = False
    strategy: str = "rolling"
    to: Mapping[str, Any] = field(default_factory=dict)
    from_: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """What each host looked like when the plan was made; a plan is stale when it differs."""
    snapshots: Mapping[str, Any] = field(default_factory=dict)
    """Rollback plans: what each host goes back to."""
    installs: tuple[str, ...] = ()
    """Hosts that have no unit yet: the deploy installs it, and its undo removes it."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Hosts that were asked for and cannot be touched, and why: they count as failed and as out."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Instances that did not pass their examination when the plan was made, and why: those to be
    replaced, which are refused while they are so, and others, which count as out."""
    down: Mapping[str, str] = field(default_factory=dict)
    """Instances that were seen not running when the plan was made, and in which state."""
    by_hand: Mapping[str, str] = field(default_factory=dict)
    """Instances that a person drained, by whom and why: they are out and stay so."""
    left_out: tuple[str, ...] = ()
    """Instances that a balancer had out of traffic though nobody told gapless: they stay so."""
    unsteered: tuple[str, ...] = ()
    """Why its balancers could not steer it when the plan was made: it is refused while that is
    so."""
    unsafe: tuple[str, ...] = ()
    """Why none of its members may be stopped, as its cluster stood when the plan was made: it is
    refused while that is so."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Zone of each host ("" = nobody knows) where never two of one zone are in work at once."""
    at_once: int = 1
    """The most members of a cluster that are restarted together, where its groups can spare them:
    which ones is worked out anew before each batch."""
    reserve: int = 1
    """How many failures that nobody planned each of its groups is to bear meanwhile, where it has
    that much to spare and one more."""
    zone_by_zone: Mapping[str, str] = field(default_factory=dict)
    """Zone of each host where only members of one zone are restarted together."""
    missed: str = ""
    """The rollout that verified the release which these hosts missed: they are caught up."""
    kind: tuple[str, ...] = ()
    """What a deploy brings of code, config, unit and schema."""
    schema_live: int | None = None
    """Schema version that its data had when the plan was made; None when nobody knew."""
    promoted: str = ""
    """The environment and rollout in which it was verified, when it was promoted."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Mark of the configuration that each host is to have (``drivers/config_files/marks.py``)."""
    config_from: Mapping[str, str] = field(default_factory=dict)
    """Mark of what each host had when the plan was made."""
    config_changes: tuple[Mapping[str, Any], ...] = ()
    """Files that change: {file, hosts, lines of a diff, notes}; equal ones stand together."""
    images: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Image of the container of each host, and of the one that takes its place, where there are
    containers and no releases; "" where there is none yet."""
    held: float = 0.0
    """Seconds for which its canaries have shares of the traffic, all together."""
    notes: tuple[str, ...] = ()
    """What a reader must know: costs, what undo cannot do."""

    @property
    def start_first(self) -> bool:
        """Whether a new copy of an instance serves before the old one is stopped."""
        return self.strategy not in IN_PLACE

    @property
    def together(self) -> frozenset[StepKind]:
        """Steps that no instance begins before all have come to them."""
        one_set = self.strategy == "blue-green"
        return frozenset((StepKind.ADMIT, StepKind.RETIRE)) if one_set else frozenset()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts in the order they are replaced."""
        return tuple(host for batch in self.batches for host in batch.hosts)

    def kept_in(self, broken: Collection[str], lost: Collection[str] = ()) -> str:
        """The first host that the floor would never let go, even if every replacement succeeds; ""
        when there is none. What is ``broken`` costs nothing to take out and serves once it is
        replaced; what is ``lost`` is not replaced and never serves."""
        if self.start_first:  # whatever goes, another copy serves in its place
            return ""
        out = {*broken, *lost, *self.installs}
        for batch in self.batches:
            hosts = [host for host in batch.hosts if host not in lost]
            sick = out.intersection(hosts)
            out -= sick
            for host in hosts:
                if host not in sick and self.total - len(out) - 1 < self.floor:
                    return host
        return ""

    def kept_from_leaving(self, broken: Collection[str]) -> str:
        """The first host that the floor would not let go where each that goes out stays out; ""
        when there is none. What is ``broken`` costs nothing to take out."""
        out = set(broken)
        for host in self.hosts:
            if host not in out and self.total - len(out) - 1 < self.floor:
                return host
            out.add(host)
        return ""

    @property
    def key_prefix(self) -> str:
        """First part of its step keys."""
        return f"wave{self.wave}"

    def step_key(self, host: str, step: StepKind) -> str:
        """Name of a step on a host; the migration belongs to the service, not a host."""
        if step is StepKind.MIGRATE:
            return f"wave{self.wave}/-/{self.name}/migrate"
        return f"wave{self.wave}/{host}/{self.name}/{step.value}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole rollout as data. ``created`` seconds since the epoch is not part of the digest.

    ``parallel`` services at the same time, ``connections`` being made at the same time,
    ``deadline`` seconds for all of it (0: none), ``expected`` seconds along the critical path.
    """

    project: str
    verb: Verb
    services: tuple[ServicePlan, ...]
    definitions: Mapping[str, Any]
    environment: str = ""
    untouched: tuple[Untouched, ...] = ()
    parallel: int = 10
    connections: int = 30
    deadline: float = 0.0
    host_deadline: float = 900.0
    expected: float = 0.0
    skip_migrations: bool = False
    force: str = ""
    """Reason given with --force; empty when health gates hold."""
    parent: str = ""
    """Rollout this one takes back."""
    observed: bool = True
    """Whether hosts were asked when it was made (a plan made offline cannot be found stale)."""
    created: float = 0.0
    schema: int = SCHEMA

    def service(self, name: str) -> ServicePlan:
        """The plan of one service."""
        return next(service for service in self.services if service.name == name)

    def instances(self) -> Iterator[tuple[ServicePlan, str]]:
        """Every instance that will be touched, in order."""
        for service in self.services:
            for host in service.hosts:
                yield service, host

    @property
    def digest(self) -> str:
        """sha256 over everything but the time it was made."""
        data = to_json(self)
        data.pop("created")
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def to_json(plan: Plan) -> dict[str, Any]:
    """Plain data, complete."""
    return {
        "schema": plan.schema,
        "project": plan.project,
        "verb": plan.verb.value,
        "environment": plan.environment,
        "services": [_service_to_json(service) for service in plan.services],
        "untouched": [
            {
                "service": u.service,
                "hosts": list(u.hosts),
                "why": u.why,
                **({"next": u.next} if u.next else {}),
            }
            for u in plan.untouched
        ],
        "definitions": dict(plan.definitions),
        "parallel": plan.parallel,
        "connections": plan.connections,
        "deadline": plan.deadline,
        "host_deadline": plan.host_deadline,
        "expected": plan.expected,
        "skip_migrations": plan.skip_migrations,
        "force": plan.force,
        "parent": plan.parent,
        "observed": plan.observed,
        "created": plan.created,
    }


def from_json(data: Mapping[str, Any]) -> Plan:
    """The plan that ``to_json`` wrote; raises ValueError for a schema this version cannot read."""
    if data.get("schema") != SCHEMA:
        raise ValueError(
            f"plan schema {data.get('schema')} cannot be read by this version (it reads {SCHEMA})"
        )
    return Plan(
        project=data["project"],
        verb=Verb(data["verb"]),
        services=tuple(_service_from_json(service) for service in data["services"]),
        definitions=data["definitions"],
        environment=data["environment"],
        untouched=tuple(
            Untouched(u["service"], tuple(u["hosts"]), u["why"], u.get("next", ""))
            for u in data["untouched"]
        ),
        parallel=data["parallel"],
        connections=data["connections"],
        deadline=data["deadline"],
        host_deadline=data["host_deadline"],
        expected=data["expected"],
        skip_migrations=data["skip_migrations"],
        force=data["force"],
        parent=data["parent"],
        observed=data["observed"],
        created=data["created"],
    )


def _service_to_json(service: ServicePlan) -> dict[str, Any]:
    return {
        "name": service.name,
        "wave": service.wave,
        "after": list(service.after),
        "steps": [step.value for step in service.steps],
        "batches": [_batch_to_json(batch) for batch in service.batches],
        "total": service.total,
        "floor": service.floor,
        "max_failed": service.max_failed,
        "on_failure": service.on_failure,
        "pause": service.pause,
        "expected": service.expected,
        "known": service.known,
        "strategy": service.strategy,
        "to": dict(service.to),
        "from": dict(service.from_),
        "fingerprints": dict(service.fingerprints),
        "snapshots": dict(service.snapshots),
        "notes": list(service.notes),
        # only where there are some: plans made before still have the digest they had
        **({"installs": list(service.installs)} if service.installs else {}),
        **({"absent": dict(service.absent)} if service.absent else {}),
        **({"unfit": dict(service.unfit)} if service.unfit else {}),
        **({"down": dict(service.down)} if service.down else {}),
        **({"by_hand": dict(service.by_hand)} if service.by_hand else {}),
        **({"left_out": list(service.left_out)} if service.left_out else {}),
        **({"unsteered": list(service.unsteered)} if service.unsteered else {}),
        **({"unsafe": list(service.unsafe)} if service.unsafe else {}),
        **({"zones": dict(service.zones)} if service.zones else {}),
        **({"at_once": service.at_once} if service.at_once != 1 else {}),
        **({"reserve": service.reserve} if service.reserve != 1 else {}),
        **({"zone_by_zone": dict(service.zone_by_zone)} if service.zone_by_zone else {}),
        **({"config": dict(service.config)} if service.config else {}),
        **({"config_from": dict(service.config_from)} if service.config_from else {}),
        **({"config_changes": list(service.config_changes)} if service.config_changes else {}),
        **({"missed": service.missed} if service.missed else {}),
        **({"kind": list(service.kind)} if service.kind else {}),
        **(
            {"images": {h: [*pair] for h, pair in service.images.items()}} if service.images else {}
        ),
        **({"held": service.held} if service.held else {}),
        **({"promoted": service.promoted} if service.promoted else {}),
        **({} if service.schema_live is None else {"schema_live": service.schema_live}),
    }


def _service_from_json(data: Mapping[str, Any]) -> ServicePlan:
    return ServicePlan(
        name=data["name"],
        wave=data["wave"],
        after=tuple(data["after"]),
        steps=tuple(StepKind(step) for step in data["steps"]),
        batches=tuple(_batch_from_json(batch) for batch in data["batches"]),
        total=data["total"],
        floor=data["floor"],
        max_failed=data["max_failed"],
        on_failure=data["on_failure"],
        pause=data["pause"],
        expected=data["expected"],
        known=data["known"],
        strategy=data["strategy"],
        to=data["to"],
        from_=data["from"],
        fingerprints=data["fingerprints"],
        snapshots=data["snapshots"],
        notes=tuple(data["notes"]),
        installs=tuple(data.get("installs", ())),
        absent=data.get("absent", {}),
        unfit=data.get("unfit", {}),
        down=data.get("down", {}),
        by_hand=data.get("by_hand", {}),
        left_out=tuple(data.get("left_out", ())),
        unsteered=tuple(data.get("unsteered", ())),
        unsafe=tuple(data.get("unsafe", ())),
        zones=data.get("zones", {}),
        at_once=data.get("at_once", 1),
        reserve=data.get("reserve", 1),
        zone_by_zone=data.get("zone_by_zone", {}),
        config=data.get("config", {}),
        config_from=data.get("config_from", {}),
        config_changes=tuple(data.get("config_changes", ())),
        missed=data.get("missed", ""),
        kind=tuple(data.get("kind", ())),
        images={host: (now, then) for host, (now, then) in data.get("images", {}).items()},
        held=data.get("held", 0.0),
        promoted=data.get("promoted", ""),
        schema_live=data.get("schema_live"),
    )


def _batch_to_json(batch: Batch) -> dict[str, Any]:
    """What only plans with groups have stands only there: old plans keep their digest."""
    more = {"group": batch.group, "wait": batch.wait, "approve": batch.approve}
    return {
        "name": batch.name,
        "hosts": list(batch.hosts),
        **{key: value for key, value in more.items() if value},
    }


def _batch_from_json(data: Mapping[str, Any]) -> Batch:
    return Batch(
        data["name"],
        tuple(data["hosts"]),
        data.get("group", ""),
        data.get("wait", 0.0),
        data.get("approve", False),
    )
