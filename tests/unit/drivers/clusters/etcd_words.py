"""Answers of etcd, and what hosts showed, made up."""

from __future__ import annotations

from typing import Any

from gapless.drivers.clusters import etcd_view
from gapless.drivers.clusters.etcd_round import Round
from gapless.drivers.clusters.etcd_sight import Sight

NAMES = {"a1": "etcd1", "b2": "etcd2", "c3": "etcd3"}


def number(member: str) -> str:
    """An id as it is in JSON."""
    return str(int(member, 16))


def said(member: str, leader: str = "a1", **more: Any) -> dict[str, Any]:
    """Its status."""
    header = {"cluster_id": more.pop("cluster", "7"), "member_id": number(member)}
    named = {"leader": number(leader)} if leader else {}
    facts = {"version": "3.4.23", "raftTerm": "3", "raftIndex": "900", "raftAppliedIndex": "100"}
    return {"header": header, **named, **facts, **more}


def listing(*members: str, learners: tuple[str, ...] = ()) -> dict[str, Any]:
    """The list of members."""
    return {
        "members": [
            {
                "ID": number(member),
                **({"name": NAMES[member]} if member in NAMES else {}),
                "clientURLs": [f"http://{NAMES.get(member, 'new')}:2379"],
                **({"isLearner": True} if member in learners else {}),
            }
            for member in (*members, *learners)
        ]
    }


def sight(member: str, leader: str = "a1", *, listed: Any = None, **more: Any) -> Sight:
    """A member that answers on the host of its name; all are listed unless something else is."""
    host = NAMES.get(member, member)
    return Sight(
        host,
        more.pop("url", f"http://{host}:2379"),
        etcd_view.status(said(member, leader, **more)),
        etcd_view.listed(listing(*NAMES) if listed is None else listed),
        began=f"began-{member}",
    )


def silent(host: str, **more: Any) -> Sight:
    """Nobody answers there."""
    more = {"url": f"http://{host}:2379", **more}
    return Sight(host, why=f"etcd on {host} does not answer", evidence="refused", **more)


def round_of(*sights: Sight, lag: int = 10) -> Round:
    """All of it in one round."""
    return Round(sights, lag, Round(sights, lag).highest)
