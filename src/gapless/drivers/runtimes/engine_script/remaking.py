"""The same container made again, from what the helper wrote down of it."""

from __future__ import annotations

import base64
import json

from gapless.drivers.runtimes.engine_script.bodies import make, renumber
from gapless.drivers.runtimes.engine_script.entry import labels_of, split
from gapless.drivers.runtimes.engine_script.unfinished import alone
from gapless.hostside.container_engine import Engine
from gapless.hostside.labels import COMPOSE, NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def again(engine: Engine, path: str, labels: dict[str, str], name: str = "") -> str:
    """Make it and start it; without a ``name`` its own may be another container's by now."""
    with open(path) as file:
        body = json.load(file)
    if name:
        return remade(engine, {**body, "name": name}, labels)
    own = body["config"]["Labels"]
    same = [f"{COMPOSE}{name}={own[COMPOSE + name]}" for name in ("project", "service", "oneoff")]
    with alone(engine, same):
        others = engine.labelled(same)
        if own[NUMBER] in (one["Config"]["Labels"][NUMBER] for one in others):
            renumber(body, others)
        return remade(engine, body, labels)


def remade(engine: Engine, body: dict[str, Any], labels: dict[str, str]) -> str:
    """Made from what was kept, with the files that were copied into it, and started."""
    made = make(engine, body, labels)
    for archive in body.get("files") or ():
        engine.unpack(made, base64.b64decode(archive))
    engine.ask("POST", f"/containers/{made}/start")
    return made


def made(engine: Engine, *words: str) -> str:
    """``FILE [NAME] -- LABEL...``"""
    before, after = split(words)
    return again(engine, before[0], labels_of(after), *before[1:])


ORDERS = {"again": made}
