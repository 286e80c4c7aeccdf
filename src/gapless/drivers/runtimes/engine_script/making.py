"""One container more: by compose, or by docker, and then made anew with our labels."""

from __future__ import annotations

import json

from gapless.drivers.runtimes.engine_script.bodies import make, renumber
from gapless.drivers.runtimes.engine_script.entry import labels_of, split
from gapless.drivers.runtimes.engine_script.programs import order
from gapless.drivers.runtimes.engine_script.projects import project
from gapless.drivers.runtimes.engine_script.unfinished import Making, alone, is_template
from gapless.hostside.container_body import body_of
from gapless.hostside.container_engine import Engine
from gapless.hostside.faults import Fault
from gapless.hostside.labels import COMPOSE, COPIED, OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def make_one_more(
    engine: Engine, labels: Sequence[str], more: dict[str, str], compose: Sequence[str], starts: str
) -> str:
    """Have compose create a container, label it and start it. What is there is neither made again
    nor stopped; what an earlier call left half made goes. ``starts``: "compose" where something
    hooks on to that, "engine" takes half the time, "asked" has the project say which."""
    service = dict(label.split("=", 1) for label in labels)[COMPOSE + "service"]
    up = [*compose, "up", "--no-deps", "--no-recreate"]
    if starts == "asked":
        written = project(service, (), compose)
        starts = "compose" if written["hooks"] or written["copied"] else "engine"
        more = {**more, **({COPIED: json.dumps(written["copied"])} if written["copied"] else {})}
    making = Making(engine, labels)
    with alone(engine, labels):
        there = making.begin()
        if starts == "compose":
            refuse_unstarted(there)
        scaled = ["--scale", f"{service}={1 + len(there)}", service]
        order([*up, "--no-start", "--quiet-pull", *scaled])
        made = label(engine, labels, more, there)
        making.done()
        if starts == "compose":
            order([*up, "--no-build", "--detach", *scaled])
        else:
            engine.ask("POST", f"/containers/{made}/start")
    return made


def label(
    engine: Engine, labels: Sequence[str], more: dict[str, str], there: Sequence[dict[str, Any]]
) -> str:
    """Of the containers with ``labels`` the one that was not ``there`` before compose created
    it."""
    before = {one["Id"] for one in there}
    found = engine.labelled(labels)
    fresh = [one for one in found if is_template(one) and one["Id"] not in before]
    if not fresh:
        raise Fault("compose made no new container")
    body = body_of(fresh[0])
    renumber(body, [one for one in found if one not in fresh])
    return instead(engine, fresh, body, more)


def create(
    engine: Engine, name: str, labels: dict[str, str], docker: Sequence[str], words: Sequence[str]
) -> str:
    """Have docker create a container, make it anew as all others are made, and start it; what an
    earlier call left half made goes."""
    there = engine.ask("GET", f"/containers/{name}/json")
    if there and there["State"]["Status"] == "created" and belongs(there, labels):
        engine.ask("DELETE", f"/containers/{there['Id']}?v=1")
    given = (word for label, value in labels.items() for word in ("--label", f"{label}={value}"))
    order([*docker, "--name", name, *given, *words])
    fresh = engine.ask("GET", f"/containers/{name}/json")
    if fresh is None:
        raise Fault(f"docker made no container {name}")
    made = instead(engine, [fresh], body_of(fresh), labels)
    engine.ask("POST", f"/containers/{made}/start")
    return name


def belongs(one: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether it is of the service that the labels are of."""
    has = one["Config"]["Labels"] or {}
    return all(has.get(OWN + key) == labels[OWN + key] for key in ("project", "service"))


def refuse_unstarted(there: Sequence[dict[str, Any]]) -> None:
    """compose starts all that there are."""
    names = ", ".join(one["Name"].lstrip("/") for one in there if is_template(one))
    if names:
        raise Fault(f"compose would start {names} as well: start or remove what was only created")


def instead(
    engine: Engine, templates: Sequence[dict[str, Any]], body: dict[str, Any], more: dict[str, str]
) -> str:
    """A container in the place of what somebody else created for us."""
    for one in templates:
        engine.ask("DELETE", f"/containers/{one['Id']}?v=1")
    return make(engine, body, more)


def made(engine: Engine, *words: str) -> str:
    """``STARTS LABEL... -- LABEL... -- COMPOSE...``"""
    before, after = split(words)
    own, compose = split(after)
    return make_one_more(engine, before[1:], labels_of(own), compose, before[0])


def created(engine: Engine, *words: str) -> str:
    """``NAME LABEL... -- CREATE... -- WORD...``"""
    before, after = split(words)
    docker, rest = split(after)
    return create(engine, before[0], labels_of(before[1:]), docker, rest)


ORDERS = {"make": made, "create": created}
