#!/usr/bin/env python3
"""Tells gapless of a cluster that has HTTP endpoints of its own, and hands leaderships over.

    members.py topology URL            what the member at URL knows, as JSON
    members.py transfer URL GROUP TO   the leader at URL hands GROUP over to the member TO

A member that does not answer, or not as it should, ends it with 1 and the reason: gapless takes
that for silence, never for "all is well".
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import Any

NOT_YET = ("starting", "shutting_down")


def ask(url: str, body: bytes | None = None) -> Any:
    """The JSON there, whatever the status: a member that is not well says so with 503."""
    try:
        with urllib.request.urlopen(url, body, timeout=4) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if body is not None:
            raise
        return json.load(error)


def topology(url: str) -> dict[str, Any]:
    """As the member there has it."""
    health, partitions = ask(f"{url}/health"), ask(f"{url}/partitions")
    own = str(health["node_id"])
    known = {own}.union(*(map(str, one["replicas"]) for one in partitions))
    trouble = f"it is {health['status']}" if health["status"] in NOT_YET else ""
    return {
        "version": 1,
        "self": own,
        "members": [{"id": one, "trouble": trouble if one == own else ""} for one in sorted(known)],
        "groups": [group(one) for one in partitions],
    }


def group(partition: dict[str, Any]) -> dict[str, Any]:
    """One thing that members hold together."""
    return {
        "id": partition["name"],
        "members": [str(one) for one in partition["replicas"]],
        "leader": str(partition["leader"] or ""),
        "in_sync": [str(one) for one in partition["in_sync_replicas"]],
        "position": partition["applied_index"],
    }


def main(verb: str, url: str, *words: str) -> None:
    """What was asked for."""
    if verb == "topology":
        print(json.dumps(topology(url)))
    elif verb == "transfer":
        name, to = words
        print(json.dumps(ask(f"{url}/partitions/{name}/transfer?to={to}", b"")))
    else:
        sys.exit(f"{verb} is not known")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{' '.join(sys.argv[1:3])}: {error!r}")
