"""What the container engine of this host says of containers, over its socket.

What leaves the host is chosen here: an environment or a command may hold secrets, so neither does.
"""

from __future__ import annotations

import json
import os
import stat

from gapless.hostside.calls import Call
from gapless.hostside.exchange import connect
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.http_message import Malformed, read_answer, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_KNOWN = ("gapless.", "com.docker.compose.", "docker-rollout.")
"""What we read begins so."""
_IMAGE = "gapless.image"
_LARGEST = 64 << 20
_USUAL = ("/run/docker.sock", "/run/podman/podman.sock")
"""Where engines listen that nobody told to do otherwise."""


def containers(call: Call) -> dict[str, Any]:
    """The verb: all that have the labels, or one of the names, whatever their state, and the ids
    that the names of their images mean now."""
    args = call.args
    try:
        engine = Engine(args["socket"], args["timeout"])
        return _look(engine, args["labels"], args.get("names", ()))
    except Malformed as error:
        raise Fault(f"{args['socket']} is no container engine: {error}") from error
    except OSError as error:
        silent = from_os_error(error, f"no answer of the engine at {args['socket']}")
        raise Fault(silent.what, evidence=_seen_of(args["socket"])) from error


def _seen_of(path: str) -> str:
    """What there is in the place of an engine that answers."""
    if os.path.exists(path):
        found = os.stat(path)
        kind = "a socket" if stat.S_ISSOCK(found.st_mode) else "no socket"
        mode = stat.S_IMODE(found.st_mode)
        return f"{path} is {kind} of uid {found.st_uid}, gid {found.st_gid}, mode {mode:04o}"
    others = [usual for usual in _USUAL if os.path.exists(usual)]
    return f"there is {', '.join(others)}" if others else f"neither {' nor '.join(_USUAL)} is there"


class Engine:
    """Its API, a connection for each question; ``timeout`` seconds for each part of an answer."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout

    def get(self, path: str) -> Any:
        """Plain data; None when there is no such thing. Raises Fault for what it refuses."""
        heads = {"Host": "localhost", "Connection": "close"}
        with connect(self._path, self._timeout) as connection, connection.makefile("rb") as stream:
            connection.sendall(request("GET", path, heads))
            status, _, body = read_answer(stream, "GET", _LARGEST)
        if status == 404:
            return None
        told = json.loads(body)
        if status >= 400:
            raise Fault(f"the engine at {self._path}: {told.get('message', status)}")
        return told


def _look(engine: Engine, labels: list[str], names: list[str]) -> dict[str, Any]:
    wanted = json.dumps({"label": labels})
    quoted = "".join(f"%{byte:02X}" for byte in wanted.encode())
    listed = engine.get("/containers/json?all=1&filters=" + quoted) or []
    found = [engine.get(f"/containers/{one['Id']}/json") for one in listed]
    named = [engine.get(f"/containers/{name}/json") for name in names]
    ids = {one["Id"] for one in found if one}
    # the engine takes the beginning of an id for a name, too
    found += [
        one
        for name, one in zip(names, named)
        if one and one["Name"] == f"/{name}" and one["Id"] not in ids
    ]
    told = [_told(one) for one in found if one]  # one that has just gone is not there
    images = {one["image_name"]: _image(engine, one["image_name"]) for one in told}
    return {"containers": told, "images": images}


def _image(engine: Engine, name: str) -> str:
    found = engine.get(f"/images/{name}/json") or {}
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
        "image_name": labels.get(_IMAGE) or config["Image"],
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
