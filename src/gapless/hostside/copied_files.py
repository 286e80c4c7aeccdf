"""Files that compose copied into a container: secrets and configs that are in no file."""

from __future__ import annotations

import base64
import io
import json
import os

from gapless.hostside.faults import Fault
from gapless.hostside.labels import COMPOSE, COPIED, SECRETS, SLOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gapless.hostside.container_engine import Engine

_ADDED = 1
"""What the engine calls a change of that kind."""


def copied_into(engine: Engine, one: dict[str, Any], perhaps: Sequence[str]) -> list[str]:
    """Each as an archive in base64. One that we know of and that is not there any more could not be
    brought back. ``perhaps``: what they may be, where nobody wrote that down."""
    labels = one["Config"]["Labels"] or {}
    known = SLOT in labels
    paths = json.loads(labels.get(COPIED) or "[]") if known else _guessed(engine, one, perhaps)
    found = []
    for path in paths:
        archive = engine.pack(one["Id"], path)
        if archive is not None:
            found.append(base64.b64encode(_below(os.path.dirname(path), archive)).decode())
        elif known:
            gone = f"{path}, which compose copied into it, is not in it any more"
            raise Fault(f"{one['Name'].lstrip('/')}: {gone}")
    return found


def _guessed(engine: Engine, one: dict[str, Any], perhaps: Sequence[str]) -> list[str]:
    """Of a container that somebody else made: these, and what was added where secrets are; what is
    mounted comes back as a mount."""
    if not perhaps and COMPOSE + "service" not in (one["Config"]["Labels"] or {}):
        return []
    changes = engine.ask("GET", f"/containers/{one['Id']}/changes") or []
    added = {change["Path"] for change in changes if change["Kind"] == _ADDED}
    leaves = {path for path in added if not any(other.startswith(path + "/") for other in added)}
    inside = {path for path in leaves if path.startswith(SECRETS + "/")}
    return sorted({*perhaps, *inside} - {mount["Destination"] for mount in one["Mounts"]})


def _below(folder: str, archive: bytes) -> bytes:
    """The same archive for the root folder: a new container may have no such folder yet."""
    import tarfile  # takes longer than all of the rest, and few containers have such files

    given, packed = io.BytesIO(archive), io.BytesIO()
    with tarfile.open(fileobj=given) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for entry in old:
            entry.name = os.path.join(folder.lstrip("/"), entry.name)
            new.addfile(entry, old.extractfile(entry) if entry.isfile() else None)
    return packed.getvalue()
