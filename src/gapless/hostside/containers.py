"""What the container engine of this host says of containers, over its socket.

What leaves the host is chosen here: an environment or a command may hold secrets, so neither does.
"""

from __future__ import annotations

from gapless.hostside.calls import Call
from gapless.hostside.container_engine import Engine
from gapless.hostside.labels import COMPOSE, IMAGE, OWN
from gapless.hostside.silence import silence_told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KNOWN = (OWN, COMPOSE, "docker-rollout.")
"""What we read begins so."""


def containers(call: Call) -> dict[str, Any]:
    """The verb: all that have the labels, or one of the names, whatever their state, and the ids
    that the names of their images mean now."""
    args = call.args
    with silence_told(args["socket"]):
        engine = Engine(args["socket"], args["timeout"])
        return _look(engine, args["labels"], args.get("names", ()))


def _look(engine: Engine, labels: list[str], names: list[str]) -> dict[str, Any]:
    found = engine.labelled(labels)
    named = [engine.ask("GET", f"/containers/{name}/json") for name in names]
    ids = {one["Id"] for one in found}
    # the engine takes the beginning of an id for a name, too
    found += [
        one
        for name, one in zip(names, named)
        if one and one["Name"] == f"/{name}" and one["Id"] not in ids
    ]
    told = [_told(one) for one in found]
    images = {one["image_name"]: _image(engine, one["image_name"]) for one in told}
    return {"containers": told, "images": images}


def _image(engine: Engine, name: str) -> str:
    found = engine.ask("GET", f"/images/{name}/json") or {}
    return str(found.get("Id", ""))


def _told(one: dict[str, Any]) -> dict[str, Any]:
    state, config, host = one["State"], one["Config"], one["HostConfig"]
    labels = config["Labels"] or {}
    networks = one["NetworkSettings"]["Networks"] or {}
    return {
        "id": one["Id"],
        "name": one["Name"].lstrip("/"),
        "status": state["Status"],
        "exit": state["ExitCode"],
        "error": state.get("Error", ""),
        "started": state["StartedAt"],
        "restarts": one["RestartCount"],
        "image": one["Image"],
        "image_name": labels.get(IMAGE) or config["Image"],
        "labels": {k: v for k, v in labels.items() if k.startswith(_KNOWN)},
        "addresses": {name: net["IPAddress"] for name, net in sorted(networks.items())},
        "stop_timeout": config.get("StopTimeout"),
        "auto_remove": bool(host.get("AutoRemove")),
        "volumes": [
            mount.get("Name") or mount["Source"]
            for mount in one["Mounts"]
            if mount["RW"] and mount["Destination"] != _handed(config)
        ],
    }


def _handed(config: dict[str, Any]) -> str:
    """The folder in which copies hand over to each other: it is made for both."""
    mark = "HANDOVER_DIR="
    found = [word[len(mark) :] for word in config.get("Env") or () if word.startswith(mark)]
    return found[-1] if found else ""
