"""A container written down, so that the same one can be made again."""

from __future__ import annotations

import base64
import io
import json
import os

from gapless.drivers.runtimes.engine_script.asking import (
    COPIED,
    NUMBER,
    OWN,
    PREFIX,
    Engine,
    Refused,
)
from gapless.drivers.runtimes.engine_script.bodies import body_of, make, renumber
from gapless.drivers.runtimes.engine_script.entry import labels_of, split
from gapless.drivers.runtimes.engine_script.projects import SECRETS
from gapless.drivers.runtimes.engine_script.unfinished import alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def keep(engine: Engine, identity: str, path: str, *perhaps: str) -> None:
    """The file may hold secrets: nobody else reads it. It names the image as it is now.
    ``perhaps``: what compose may have copied into it, where nobody wrote that down."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None:
        raise Refused("there is no container " + identity)
    body = body_of(one)
    body["config"]["Labels"].setdefault(OWN + "image", body["config"]["Image"])
    body["config"]["Image"] = one["Image"]
    body["files"] = copied_into(engine, one, perhaps)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def copied_into(engine: Engine, one: dict[str, Any], perhaps: Sequence[str]) -> list[str]:
    """The files that compose copied into a container, each as an archive in base64. One that we
    know of and that is not there any more could not be brought back."""
    labels = one["Config"]["Labels"] or {}
    known = OWN + "slot" in labels
    paths = json.loads(labels.get(COPIED) or "[]") if known else guessed(engine, one, perhaps)
    found = []
    for path in paths:
        archive = engine.pack(one["Id"], path)
        if archive is not None:
            found.append(base64.b64encode(below(os.path.dirname(path), archive)).decode())
        elif known:
            gone = f"{path}, which compose copied into it, is not in it any more"
            raise Refused(f"{one['Name'].lstrip('/')}: {gone}")
    return found


def guessed(engine: Engine, one: dict[str, Any], perhaps: Sequence[str]) -> list[str]:
    """Of a container that somebody else made: these, and what was added where secrets are; what is
    mounted comes back as a mount."""
    if not perhaps and PREFIX + "service" not in (one["Config"]["Labels"] or {}):
        return []
    changes = engine.ask("GET", f"/containers/{one['Id']}/changes") or []
    added = {change["Path"] for change in changes if change["Kind"] == ADDED}
    leaves = {path for path in added if not any(other.startswith(path + "/") for other in added)}
    inside = {path for path in leaves if path.startswith(SECRETS + "/")}
    return sorted({*perhaps, *inside} - {mount["Destination"] for mount in one["Mounts"]})


ADDED = 1
"""What the engine calls a change of that kind."""


def below(folder: str, archive: bytes) -> bytes:
    """The same archive for the root folder: a new container may have no such folder yet."""
    import tarfile

    given, packed = io.BytesIO(archive), io.BytesIO()
    with tarfile.open(fileobj=given) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for entry in old:
            entry.name = os.path.join(folder.lstrip("/"), entry.name)
            new.addfile(entry, old.extractfile(entry) if entry.isfile() else None)
    return packed.getvalue()


def again(engine: Engine, path: str, labels: dict[str, str], name: str = "") -> str:
    """Make it and start it; without a ``name`` its own may be another container's by now."""
    with open(path) as file:
        body = json.load(file)
    if name:
        return remade(engine, {**body, "name": name}, labels)
    own = body["config"]["Labels"]
    same = [f"{PREFIX}{name}={own[PREFIX + name]}" for name in ("project", "service", "oneoff")]
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


def kept(engine: Engine, identity: str, path: str, *perhaps: str) -> str:
    """``ID FILE PATH...``"""
    keep(engine, identity, path, *perhaps)
    return ""


def made(engine: Engine, *words: str) -> str:
    """``FILE [NAME] -- LABEL...``"""
    before, after = split(words)
    return again(engine, before[0], labels_of(after), *before[1:])


ORDERS = {"keep": kept, "again": made}
