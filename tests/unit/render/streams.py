"""Event streams made by hand: what the engine emits, at fixed times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from gapless import undo
from gapless.events.event import Event
from gapless.model import Verdict, VerdictStatus
from gapless.plans import Batch, Plan, ServicePlan, StepKind, Untouched, Verb

T0 = 1_768_824_000.0  # 2026-01-19 12:00:00 UTC

OLD, NEW = "3c9a41d05b7e", "acd310e794e5"
KEPT = (
    "sudo cp -a /var/lib/gapless/shop/shop.api/rtouehn-7f3a/shop-api.service /etc/systemd/system/"
)
MIXED = "gapless status shop.api; then gapless rollback rtouehn-7f3a or gapless deploy shop.api"

_NOT_HERE = (
    StepKind.MIGRATE, StepKind.EVACUATE, StepKind.REJOIN, StepKind.WARM, StepKind.SHIFT,
    StepKind.PARK, StepKind.RETIRE,
)  # fmt: skip
STEPS = tuple(kind for kind in StepKind if kind not in _NOT_HERE)

BUSY = Verdict(
    VerdictStatus.FAIL,
    "http",
    "GET http://127.0.0.1:3001/health",
    '503 {"status":"starting","db":"migration 42 pending"}',
    "status 200, status: healthy",
    0.012,
)
HEALTHY = Verdict(
    VerdictStatus.PASS, "http", "GET http://127.0.0.1:3001/health", "200", "status 200", 0.009
)
LOG = "\n".join(
    [f"12:00:{n:02d} INFO  loading module {n} of 18" for n in range(1, 19)]
    + ['12:00:31 ERROR relation "orders_v2" does not exist', "12:00:31 INFO  retrying in 5 s"]
)

GAP = {
    "sent": 4210,
    "failed": 0,
    "longest_silence": 0.074,
    "p50_before": 0.0031,
    "p99_before": 0.012,
    "p50_during": 0.0033,
    "p99_during": 0.019,
    "late": 0,
    "versions": {"v41": 2100, "v42": 2110},
}


def shop_plan(**changes: Any) -> Plan:
    """PostgreSQL first, then the api on four of five hosts: canary, then two batches."""
    postgres = ServicePlan(
        "shop.postgresql", 1, (), STEPS, (Batch("batch1", ("db1",)),), 1, 0, 0, "rollback", 0.0,
        20.0,
        notes=("shop.postgresql has one instance: it is down during its restart",),
    )  # fmt: skip
    api = ServicePlan(
        "shop.api", 2, ("shop.postgresql",), STEPS,
        (Batch("canary1", ("web1",)), Batch("batch1", ("web2", "web3")),
         Batch("batch2", ("web4",))),
        5, 3, 0, "rollback", 10.0, 42.0, known=True,
        to={"name": NEW}, from_={f"web{n}": OLD for n in range(1, 5)},
        notes=(
            "shop.api: its migration runs once, before the first instance: bin/migrate up; undo"
            " does not take it back (migrate.down is not given)",
        ),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "project": "shop",
        "verb": Verb.DEPLOY,
        "services": (postgres, api),
        "definitions": {
            "project": {
                "services": {
                    "shop.postgresql": {
                        "systemd": {
                            "unit": "shop-postgresql.service",
                            "reload": "no",
                            "file": "units/shop-postgresql.service",
                        },
                        "health": [{"command": ["pg_isready", "-h", "localhost"]}],
                    },
                    "shop.api": {
                        "systemd": {"unit": "shop-api.service", "reload": "try"},
                        "health": [
                            {"http": "http://{host}:3001/health", "expect": {"status": 200}}
                        ],
                        "balancer": ["edge"],
                        "release": {"directory": "build/api", "to": "/srv/shop/api", "keep": 5},
                        "migrate": {"run": ["./node_modules/.bin/prisma", "migrate", "deploy"]},
                    },
                }
            }
        },
        "untouched": (Untouched("shop.api", ("web5",), f"already on {NEW}"),),
        "expected": 190.0,
        "created": T0,
    }
    return Plan(**(fields | changes))


def rollback_plan() -> Plan:
    """The way back of a deploy of three instances; on web5 there was nothing before it."""
    kept = {"web1": {"name": OLD}, "web2": {"name": OLD}, "web5": None}
    gone = {"runtime": {"facts": {"absent": "yes"}}}
    targets = {
        "shop.api": {host: {"release": name} if name else gone for host, name in kept.items()}
    }
    api = shop_plan().services[1]
    batches = (Batch("batch1", ("web1", "web2")), Batch("batch2", ("web5",)))
    original = shop_plan(services=(replace(api, wave=1, after=(), batches=batches),))
    return undo.rollback_plan(original, targets, now=T0, parent="rtouehn-7f3a")


@dataclass
class Stream:
    """Builds events; ``after`` moves the time."""

    rollout: str = "rtouehn-7f3a"
    now: float = T0
    events: list[Event] = field(default_factory=list)

    def after(self, seconds: float) -> Stream:
        """Let time pass."""
        self.now += seconds
        return self

    def add(
        self, type_: str, service: str = "", host: str = "", step: str = "", **data: Any
    ) -> Stream:
        """Append an event."""
        reason = data.pop("reason_", "")
        rollout = data.pop("rollout_", self.rollout)
        event = Event(
            type_, rollout, service, host, step, actor="alice", reason=reason, data=data,
            ts=self.now, seq=len(self.events) + 1,
        )  # fmt: skip
        self.events.append(event)
        return self

    def begin(self, verb: str = "deploy") -> Stream:
        """Planned, locked and started."""
        services = ["shop.postgresql", "shop.api"]
        self.add("rollout.planned", digest="d" * 64, verb=verb, services=services, expected=190.0,
                 reason_="invoice fix")  # fmt: skip
        self.add("lock.taken")
        return self.add("rollout.started", reason_="invoice fix")

    def batch(self, service: str, name: str, *hosts: str) -> Stream:
        """A batch begins."""
        return self.add("batch.started", service, batch=name, hosts=list(hosts))

    def steps(self, service: str, host: str, *names: str, took: float = 1.2) -> Stream:
        """Steps that succeed one after another."""
        facts = {"switch": {"manner": "restart"}, "drain": {"evidence": "COUNTED", "left": 0}}
        for name in names:
            self.add("step.started", service, host, name, attempt=1)
            self.after(took).add(
                "step.succeeded", service, host, name, seconds=took, **facts.get(name, {})
            )
        return self

    def through(self, service: str, batch: str, *hosts: str) -> Stream:
        """A whole batch, well."""
        self.batch(service, batch, *hosts)
        for host in hosts:
            self.steps(service, host, *(step.value for step in STEPS))
            self.add("instance.done", service, host, outcome="done", seconds=12.0, error={})
        return self.add("batch.succeeded", service, batch=batch, hosts=list(hosts))

    def postgres(self) -> Stream:
        """The first wave, well."""
        self.add("service.started", "shop.postgresql", instances=1)
        self.through("shop.postgresql", "batch1", "db1")
        return self.add("service.succeeded", "shop.postgresql", reason="", failed=[])

    def canary(self) -> Stream:
        """The first wave and the canary of the second, well."""
        self.postgres().add("service.started", "shop.api", instances=4)
        return self.through("shop.api", "canary1", "web1")

    def restored(self, host: str, verdict: Verdict | None = HEALTHY) -> Stream:
        """The way back of one instance, well."""
        self.add("rollback.started", "shop.api", host, "switch", hosts=[host])
        self.steps("shop.api", host, "switch", "ready", "admit", "soak", took=0.5)
        more = {"verdict": verdict.to_json()} if verdict else {}
        self.add(
            "rollback.succeeded",
            "shop.api",
            host,
            "switch",
            seconds=2.1,
            restored=OLD,
            **more,
        )
        return self

    def lost(self, host: str, error: dict[str, Any], outcome: str = "restored") -> Stream:
        """The record that closes a failed instance."""
        return self.add(
            "instance.failed", "shop.api", host, outcome=outcome, seconds=40.0, error=error
        )

    def end(self, type_: str, outcome: str, exit_code: int, **data: Any) -> list[Event]:
        """The last event."""
        self.add(type_, outcome=outcome, exit_code=exit_code, **data)
        self.add("lock.released")
        return self.events


def serving(**hosts: str) -> dict[str, dict[str, str]]:
    """What serves at the end; postgres is always restarted."""
    return {"shop.postgresql": {"db1": "restarted"}, "shop.api": hosts}


def success() -> list[Event]:
    """All of it, with the gap measured."""
    stream = Stream().begin().canary()
    stream.through("shop.api", "batch1", "web2", "web3").through("shop.api", "batch2", "web4")
    stream.add("service.succeeded", "shop.api", reason="", failed=[])
    stream.add("prove.finished", **GAP)
    now = serving(web1=NEW, web2=NEW, web3=NEW, web4=NEW)
    return stream.end("rollout.succeeded", "done", 0, serving=now)


def _no_verdict(source: str, why: str) -> dict[str, Any]:
    asked = f"{source} since the switch"
    return Verdict(VerdictStatus.INCONCLUSIVE, source, asked, why, "enough data").to_json()


def unjudged() -> list[Event]:
    """All new, though one source had too little to tell by, and a person accepted another."""
    events: list[Event] = []
    for event in success():
        api = event.service == "shop.api" and event.step == "verify"
        if api and event.type == "step.succeeded":
            number = int(event.host[-1])
            little = f"too little data: 0 of {number + 2} requests failed in 60 s"
            few = _no_verdict("balancer edge", f"{little}, baseline 0 of 40 (0 expected), limit 2")
            told = replace(event, type="check.inconclusive", seq=0)
            if number == 4:
                none = _no_verdict("logs", "no data since the switch")
                events.append(replace(told, data={"verdict": none}))
                held = {"why": "too little data to judge", "reason": "insufficient"}
                events.append(replace(told, type="instance.held", step="", data=held))
                events.append(replace(told, type="step.started", data={"attempt": 2}))
                events.append(replace(told, data={"verdict": none}))
            else:
                events.append(replace(told, data={"verdict": few}))
        events.append(event)
    return events


def _failing(step: str, error: dict[str, Any], *before: str) -> Stream:
    """web3 fails in ``step`` while web2 of the same batch is well."""
    stream = Stream().begin().canary().batch("shop.api", "batch1", "web2", "web3")
    stream.steps("shop.api", "web2", *(s.value for s in STEPS))
    stream.add("instance.done", "shop.api", "web2", outcome="done", seconds=12.0, error={})
    stream.steps("shop.api", "web3", *before)
    stream.add("step.started", "shop.api", "web3", step, attempt=1)
    return stream.after(30).add("step.failed", "shop.api", "web3", step, **error)


def _undo_the_rest(stream: Stream) -> list[Event]:
    """The linked rollback of web1 and web2, and the end."""
    failed = next(e for e in reversed(stream.events) if e.type == "step.failed")
    why = f"{failed.host}: {failed.data['what']}"
    stream.add("service.failed", "shop.api", reason=why, failed=["web3"])
    names = ["shop.api@web1", "shop.api@web2"]
    stream.add("rollback.started", hosts=names, rollout="rtouehn-7f3a-undo1")
    for host in ("web1", "web2"):
        child = {"rollout_": "rtouehn-7f3a-undo1"}
        stream.add("check.passed", "shop.api", host, "ready", verdict=HEALTHY.to_json(), **child)
        stream.after(3).add(
            "instance.done", "shop.api", host, outcome="done", seconds=3.0, error={}, **child
        )  # fmt: skip
    stream.add("rollback.succeeded", outcome="done", hosts=names, rollout_="rtouehn-7f3a-undo1")
    return stream.end(
        "rollout.failed",
        "restored",
        4,
        serving=serving(
            web1=f"{OLD} (restored)",
            web2=f"{OLD} (restored)",
            web3=f"{OLD} (restored)",
            web4=OLD,
        ),
        failed=["shop.api@web3"],
        untouched={"shop.api": {"hosts": ["web4"], "why": why}},
        next="mend the cause, then: gapless deploy shop.api",
    )


NOT_READY = {
    "code": "GL-402",
    "kind": "timed out",
    "what": "not ready after 30 s",
    "evidence": str(BUSY),
    "verdict": BUSY.to_json(),
}


def not_ready() -> list[Event]:
    """The new copy never became healthy; everything went back."""
    stream = _failing("ready", NOT_READY | {"log": LOG}, "preflight", "snapshot", "stage", "drain",
                      "switch")  # fmt: skip
    stream.restored("web3").lost("web3", NOT_READY)
    return _undo_the_rest(stream)


def crash_in_soak() -> list[Event]:
    """It was ready and then died."""
    died = Verdict(
        VerdictStatus.FAIL, "systemd", "systemctl show shop-api.service",
        "InvocationID changed, NRestarts 0 → 1, exit code 139 (SEGV)", "the same process for 30 s",
    )  # fmt: skip
    error = {
        "code": "GL-403",
        "kind": "failed",
        "what": "restarted by itself 11 s after it was ready",
        "evidence": "",
        "verdict": died.to_json(),
    }
    log = "12:01:02 worker 3: assertion failed: cache->refs > 0\n12:01:02 Segmentation fault (core)"
    stream = _failing("soak", error | {"log": log}, "switch", "ready", "admit")
    stream.restored("web3").lost("web3", error)
    return _undo_the_rest(stream)


def action_failed() -> list[Event]:
    """systemctl answered with an error."""
    error = {
        "code": "GL-404",
        "kind": "failed",
        "what": "systemctl restart shop-api.service ended with status 1",
        "evidence": "Failed to restart shop-api.service: Unit shop-api.service has a bad unit file "
        "setting.\nSee system logs and 'systemctl status shop-api.service' for details.",
    }
    stream = _failing("switch", error, "preflight", "snapshot", "drain").restored("web3")
    return _undo_the_rest(stream.lost("web3", error))


def migration_failed() -> list[Event]:
    """Nothing of the api was touched yet."""
    error = {
        "code": "GL-405",
        "kind": "failed",
        "what": "the migration ended with status 1",
        "evidence": "P3018: a migration failed to apply: 20260118_orders\n"
        'ERROR: relation "orders" already exists',
        "next": "see what is applied: ./node_modules/.bin/prisma migrate status",
    }
    stream = Stream().begin().postgres().add("service.started", "shop.api", instances=4)
    stream.batch("shop.api", "canary1", "web1").steps("shop.api", "web1", "preflight", "snapshot")
    stream.add("migration.started", "shop.api", "web1", "migrate")
    stream.after(4).add("step.failed", "shop.api", "web1", "migrate", **error)
    stream.add("migration.failed", "shop.api", "web1", "migrate", **error)
    stream.lost("web1", error, "untouched")
    stream.add("service.failed", "shop.api", reason="web1: migration", failed=["web1"])
    return stream.end(
        "rollout.failed", "restored", 4,
        serving=serving(web1=OLD, web2=OLD, web3=OLD, web4=OLD),
        failed=["shop.api@web1"],
        untouched={
            "shop.api": {
                "hosts": ["web2", "web3", "web4"], "why": "the rollout stopped before them",
            }
        },
        next="mend the cause, then: gapless deploy shop.api",
    )  # fmt: skip


def lost_contact() -> list[Event]:
    """The host went away in the middle; what it runs is not known."""
    error = {
        "code": "GL-506",
        "kind": "lost contact",
        "what": "the connection broke and the host did not come back within 120 s",
        "evidence": "connection reset by peer; last try: no route to host",
        "next": "gapless doctor --hosts web3",
    }
    back = {
        "code": "GL-506", "kind": "lost contact", "what": "no route to host",
        "evidence": "connect to web3 port 22: no route to host",
        "manual": ["sudo systemctl stop shop-api.service", "sudo systemctl start shop-api.service"],
    }  # fmt: skip
    stream = _failing("switch", error, "preflight", "snapshot", "drain")
    stream.add("rollback.started", "shop.api", "web3", "switch", hosts=["web3"])
    stream.after(120).add("rollback.failed", "shop.api", "web3", "switch", **back)
    stream.lost("web3", error, "broken")
    stream.add("service.failed", "shop.api", reason="web3: gone", failed=["web3"])
    return stream.end(
        "rollout.failed", "mixed", 5,
        serving=serving(web1=NEW, web2=NEW, web3="unknown", web4=OLD),
        failed=["shop.api@web3"],
        untouched={"shop.api": {"hosts": ["web4"], "why": "web3: gone"}},
        next=MIXED,
    )  # fmt: skip


def rollback_failed() -> list[Event]:
    """The old version does not come up either: a person is needed."""
    stream = _failing("ready", NOT_READY | {"log": LOG}, "drain", "switch")
    stream.add("rollback.started", "shop.api", "web3", "switch", hosts=["web3"])
    stream.steps("shop.api", "web3", "switch", took=0.5)
    stream.add("step.failed", "shop.api", "web3", "ready", **NOT_READY)
    stream.after(30).add(
        "rollback.failed", "shop.api", "web3", "switch", **NOT_READY,
        manual=[
            "sudo systemctl stop shop-api.service",
            KEPT,
            f"sudo ln -sfn releases/{OLD} /srv/shop/api/current",
            "sudo systemctl daemon-reload",
            "sudo systemctl start shop-api.service",
        ],
    )  # fmt: skip
    stream.add(
        "instance.left_out", "shop.api", "web3", "admit", balancer="edge",
        why="the way back failed, so it is not let into traffic",
        next="gapless rollback shop.api --hosts web3",
    )  # fmt: skip
    undo = {"code": "GL-407", "kind": "failed", "what": "the way back failed", "evidence": ""}
    stream.add("step.failed", "shop.api", "web3", "undo", **undo)
    stream.lost("web3", undo, "broken")
    return stream.end(
        "rollout.failed", "mixed", 5,
        serving=serving(web1=NEW, web2=NEW, web3="broken", web4=OLD),
        failed=["shop.api@web3"],
        untouched={"shop.api": {"hosts": ["web4"], "why": "web3: the way back failed"}},
        next=MIXED,
    )  # fmt: skip


def refused_preflight() -> list[Event]:
    """A host is sick before anything began."""
    error = {
        "code": "GL-202",
        "kind": "refused",
        "what": f"shop.api on web2 is not fit to be touched: http: {BUSY.answer}",
        "evidence": f"asked {BUSY.asked}\nwanted {BUSY.wanted}",
        "next": "gapless doctor --hosts web2",
    }
    stream = Stream().begin()
    return stream.end("rollout.refused", "refused", 3, **error)


def refused_unreachable() -> list[Event]:
    """Two hosts do not answer."""
    error = {
        "code": "GL-202",
        "kind": "refused",
        "what": "shop.api is not fit to be touched on 2 hosts",
        "evidence": "web2: cannot connect to web2: Connection refused\n"
        "web3: the host key of web3 is unknown\n"
        "  presented: ssh-ed25519 SHA256:qHvmCGLFnzrKPSHWxXCAJ9yu6vFbtUlkWZZy9lHyRTM",
        "next": "gapless doctor --hosts web2,web3",
    }
    stream = Stream().begin()
    return stream.end("rollout.refused", "refused", 3, **error)


def lock_held() -> list[Event]:
    """Somebody else is at it."""
    error = {
        "code": "GL-301",
        "what": "shop.api is owned by rollout rtoudvw-6e21",
        "evidence": "bob on deploy1, pid 4711, since 11:52:40 (7 min 20 s), reason: hotfix",
        "next": "gapless watch rtoudvw-6e21   or, if bob is gone: gapless lock break shop.api",
    }
    return Stream().end("rollout.refused", "lock_held", 6, **error)


def interrupted() -> list[Event]:
    """Ctrl-C once: the batch was finished."""
    stream = Stream().begin().canary()
    return stream.end(
        "rollout.interrupted", "interrupted", 130,
        serving=serving(web1=NEW, web2=OLD, web3=OLD, web4=OLD),
        untouched={
            "shop.api": {
                "hosts": ["web2", "web3", "web4"], "why": "the rollout stopped before them",
            }
        },
        next="gapless resume rtouehn-7f3a   or   gapless abort rtouehn-7f3a",
    )  # fmt: skip


def paused() -> list[Event]:
    """on_failure: pause."""
    stream = _failing("ready", NOT_READY | {"log": LOG}, "drain", "switch").restored("web3")
    stream.lost("web3", NOT_READY)
    stream.events.append(
        Event(
            "rollout.paused", "rtouehn-7f3a", ts=stream.now, reason="web3 of shop.api failed",
            data={
                "outcome": "paused", "exit_code": 7,
                "serving": serving(web1=NEW, web2=NEW, web3=f"{OLD} (restored)", web4=OLD),
                "next": "gapless promote rtouehn-7f3a   or   gapless abort rtouehn-7f3a",
            },
        )
    )  # fmt: skip
    return stream.events


EVERYWHERE = {
    "status": "INCONCLUSIVE",
    "check": "balancer edge",
    "asked": "balancer edge since the switch",
    "answer": (
        "more than before, and so on untouched hosts: 31 of 150 requests failed in 15 s (21 %),"
        " baseline 30 of 6025 (0.75 expected), limit 9; untouched hosts 92 of 460 (2.3 expected)"
    ),
    "wanted": "fewer than 9",
    "elapsed": 0.0,
}


def environment() -> list[Event]:
    """Errors rise on the canary, and on the hosts that were not touched."""
    stream = Stream().begin().canary()
    why = "environment: errors rise on hosts that were not touched, too"
    stream.add("instance.held", "shop.api", "web1", why=why, verdict=EVERYWHERE)
    told = f"{EVERYWHERE['asked']} → {EVERYWHERE['answer']} (wanted {EVERYWHERE['wanted']})"
    stream.events.append(
        Event(
            "rollout.paused", "rtouehn-7f3a", ts=stream.now, reason=f"web1: {why}",
            data={
                "outcome": "paused", "exit_code": 7,
                "held": {"shop.api@web1": told}, "evidence": f"shop.api@web1: {told}",
                "serving": serving(web1=NEW, web2=OLD, web3=OLD, web4=OLD),
                "next": "gapless resume rtouehn-7f3a   or   gapless abort rtouehn-7f3a",
            },
        )
    )  # fmt: skip
    return stream.events


def waits_for_approval() -> list[Event]:
    """The first group is done and nobody could be asked about the next."""
    stream = Stream().begin().canary()
    why = "shop.api waits for approval: canaries is done, eqiad is next"
    data = {"batch": "canary1", "after": "canaries", "before": "eqiad", "why": why}
    stream.add("approval.requested", "shop.api", **data)
    stream.events.append(
        Event(
            "rollout.paused", "rtouehn-7f3a", ts=stream.now, reason=why,
            data={
                "outcome": "paused", "exit_code": 7, "approvals": ["shop.api"],
                "serving": serving(web1=NEW, web2=OLD, web3=OLD, web4=OLD),
                "untouched": {"shop.api": {"hosts": ["web2", "web3", "web4"], "why": why}},
                "next": "gapless promote rtouehn-7f3a   or   gapless abort rtouehn-7f3a",
            },
        )
    )  # fmt: skip
    return stream.events


def forced() -> list[Event]:
    """--force, with its reason."""
    stream = Stream().begin("restart").add("force.used", reason="health endpoint is broken")
    stream.postgres()
    return stream.end("rollout.succeeded", "done", 0, serving={"shop.postgresql": {"db1": "up"}})
