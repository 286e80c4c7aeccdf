"""One event, and the types there are.

The stream is JSON lines, numbered by ``seq`` per journal, written in the same transaction as the
step state it tells of. Readers must accept unknown fields and unknown types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

VERSION = 1

TYPES: Mapping[str, str] = {
    "rollout.planned": "a plan was accepted and locks are being taken; data.project,"
    " data.environment",
    "rollout.started": "the first step may run",
    "rollout.paused": "no new instance is begun until resume, promote or abort",
    "rollout.resumed": "a paused or interrupted rollout goes on",
    "rollout.succeeded": "every instance of the plan is done and verified",
    "rollout.failed": "it ended otherwise; data.outcome and data.exit_code tell how",
    "rollout.refused": "nothing was changed, and why",
    "rollout.aborted": "a person ended it; what was touched went back",
    "rollout.interrupted": "the controller left; state is recorded, resume or abort goes on",
    "service.started": "the first instance of a service is begun",
    "service.succeeded": "all of its instances are done",
    "service.failed": "the service stopped; data.reason",
    "service.reordered": "members of a cluster go in another order than announced; data.hosts:"
    " those that are left; data.batches: which of them go together",
    "service.skipped": "not begun because of what it depends on",
    "batch.started": "instances of a batch are begun",
    "batch.succeeded": "all instances of a batch are done",
    "step.started": "intent recorded",
    "step.succeeded": "outcome recorded; data.stopped of a switch: seconds until it had stopped,"
    " where they are known; of a rejoin data.members: by member the groups that it leads (leads),"
    " is of (groups) and is in sync in (in_sync), data.again: how many it leads again as their"
    " preferred leader, data.again_beside: the same of neighbours, by service",
    "step.observed": "found done already after a crash or a lost connection; not repeated",
    "step.failed": "did not reach its goal; data.kind says which way",
    "step.skipped": "not needed or not wanted; data.why",
    "step.progress": "last answer of a wait, for the live view; not recorded durably",
    "check.passed": "a check answered PASS",
    "check.failed": "a check answered FAIL; data.verdict",
    "check.inconclusive": "a check could not tell; data.verdict",
    "contact.lost": "the connection broke; data.limit seconds for the host to come back",
    "contact.back": "it answers again; what was under way is put to it first",
    "leaders.moved": "a member of a cluster was told to hand over what it leads; data.moved and"
    " data.failed: how many leaderships left it, and how many did not",
    "cluster.margin": "a member failed: how much more its cluster bears; data.least members may"
    " fail before a group stands still (below 0: one does), data.lines",
    "drain.confirmed": "every balancer node reports the instance out of traffic",
    "shift.confirmed": "each node reports the weights of a share (data.share, data.seconds);"
    " data.anew: it was cut short before",
    "shift.held": "the new copy was well at a share for all of its time",
    "shift.returned": "the old copy has all of the instance's traffic again, nothing new is sent to"
    " the new one",
    "admit.confirmed": "every balancer node reports the instance up after a passed check",
    "migration.started": "a migration is run",
    "migration.succeeded": "it ended well",
    "migration.failed": "it failed or did not end",
    "migration.skipped": "not needed, or --skip-migrations",
    "migration.bumped": "an older release is lifted over a schema that rose and stays",
    "rollback.started": "an instance or service goes back",
    "rollback.succeeded": "the old one runs and passed the same checks",
    "rollback.failed": "the way back failed; data.manual has the commands",
    "instance.done": "an instance is replaced and verified; data.seconds",
    "instance.failed": "it is not; data.outcome: restored, untouched, lost, stayed, down or broken",
    "instance.held": "new and healthy; a person judges its evidence: data.why, data.verdict",
    "instance.left_out": "left out of traffic on purpose; data.next has the command that ends it",
    "instance.warned": "something about it went wrong, and nothing was stopped for it; data.why",
    "lock.taken": "the services are owned by this rollout",
    "lock.taken_over": "a host still obeyed a rollout that has ended (data.rollout)",
    "lock.released": "and given back",
    "lock.broken": "a person took the lock away from another rollout",
    "abort.requested": "a person asked for all of it to be taken back: actor and reason",
    "approval.requested": "a person has to let the next group begin; data.after, data.before",
    "approval.granted": "a person did, with promote or at the terminal: actor and reason",
    "prove.reading": "gap so far; not recorded durably",
    "prove.finished": "measured gap of the rollout",
    "force.used": "health gates are skipped; data.reason",
}
"""Every event type with its meaning."""

TRANSIENT = frozenset(("step.progress", "prove.reading"))
"""Types that are shown live and not kept in the journal."""


@dataclass(frozen=True, slots=True)
class Event:
    """``ts`` seconds since the epoch; ``seq`` 0 until the journal numbered it."""

    type: str
    rollout: str = ""
    service: str = ""
    host: str = ""
    step: str = ""
    from_: str = ""
    to: str = ""
    actor: str = ""
    reason: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    ts: float = 0.0
    seq: int = 0

    def numbered(self, seq: int) -> Event:
        """The same event with its place in the stream."""
        return replace(self, seq=seq)

    def to_json(self) -> dict[str, Any]:
        """The public form; empty fields are left out."""
        instance = f"{self.service}@{self.host}" if self.service and self.host else ""
        fields = {
            "v": VERSION,
            "seq": self.seq,
            "ts": timestamp(self.ts),
            "type": self.type,
            "rollout": self.rollout,
            "service": self.service,
            "host": self.host,
            "instance": instance,
            "step": self.step,
            "from": self.from_,
            "to": self.to,
            "actor": self.actor,
            "reason": self.reason,
            "data": dict(self.data),
        }
        return {k: v for k, v in fields.items() if v not in ("", {}) or k in ("seq", "ts", "type")}

    def to_line(self) -> str:
        """One JSON line without the newline."""
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        """The event a line holds; unknown fields are ignored."""
        return cls(
            type=data["type"],
            rollout=data.get("rollout", ""),
            service=data.get("service", ""),
            host=data.get("host", ""),
            step=data.get("step", ""),
            from_=data.get("from", ""),
            to=data.get("to", ""),
            actor=data.get("actor", ""),
            reason=data.get("reason", ""),
            data=data.get("data", {}),
            ts=datetime.fromisoformat(data["ts"].replace("Z", "+00:00")).timestamp(),
            seq=data.get("seq", 0),
        )


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
