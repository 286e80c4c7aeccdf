"""What a compose project says of a service."""

from __future__ import annotations

import json
import os
import re

from gapless.drivers.runtimes.engine_script.entry import split
from gapless.drivers.runtimes.engine_script.programs import answer, begin
from gapless.hostside.container_engine import Engine
from gapless.hostside.faults import Fault
from gapless.hostside.labels import SECRETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def project(service: str, files: Sequence[str], compose: Sequence[str]) -> dict[str, Any]:
    """What there is of the service in a project's resolved configuration, and whether nothing but
    the files has a say in it."""
    asked = [begin([*compose, "config", *words]) for words in (_RESOLVED, ("--hash", service))]
    told, hashed = [(*one.communicate(), one.returncode) for one in asked]
    resolved = json.loads(answer(*told))
    if service not in resolved["services"]:
        raise Fault(no_such(service, resolved))
    written = answer(*hashed)
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
            os.path.join(folder, given.get("target") or given["source"])
            for kind, folder in (("secrets", SECRETS), ("configs", "/"))
            for given in one.get(kind, [])
            if not {"file", "external"} & {*resolved[kind][given["source"]]}
        ],
        "read_only": bool(one.get("read_only")),
        "healthcheck": bool(one.get("healthcheck")),
        "hooks": bool(one.get("post_start")),
        "lasting": is_all(files),
        "folder": os.getcwd(),
    }


_RESOLVED = ("--format", "json")
_ELSEWHERE = re.compile(rb"\b(include|extends|env_file|label_file)\b|^\s*COMPOSE_", re.MULTILINE)
"""What has compose read more files than those it is given."""


def is_all(files: Sequence[str]) -> bool:
    """Whether compose has read these files and no other."""
    if any(name.startswith("COMPOSE_") for name in os.environ):
        return False
    there = [path for path in files if os.path.exists(path)]
    for path in there:
        with open(path, "rb") as file:
            if _ELSEWHERE.search(file.read()):
                return False
    return any(not path.endswith("/.env") for path in there)


def no_such(service: str, resolved: dict[str, Any]) -> str:
    """What the project has in its place, and which of these comes near."""
    from difflib import get_close_matches

    known = sorted(resolved["services"])
    close = get_close_matches(service, known, n=1)
    meant = f" — did you mean '{close[0]}'?" if close else ""
    has = f"it has {', '.join(known)}" if known else "it has none"
    return f"the compose project {resolved['name']} has no service '{service}', {has}{meant}"


def told(engine: Engine, *words: str) -> str:
    """``SERVICE FILE... -- COMPOSE...``, as JSON."""
    before, compose = split(words)
    return json.dumps(project(before[0], before[1:], compose))


ORDERS = {"project": told}
