"""What is run on a container host, sent over stdin: questions and orders to the engine's socket.

Needs Python 3.8 and its standard library there, and nothing of gapless. What leaves the host is
chosen here: an environment may hold secrets, so it never does.

    look SOCKET LABEL...                what there is, as JSON
    project SOCKET SERVICE COMPOSE...   what a compose project says of it, and what there is
    keep SOCKET ID FILE                 write all that is needed to make a container again
    label SOCKET LABEL... -- LABEL...   make the created one anew, with more labels
    again SOCKET FILE -- LABEL...       make one from such a file, and start it
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PREFIX = "com.docker.compose."
NUMBER = PREFIX + "container-number"
OWN = "gapless."
LIMIT = 60.0


class Refused(Exception):
    """What the engine or compose said."""


class Engine(http.client.HTTPConnection):
    """Its API on a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIMIT)
        self._path = path

    def connect(self) -> None:
        """Through the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer as plain data; None for one that has none, or that there is no such thing."""
        sent = None if body is None else json.dumps(body)
        self.request(method, path, sent, {"Content-Type": "application/json"})
        reply = self.getresponse()
        told = reply.read()
        if reply.status == 404 and method in ("GET", "DELETE"):
            return None
        if reply.status >= 400:
            raise Refused(json.loads(told or b"{}").get("message", reply.reason))
        return json.loads(told) if told.strip() else None

    def labelled(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """All containers that have these labels, whatever their state."""
        wanted = json.dumps({"label": labels})
        quoted = "".join(f"%{byte:02X}" for byte in wanted.encode())
        found = self.ask("GET", "/containers/json?all=1&filters=" + quoted)
        seen = (self.ask("GET", f"/containers/{one['Id']}/json") for one in found)
        return [one for one in seen if one]


def look(engine: Engine, labels: Sequence[str]) -> dict[str, Any]:
    """What may be known of each, and the image that its name means now."""
    images = {}
    found = engine.labelled(labels)
    for one in found:
        name = one["Config"]["Labels"].get(OWN + "image") or one["Config"]["Image"]
        images[name] = (engine.ask("GET", f"/images/{name}/json") or {}).get("Id", "")
    return {"containers": [told(one) for one in found], "images": images}


def told(one: dict[str, Any]) -> dict[str, Any]:
    """No environment, and no command: either may hold secrets."""
    state, config, host = one["State"], one["Config"], one["HostConfig"]
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
        "image_name": config["Labels"].get(OWN + "image") or config["Image"],
        "labels": {k: v for k, v in config["Labels"].items() if k.startswith((OWN, PREFIX))},
        "addresses": {name: net["IPAddress"] for name, net in sorted(networks.items())},
        "stop_timeout": config.get("StopTimeout"),
        "auto_remove": bool(host.get("AutoRemove")),
        "volumes": [mount.get("Name") or mount["Source"] for mount in one["Mounts"] if mount["RW"]],
    }


def project(compose: Sequence[str], service: str) -> dict[str, Any]:
    """What there is of the service in a project's resolved configuration."""
    asked = [begin([*compose, "config", *words]) for words in (_RESOLVED, ("--hash", service))]
    told, written = (answer(one) for one in asked)
    resolved = json.loads(told)
    if service not in resolved["services"]:
        known = ", ".join(sorted(resolved["services"]))
        raise Refused(f"the project has no service {service}; it has {known}")
    one = resolved["services"][service]
    networks = one.get("networks") or {}
    return {
        "name": resolved["name"],
        "hash": written.split()[-1],
        "image": one.get("image", ""),
        "build": "build" in one,
        "container_name": one.get("container_name", ""),
        "ports": [str(port.get("published", "")) for port in one.get("ports", [])],
        "volumes": [
            volume.get("source") or volume["target"]
            for volume in one.get("volumes", [])
            if volume["type"] in ("bind", "volume") and not volume.get("read_only")
        ],
        "network_mode": one.get("network_mode", ""),
        "static": [name for name, net in networks.items() if (net or {}).get("ipv4_address")],
        "replicas": one.get("scale") or (one.get("deploy") or {}).get("replicas") or 1,
        "copied": [
            given["source"]
            for kind in ("secrets", "configs")
            for given in one.get(kind, [])
            if not resolved[kind][given["source"]].get("file")
        ],
        "healthcheck": bool(one.get("healthcheck")),
    }


_RESOLVED = ("--format", "json")


def of(project: str, service: str) -> list[tuple[str, str]]:
    """What compose calls all containers of a service that are to stay."""
    return [("project", project), ("service", service), ("oneoff", "False")]


def begin(argv: Sequence[str]) -> subprocess.Popen[str]:
    """Start a program whose output is wanted."""
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(program: subprocess.Popen[str]) -> str:
    """Its output, when it has ended well."""
    told, refused = program.communicate(timeout=LIMIT)
    if program.returncode:
        raise Refused(refused.strip() or "compose failed")
    return told


