"""Who owns a service on this host, and the fence: the host obeys only the newest.

1. Nobody owns it, or its owner gave it back: granted, with the next number.
2. The same rollout claims again: granted, with the next number, so that its own zombie is out.
3. Another rollout owns it: refused with its name, unless the claim takes over whoever it is, or
   from this one (audited).
"""

from __future__ import annotations

import contextlib
import os
import time

from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault
from gapless.hostside.store import Store, file_name, is_locked, open_store, os_words, try_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SESSION: list[str] = []


def claim(call: Call) -> dict[str, Any]:
    """The verb."""
    wanted, take_over = call.args["claim"], call.args["take_over"]
    yielding = (wanted["rollout"], call.args.get("over"))
    store, service = open_store(), wanted["service"]
    with store.locked(lock_name(service), call):
        record = read(store, service)
        if _owned(record) and record["rollout"] not in yielding and not take_over:
            return {"fence": None, "place": store.place(), **_holder(store, record)}
        broken = _holder(store, record) if _owned(record) else {}
        record.update(
            number=record["number"] + 1,
            rollout=wanted["rollout"],
            claim=wanted,
            session=_own_session(store),
            released=False,
            since=time.time(),
        )
        store.write(path_of(store, service), record)
        store.note({"did": "claim", "number": record["number"], **wanted, "broken": broken})
        granted = {"fence": _fence(record), "holder": None, "live": True}
        return {**granted, "place": store.place()}


def release(call: Call) -> None:
    """The verb; an old fence gives nothing back."""
    store, fence = open_store(), call.args["fence"]
    with store.locked(lock_name(fence["service"]), call):
        record = read(store, fence["service"])
        if _owned(record) and _same(record, fence):
            record["released"] = True
            store.write(path_of(store, fence["service"]), record)
            store.note({"did": "release", **fence})


def holder(call: Call) -> dict[str, Any]:
    """The verb."""
    store = open_store()
    record = read(store, call.args["service"])
    if not _owned(record):
        return {"fence": None, "holder": None, "live": False, "place": store.place()}
    return {"fence": _fence(record), "place": store.place(), **_holder(store, record)}


def admit(store: Store, fence: dict[str, Any]) -> None:
    """Refuse an old fence and remember a new one. The service must be locked."""
    record = read(store, fence["service"])
    if record["number"] > fence["number"] or (_owned(record) and not _ours(record, fence)):
        raise _refusal(record, fence, "is not the newest")
    if _same(record, fence) and record["released"]:
        raise _refusal(record, fence, "was given back")
    if record["number"] == fence["number"] and not _ours(record, fence):
        raise _refusal(record, fence, "is another rollout's")
    if record["number"] < fence["number"]:
        if not _ours(record, fence):
            record.update(claim=None, session="")
        record.update(number=fence["number"], rollout=fence["rollout"], released=False)
        store.write(path_of(store, fence["service"]), record)


def read(store: Store, service: str) -> dict[str, Any]:
    """The record of a service, an empty one when there is none yet."""
    empty = {"service": service, "number": 0, "rollout": "", "claim": None, "released": True}
    return store.read(path_of(store, service)) or empty


def path_of(store: Store, service: str) -> str:
    """Where the record of a service is."""
    return store.path("services", file_name(service) + ".json")


def lock_name(service: str) -> str:
    """The lock of everything that is kept of a service."""
    return "services/" + file_name(service)


def _owned(record: dict[str, Any]) -> bool:
    return bool(record["number"]) and not record["released"]


def _ours(record: dict[str, Any], fence: dict[str, Any]) -> bool:
    return bool(record["rollout"] == fence["rollout"])


def _same(record: dict[str, Any], fence: dict[str, Any]) -> bool:
    return _ours(record, fence) and bool(record["number"] == fence["number"])


def _fence(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("service", "rollout", "number")}


def _holder(store: Store, record: dict[str, Any]) -> dict[str, Any]:
    live = is_locked(store.path("sessions", record.get("session", "") + ".lock"))
    return {"holder": record["claim"], "live": live}


def _refusal(record: dict[str, Any], fence: dict[str, Any], why: str) -> Fault:
    claim = record["claim"] or {}
    what = f"fence {fence['number']} of rollout {fence['rollout']} for {fence['service']} {why}"
    owner = f", {claim['owner']} on {claim['controller']}" if claim else ""
    state = "given back by" if record["released"] else "owned by"
    evidence = f"the host obeys {record['number']}: {state} rollout {record['rollout']}{owner}"
    return Fault(what, kind="fence", evidence=evidence)


def _own_session(store: Store) -> str:
    # A file locked for as long as this helper lives tells the next claim whether we do.
    if not _SESSION:
        _sweep(store)
        name = f"{os.getpid()}-{os.urandom(6).hex()}"
        with os_words("cannot write the host's state"):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(store.path("sessions", name + ".new"), flags, 0o600)
            try_lock(descriptor)  # before it gets the name by which the sweep finds it
            os.rename(store.path("sessions", name + ".new"), _session_file(store, name))
        _SESSION.append(name)
    return _SESSION[0]


def _session_file(store: Store, name: str) -> str:
    return store.path("sessions", name + ".lock")


def _sweep(store: Store) -> None:
    with os_words("cannot read the host's state"):
        names = os.listdir(store.path("sessions"))
    for name in names:
        path = store.path("sessions", name)
        if name.endswith(".lock") and not is_locked(path):
            with contextlib.suppress(OSError):
                os.unlink(path)
