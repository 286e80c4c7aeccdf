"""What the host remembers of a service between rollouts: last good release, unit copies …"""

from __future__ import annotations

from gapless.hostside import claims
from gapless.hostside.calls import Call
from gapless.hostside.store import Store, file_name, open_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def recall(call: Call) -> dict[str, Any]:
    """The verb."""
    store = open_store()
    return store.read(_path(store, call.args["service"])) or {}


def remember(call: Call) -> None:
    """The verb: merge; None forgets a fact."""
    store, fence = open_store(), call.args["fence"]
    with store.locked(claims.lock_name(fence["service"]), call):
        claims.admit(store, fence)
        path = _path(store, fence["service"])
        merged = {**(store.read(path) or {}), **call.args["facts"]}
        store.write(path, {name: fact for name, fact in merged.items() if fact is not None})


def _path(store: Store, service: str) -> str:
    return store.path("services", file_name(service) + ".memory.json")
