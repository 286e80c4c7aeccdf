"""What makes a container the one that it is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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