def body_of(one: dict[str, Any]) -> dict[str, Any]:
    """All that the engine wants to know to make the same container."""
    made_up = one["Id"][:12]
    config = dict(one["Config"])
    if config.get("Hostname") == made_up:
        del config["Hostname"]
    networks = {
        name: {
            "IPAMConfig": net.get("IPAMConfig"),
            "Links": net.get("Links"),
            "DriverOpts": net.get("DriverOpts"),
            "Aliases": [a for a in net.get("Aliases") or () if a not in (made_up, one["Name"][1:])],
        }
        for name, net in (one["NetworkSettings"]["Networks"] or {}).items()
    }
    if not one["HostConfig"]["NetworkMode"].startswith(("host", "none", "container:")):
        one["HostConfig"]["NetworkMode"] = next(iter(networks), one["HostConfig"]["NetworkMode"])
    return {"name": one["Name"][1:], "config": config, "host": one["HostConfig"], "nets": networks}


def make(engine: Engine, body: dict[str, Any], labels: dict[str, str]) -> str:
    """A container that does not run yet; its id."""
    first = body["host"]["NetworkMode"]
    named = first in body["nets"] and first not in ("bridge", "default")
    made = {**body["config"], "HostConfig": body["host"]}
    made["Labels"] = {**made["Labels"], **labels}
    if named:
        made["NetworkingConfig"] = {"EndpointsConfig": {first: body["nets"][first]}}
    found: str = engine.ask("POST", f"/containers/create?name={body['name']}", made)["Id"]
    for name, net in body["nets"].items():
        if name != first and named:
            wanted = {"Container": found, "EndpointConfig": net}
            engine.ask("POST", f"/networks/{name}/connect", wanted)
    return found


def label(engine: Engine, labels: Sequence[str], more: dict[str, str]) -> str:
    """Of the containers with ``labels`` the one that compose just created. Its number is the first
    that is free, as long as rollouts go on."""
    found = engine.labelled(labels)
    fresh = [one for one in found if is_template(one)]
    if not fresh:
        raise Refused("compose made no new container")
    body = body_of(fresh[0])
    taken = {one["Config"]["Labels"][NUMBER] for one in found if not is_template(one)}
    number = next(str(n) for n in range(1, len(taken) + 2) if str(n) not in taken)
    was = body["config"]["Labels"][NUMBER]
    body["name"] = re.sub(re.escape(was) + "$", number, body["name"])
    for one in fresh:
        engine.ask("DELETE", f"/containers/{one['Id']}?v=1")
    return make(engine, body, {**more, NUMBER: number})


def is_template(one: dict[str, Any]) -> bool:
    """Whether compose created it for us, and nobody started it."""
    return one["State"]["Status"] == "created" and not one["Config"]["Labels"].get(OWN + "slot")


def keep(engine: Engine, identity: str, path: str) -> None:
    """The file may hold secrets: nobody else reads it. It names the image as it is now."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None:
        raise Refused("there is no container " + identity)
    body = body_of(one)
    body["config"]["Labels"].setdefault(OWN + "image", body["config"]["Image"])
    body["config"]["Image"] = one["Image"]
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def again(engine: Engine, path: str, labels: dict[str, str]) -> str:
    """Make it and start it."""
    with open(path) as file:
        body = json.load(file)
    made = make(engine, body, labels)
    engine.ask("POST", f"/containers/{made}/start")
    return made


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is before and after the two dashes."""
    at = words.index("--")
    return words[:at], words[at + 1 :]


def labels_of(words: Sequence[str]) -> dict[str, str]:
    """From NAME=VALUE; who asked is in our own environment."""
    named = dict(word.split("=", 1) for word in words)
    rollout = os.environ.get("GAPLESS_ROLLOUT")
    return {**named, OWN + "rollout": rollout} if rollout else named


def main(verb: str, path: str, *words: str) -> None:
    """One question or order."""
    engine = Engine(path)
    if verb == "look":
        print(json.dumps(look(engine, words)))
    elif verb == "project":
        written = project(list(words[1:]), words[0])
        labels = [f"{PREFIX}{label}={value}" for label, value in of(written["name"], words[0])]
        print(json.dumps({"written": written, **look(engine, labels)}))
    elif verb == "keep":
        keep(engine, *words)
    elif verb == "label":
        before, after = split(list(words))
        print(label(engine, before, labels_of(after)))
    elif verb == "again":
        before, after = split(list(words))
        print(again(engine, before[0], labels_of(after)))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Refused, OSError, subprocess.SubprocessError, http.client.HTTPException) as error:
        sys.exit(str(error) or type(error).__name__)
