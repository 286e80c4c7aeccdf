"""Critical actions: begun once, run apart from the session, found again by their key.

1. Under the service's lock: the fence is compared and stored, and the key looked up.
2. A known key gets what is recorded of it. A new one: the intent is on the disk *before* a
   runner starts, so whatever happens next, the next question has an answer.
3. The runner (``runner``) needs neither us nor the connection: a transient systemd unit where
   there is systemd and we are root, else a process of its own session. It writes the outcome.
4. We wait for the outcome. Intent, no outcome, no runner: LOST.
"""

from __future__ import annotations

import time

from gapless.hostside import claims, launch
from gapless.hostside.action_files import ActionFiles, prune
from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault
from gapless.hostside.store import open_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SLACK = 20.0
"""Seconds a runner may take beyond its own limit before we stop waiting for it."""
_EAGER, _PATIENT = 0.001, 0.05
_LOOK_EVERY = 0.5


def act(call: Call) -> dict[str, Any]:
    """The verb."""
    store, args = open_store(), call.args
    action = ActionFiles(store, args["key"])
    until = time.monotonic() + args["timeout"]
    while not _begun(action, call):
        # What a rollout that was taken over from had begun ends before something new begins.
        if time.monotonic() > until:
            what = f"an action of an older rollout is still running after {args['timeout']:g} s"
            raise Fault(what, kind="deadline")
        call.sleep(_PATIENT)
    prune(store)
    return _wait(action, call, None)


def settle(call: Call) -> dict[str, Any]:
    """The verb: RUNNING only when it still runs after ``wait`` seconds."""
    action = ActionFiles(open_store(), call.args["key"])
    settled = _look(action)
    if settled["status"] != "running":
        return settled
    return _wait(action, call, time.monotonic() + call.args["wait"])


def _begun(action: ActionFiles, call: Call) -> bool:
    # Whether the action has begun, now or earlier; else something older is in the way.
    store, fence = action.store, call.args["fence"]
    name = claims.lock_name(fence["service"]) if fence else "actions/" + action.name
    with store.locked(name, call):
        if fence:
            claims.admit(store, fence)
        if action.intent() is not None:
            return True
        if fence and any(_is_in_the_way(other, fence) for other in ActionFiles.unfinished(store)):
            return False
        _begin(action, call.args)
        return True


def _is_in_the_way(other: ActionFiles, fence: dict[str, Any]) -> bool:
    theirs = (other.intent() or {}).get("fence")
    if not theirs or theirs["service"] != fence["service"] or theirs["number"] >= fence["number"]:
        return False
    return bool(_look(other)["status"] == "running")


def _begin(action: ActionFiles, args: dict[str, Any]) -> None:
    how = launch.choose()
    intent = {
        "key": args["key"],
        "argv": [command["argv"] for command in args["commands"]],
        "fence": args["fence"],
        "timeout": args["timeout"],
        "started": time.time(),
        "uptime": _uptime(),
        "how": how,
    }
    action.write_intent(intent)
    try:
        launch.start(action, how, args)
    except launch.NotStarted:
        action.forget()
        raise


def _wait(action: ActionFiles, call: Call, until: float | None) -> dict[str, Any]:
    began = looked = time.monotonic()
    while True:
        outcome = action.outcome()
        if outcome is not None:
            return {"status": "done", "completed": outcome["completed"]}
        now = time.monotonic()
        if now - looked > _LOOK_EVERY:
            settled, looked = _look(action), time.monotonic()
            if settled["status"] != "running":
                return settled
        overdue = _overdue(action)
        if overdue or (until is not None and now >= until):
            return {"status": "running", "completed": [], "overdue": overdue}
        # a twentieth of the time so far: noticed soon if it was short, cheaply if it is long
        call.sleep(min(max(_EAGER, (now - began) / 20), _PATIENT))


def _look(action: ActionFiles) -> dict[str, Any]:
    intent = action.intent()
    running = intent is not None and launch.is_running(action, intent["how"])
    outcome = action.outcome()  # after the look at the runner: it may have ended in between
    if outcome is not None:
        return {"status": "done", "completed": outcome["completed"]}
    if intent is None:
        return {"status": "never", "completed": []}
    return {"status": "running" if running else "lost", "completed": []}


def _overdue(action: ActionFiles) -> bool:
    # By a clock that nobody sets; a reboot ended every runner, whatever it shows then.
    intent = action.intent()
    return bool(intent and _uptime() > intent["uptime"] + intent["timeout"] + _SLACK)


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
