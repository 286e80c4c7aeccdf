"""Whether the engine starts a container again when it ends."""

from __future__ import annotations

import contextlib
import json
import os

from gapless.hostside.container_engine import Engine
from gapless.hostside.faults import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NEVER = {"RestartPolicy": {"Name": "no"}}


def restarted_by_engine(one: dict[str, Any]) -> bool:
    """Whether the engine starts a container again when it ends."""
    host = one["HostConfig"]
    return not host.get("AutoRemove") and host["RestartPolicy"]["Name"] not in ("", "no")


def disarm(engine: Engine, identity: str) -> str:
    """What it was to do when it ends is kept in the folder that it shares with the other copy."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None or not restarted_by_engine(one):
        return "nobody starts it again"
    policy = one["HostConfig"]["RestartPolicy"]
    import tempfile  # takes longer than most questions, and few programs hand over

    path = kept_policy(one)
    fd, fresh = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".restart-")
    with open(fd, "w") as file:
        json.dump(policy, file)
    os.replace(fresh, path)
    engine.ask("POST", f"/containers/{identity}/update", NEVER)
    return "restart: no"


def rearm(engine: Engine, identity: str) -> str:
    """As it was, where it is another now. The program may write in that folder: what it says is
    taken for a policy and no more."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None:
        return "there is no container " + identity
    try:
        with open(kept_policy(one)) as file:
            kept = json.load(file)
        name, most = kept["Name"], int(kept.get("MaximumRetryCount") or 0)
    except FileNotFoundError:
        return "as it was"
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Fault(f"{kept_policy(one)} says nothing of a restart policy") from None
    if name not in ("always", "unless-stopped", "on-failure"):
        raise Fault(f"{kept_policy(one)} says nothing of a restart policy")
    policy = {"RestartPolicy": {"Name": name, "MaximumRetryCount": most}}
    engine.ask("POST", f"/containers/{identity}/update", policy)
    forget(one)
    return f"restart: {name}"


def kept_policy(one: dict[str, Any]) -> str:
    """A file in the folder that a copy shares with the other one, as this host has it."""
    mark = "HANDOVER_DIR="
    inside = [word[len(mark) :] for word in one["Config"]["Env"] or () if word.startswith(mark)]
    here = [mount["Source"] for mount in one["Mounts"] if mount["Destination"] in inside]
    if not here:
        raise Fault(one["Name"].lstrip("/") + " has no folder of this host at HANDOVER_DIR")
    return os.path.join(here[0], f".restart-{one['Id'][:12]}.json")


def forget(one: dict[str, Any]) -> None:
    """Leave no file about it; one that never handed over has none."""
    with contextlib.suppress(Fault, OSError):
        os.unlink(kept_policy(one))


def account(engine: Engine, identity: str) -> str:
    """The image's own where nobody said."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    return str(one["Config"].get("User") or "") if one else ""


ORDERS = {"disarm": disarm, "rearm": rearm, "account": account}
