"""What makes a container the one that it is, given to the next."""

from __future__ import annotations

import json
import os
import re

from gapless.drivers.runtimes.engine_script.cording import corded
from gapless.hostside.container_engine import Engine
from gapless.hostside.labels import NUMBER, OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def make(engine: Engine, body: dict[str, Any], labels: dict[str, str]) -> str:
    """A container that does not run yet; its id."""
    first = body["host"]["NetworkMode"]
    named = first in body["nets"] and first not in ("bridge", "default")
    made = {**body["config"], "HostConfig": body["host"]}
    made["Labels"] = {**made["Labels"], **labels}
    if OWN + "cord" in made["Labels"]:
        made["Healthcheck"] = corded(made, float(made["Labels"][OWN + "cord"]))
    hand_over(made)
    if named:
        made["NetworkingConfig"] = {"EndpointsConfig": {first: body["nets"][first]}}
    found: str = engine.ask("POST", f"/containers/create?name={body['name']}", made)["Id"]
    for name, net in body["nets"].items():
        if name != first and named:
            wanted = {"Container": found, "EndpointConfig": net}
            engine.ask("POST", f"/networks/{name}/connect", wanted)
    return found


def handed() -> dict[str, str]:
    """The variables of handover/1 for what is made now, from our own environment."""
    found: dict[str, str] = json.loads(os.environ.get("GAPLESS_HANDOVER") or "{}")
    return found


def hand_over(made: dict[str, Any]) -> None:
    """With these variables, and the folder that both copies share at the same place as here."""
    given = handed()
    if not given:
        return
    has = [word for word in made.get("Env") or () if word.partition("=")[0] not in given]
    made["Env"] = [*has, *(f"{name}={value}" for name, value in given.items())]
    host, folder = made["HostConfig"], given["HANDOVER_DIR"]
    mounted = [bind.split(":")[1] for bind in host.get("Binds") or ()]
    mounted += [mount["Target"] for mount in host.get("Mounts") or ()]
    if folder not in mounted:
        host["Binds"] = [*(host.get("Binds") or ()), f"{folder}:{folder}"]


def renumber(body: dict[str, Any], others: Sequence[dict[str, Any]]) -> None:
    """Its number and name are the first that are free, as long as rollouts go on."""
    labels = body["config"]["Labels"]
    used = {one["Config"]["Labels"][NUMBER] for one in others}
    number = next(str(n) for n in range(1, len(used) + 2) if str(n) not in used)
    body["name"] = re.sub(re.escape(labels[NUMBER]) + "$", number, body["name"])
    labels[NUMBER] = number
