"""What ``gapless run status --json`` says, read into our words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gapless.drivers.runtimes.base import Refusal
from gapless.model import Completed, InstanceState, Observation

NOT_SUPERVISED = 3
"""Its exit code when nobody answers to the name."""
KEPT = 4
"""The code of a flip that failed while the old copy serves on."""
_SERVES = re.compile(r"^gapless run \S+: generation \d+ serves", re.MULTILINE)
_DIED = re.compile(r"\(exit [1-9]\d*\)|was killed")
_LINES = 20
_CANNOT_RUN = (126, 127)


@dataclass(frozen=True, slots=True)
class Seen:
    """A supervisor and its copies, or why nothing is known. ``there``: it answered."""

    observation: Observation
    there: bool = False
    supervisor: str = ""
    """Which supervisor: it changes when another one is started."""
    rollback_to: int | None = None
    """The copy to whose settings the supervisor would go back; None: to none."""
    source: str = ""
    not_installed: bool = False
    """Whether gapless itself is not there."""


def seen(done: Completed, now: float) -> Seen:
    """From the answer; ``now`` is the host's clock. Nobody there is STOPPED, or FAILED where the
    program is known to have died."""
    if done.timed_out or done.status in _CANNOT_RUN:
        return replace(_unknown(_silence(done)), not_installed=not done.timed_out)
    told = _mapping(done.stdout)
    if done.status == NOT_SUPERVISED:
        error = told.get("error")
        known = error if isinstance(error, dict) else {}
        how = str(known.get("evidence", ""))
        said = how or str(known.get("what", "")) or done.evidence(1)
        state = InstanceState.FAILED if _DIED.search(how) else InstanceState.STOPPED
        return Seen(Observation(state, detail={"status": said}))
    if done.status != 0 or "state" not in told:
        return _unknown(done.evidence(3) or "the answer is not one")
    return _described(told, now)


def _described(told: Mapping[str, Any], now: float) -> Seen:
    active, new = told.get("active"), told.get("new")
    supervisor = f"{told['pid']}-{float(told['since']):.3f}"
    identity, since = "", None
    if active:
        identity = f"{supervisor}-{active['generation']}"
        since = now - float(active["seconds"].get("up", 0.0))
    observation = Observation(
        _state(told, active, new),
        identity=identity,
        since=since,
        main_pid=int(active["pid"]) if active else None,
        detail={"status": f"supervisor {told['pid']} is {told['state']}"},
    )
    source = str(told.get("source", ""))
    back = told.get("rollback_to")
    return Seen(observation, True, supervisor, back, source)


def _state(told: Mapping[str, Any], active: object, new: object) -> InstanceState:
    """The active copy counts: beside it a new one may be on its way."""
    if told["state"] == "stopping":
        return InstanceState.STOPPING
    if active:
        return InstanceState.RUNNING
    return InstanceState.STARTING if new else InstanceState.STOPPED


def _unknown(why: str) -> Seen:
    return Seen(Observation(InstanceState.UNKNOWN, detail={"status": why}))


def _silence(done: Completed) -> str:
    if done.timed_out:
        return f"no answer in {done.elapsed:.0f} s"
    return done.evidence(1) or f"{done.argv[0]} could not be run"


def refusal(last: Completed) -> Refusal | None:
    """What ``gapless flip --json`` says of a new copy that failed."""
    reply = _mapping(last.stdout)
    if "what" not in reply:
        error = reply.get("error")
        return Refusal(str(error["what"])) if isinstance(error, dict) and "what" in error else None
    evidence = [_new_copy(reply), str(reply.get("evidence") or "")]
    log = "\n".join(str(line) for line in reply.get("log") or ())
    serves = reply.get("serves")
    if serves:
        evidence.append(f"pid {serves['pid']} was not touched and serves on")
    what = f"not flipped: {reply['what']}"
    return Refusal(what, "\n".join(line for line in evidence if line), log)


def _new_copy(reply: Mapping[str, Any]) -> str:
    """Who it was. Of a supervisor that ended meanwhile nobody knows that."""
    if reply.get("pid"):
        return f"the new copy (pid {reply['pid']})"
    return "no new copy was started" if reply.get("code") == KEPT else ""


def newest(log: str) -> str:
    """What was written since the newest copy serves: its own words, and what was said of it."""
    begun = [match.start() for match in _SERVES.finditer(log)]
    return "\n".join(log[begun[-1] :].splitlines()[-_LINES:]) if begun else ""


def _mapping(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
