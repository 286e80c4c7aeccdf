"""One event in one line: the words of the plain renderer, of ``events`` and of the last line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gapless.events.event import Event
from gapless.render.background import background
from gapless.render.gap import told
from gapless.render.layout import cut
from gapless.render.spelling import spelled
from gapless.render.words import (
    about,
    back_to,
    clean,
    clock_time,
    hosts,
    percent,
    plural,
    seconds,
)
from gapless.report.parse import gap_of, texts, undone_instances
from gapless.report.report import parse_verdict

_Teller = Callable[[Event, Mapping[str, Any]], str]

QUIET_STEPS = frozenset(("preflight", "snapshot", "migrate", "commit"))
"""Steps whose success is not news."""


def moment_line(event: Event, width: int = 0) -> str:
    """``10:02:11  web3 shop.api  ready in 2.1 s``; empty for what is not news."""
    said = sentence(event)
    if not said:
        return ""
    line = f"{clock_time(event.ts)}  {clean(said).splitlines()[0]}"
    return cut(line, width) if width else line


def sentence(event: Event) -> str:
    """What happened, without the time; empty for what is not news."""
    teller = _TELLERS.get(event.type)
    return teller(event, event.data) if teller else ""


def any_sentence(event: Event) -> str:
    """Words for every event, news or not, for ``gapless events``."""
    said = sentence(event)
    if said:
        return said
    return background(event, " ".join(word for word in (_where(event), event.step) if word))


def _where(event: Event) -> str:
    return " ".join(word for word in (event.host, event.service) if word)


def _why(event: Event, data: Mapping[str, Any]) -> str:
    why = data.get("why") or data.get("what") or data.get("reason") or event.reason
    return f": {why}" if why else ""


def _planned(event: Event, data: Mapping[str, Any]) -> str:
    expected = float(data.get("expected") or 0.0)
    names = ", ".join(texts(data.get("services")))
    took = f", {about(expected)}" if expected else ""
    of = f" of {names}" if names else ""
    return f"rollout {event.rollout}: {data.get('verb', 'rollout')}{of}{took}"


def _started(event: Event, data: Mapping[str, Any]) -> str:
    by = f" by {event.actor}" if event.actor else ""
    return f"rollout {event.rollout} started{by}{_why(event, data)}"


def _rollout(word: str) -> _Teller:
    def tell(event: Event, data: Mapping[str, Any]) -> str:
        return f"rollout {event.rollout} {word}{_why(event, data)}"

    return tell


def _resumed(event: Event, data: Mapping[str, Any]) -> str:
    word = "is taken up again, to be taken back" if data.get("to") == "abort" else "goes on"
    return f"rollout {event.rollout} {word}{_why(event, data)}"


def _service(word: str) -> _Teller:
    def tell(event: Event, data: Mapping[str, Any]) -> str:
        return f"{event.service} {word}{_why(event, data)}"

    return tell


def _batch(event: Event, data: Mapping[str, Any]) -> str:
    return f"{event.service} {data.get('batch', 'batch')}: {hosts(texts(data.get('hosts')))}"


def _step_done(event: Event, data: Mapping[str, Any]) -> str:
    if event.step in QUIET_STEPS:
        return ""
    took = float(data.get("seconds") or 0.0)
    words = _STEP_WORDS.get(event.step, event.step)
    if event.step == "ready" and data.get("asked") is False:
        words = "running"
    if event.step == "admit" and data.get("left_out"):
        words = _left_out_of(data)
    if event.step == "retire" and data.get("died"):
        words = "removed, it had died,"
    if event.step == "switch" and data.get("manner") == "remove":
        words = _STEP_WORDS["retire"]
    if event.step == "shift":
        words = _shifted(data)
    if event.step == "evacuate" and data.get("keeps"):
        words = "leads nothing that can be moved"
    if event.step == "evacuate" and data.get("leads"):
        words = f"still leads {_some(texts(data['leads']))}"
    if data.get("stays"):
        words = "stays in traffic until it ends"
    if data.get("handed_over"):
        words = _HANDED_OVER.get(event.step, words)
    if data.get("copy"):  # one of two, that never was in traffic before
        words = f"copy {data['copy']} {'in traffic' if words == _BACK else words}"
    facts = [_fact(event.step, data), f"in {seconds(took)}" if took else ""]
    return f"{_where(event)}  {words} {' '.join(f for f in facts if f)}".rstrip()


def _left_out_of(data: Mapping[str, Any]) -> str:
    """Of an admit that let it in nowhere, or not everywhere."""
    if not data.get("admitted"):
        return "left out of traffic on purpose"
    where = ", ".join(texts(data.get("left_out")))
    return f"back in traffic, but left out of {where} on purpose,"


def _shifted(data: Mapping[str, Any]) -> str:
    """Of the end of all shares, and of the way back from one of them."""
    if "returned" in data:
        return "gave back its share of the traffic" if data["returned"] else "had no share"
    if not data.get("shares"):
        return "got no share: the old one is out of traffic"
    return (
        f"was well with {' and '.join(percent(share) for share in data['shares'])} of the traffic"
    )


def _given(event: Event, data: Mapping[str, Any]) -> str:
    time = float(data.get("seconds") or 0.0)
    share = percent(float(data.get("share") or 0.0))
    anew = ", anew: nobody watched it to its end" if data.get("anew") else ""
    gets = f"copy {data.get('copy')} gets {share} of the traffic for {seconds(time)}{anew}"
    return f"{_where(event)}  {gets}"


def _returned(event: Event, data: Mapping[str, Any]) -> str:
    return f"{_where(event)}  all traffic back on copy {data.get('copy')}"


_SHOWN = 3
"""Of the groups that it leads."""
_BACK = "back in traffic"
_HANDED_OVER = {"admit": "handles events", "drain": "takes no events any more"}
"""Of copies that nothing sends traffic to."""
_STEP_WORDS = {
    "stage": "staged",
    "drain": "out of traffic",
    "evacuate": "leads nothing",
    "switch": "switched",
    "ready": "ready",
    "rejoin": "in sync",
    "warm": "warm",
    "admit": _BACK,
    "soak": "stable",
    "verify": "verified",
    "park": "stood by",
    "retire": "ended",
}


def _fact(step: str, data: Mapping[str, Any]) -> str:
    if step == "switch" and data.get("manner") not in (None, "", "remove"):
        return f"({data['manner']})"
    if step == "drain" and data.get("handed_over"):
        left = int(data.get("left") or 0)
        died = data.get("evidence") == "TIMED" and not left
        done = "(it had died)" if died else "(nothing left to finish)"
        return f"({plural(left, 'event')} not finished)" if left else done
    if step == "drain" and data.get("evidence"):
        left = int(data.get("left") or 0)
        return f"({str(data['evidence']).lower()}{f', {left} connections cut' if left else ''})"
    if step == "evacuate":
        return _moved(data)
    if step == "warm" and data.get("missed"):
        return f"({data['missed']} of {data.get('asked')} requests were not answered well)"
    if step == "ready" and data.get("asked") is False:
        return "(no health asked)"
    return ""


def _moved(data: Mapping[str, Any]) -> str:
    """What it led, and what members of other clusters on its host did."""
    own, beside = int(data.get("moved") or 0), data.get("beside") or {}
    told = [plural(own, "leadership")] if own else []
    keeps = int(data.get("keeps") or 0)
    told += [f"{plural(keeps, 'leadership')} leaves when it stops"] if keeps == 1 else []
    told += [f"{keeps:,} leaderships leave when it stops"] if keeps > 1 else []
    told += [f"{plural(int(n), 'leadership')} of {name}" for name, n in beside.items()]
    return f"({', '.join(told)})" if told else ""


def _some(names: Sequence[str]) -> str:
    """The first of them, and how many there are more."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _instance_done(event: Event, data: Mapping[str, Any]) -> str:
    took = float(data.get("seconds") or 0.0)
    return f"{_where(event)}  DONE{f' in {seconds(took)}' if took else ''}"


def _held(event: Event, data: Mapping[str, Any]) -> str:
    verdict = parse_verdict(data.get("verdict"))
    return f"HELD  {_where(event)}{_why(event, data)}{f' — {verdict}' if verdict else ''}"


def _observed(event: Event, data: Mapping[str, Any]) -> str:
    return f"{_where(event)}  {event.step} was done already, not repeated"


def _step_failed(event: Event, data: Mapping[str, Any]) -> str:
    if event.step == "undo":
        return ""  # rollback.failed tells
    verdict = parse_verdict(data.get("verdict"))
    asked = f" — {verdict}" if verdict else ""
    code = f" [{data['code']}]" if data.get("code") else ""
    return f"FAILED  {_where(event)}  {event.step}{_why(event, data)}{asked}{code}"


def _step_skipped(event: Event, data: Mapping[str, Any]) -> str:
    return f"{_where(event)}  {event.step} skipped{_why(event, data)}"


def _migration(word: str) -> _Teller:
    def tell(event: Event, data: Mapping[str, Any]) -> str:
        to, was = data.get("to"), data.get("was")
        route = "" if to is None else f" back {f'from {was} ' if was is not None else ''}to {to}"
        return f"{_where(event)}  migration{route} {word}{_why(event, data)}"

    return tell


def _bumped(event: Event, data: Mapping[str, Any]) -> str:
    lifted = f"{data.get('release', '')} bumped to schema {data.get('to')}"
    return f"{_where(event)}  {lifted} ({data.get('live')} is live)"


def _undo(word: str) -> _Teller:
    def tell(event: Event, data: Mapping[str, Any]) -> str:
        instances = undone_instances(event)
        services = " ".join(dict.fromkeys(s for s, _ in instances if s)) or event.service
        restored = f" {back_to(str(data['restored']))}" if data.get("restored") else ""
        where = f"{hosts(h for _, h in instances)} {services}".strip() or "rollout"
        return f"{word}  {where}{restored if event.type == 'rollback.succeeded' else ''}" + (
            _why(event, data)
        )

    return tell


def _left_out(event: Event, data: Mapping[str, Any]) -> str:
    then = f"; to end it: {spelled(str(data['next']))}" if data.get("next") else ""
    return (
        f"{_where(event)}  left out of {data.get('balancer') or 'traffic'}{_why(event, data)}{then}"
    )


def _warned(event: Event, data: Mapping[str, Any]) -> str:
    return f"WARNING  {_where(event)}{_why(event, data)}"


def _margin(event: Event, data: Mapping[str, Any]) -> str:
    return f"{event.service}  {'; '.join(data.get('lines') or ())}"


def _lock_taken_over(event: Event, data: Mapping[str, Any]) -> str:
    return f"{_where(event)}  lock taken over from rollout {data.get('rollout')}, which has ended"


def _lock_broken(event: Event, data: Mapping[str, Any]) -> str:
    return f"lock of {event.service} broken by {event.actor or 'somebody'}{_why(event, data)}"


def _waits(event: Event, data: Mapping[str, Any]) -> str:
    return f"waits for: {spelled(f'gapless promote {event.rollout}')}{_why(event, data)}"


def _abort_asked(event: Event, data: Mapping[str, Any]) -> str:
    return f"rollout {event.rollout} is to be taken back, says {event.actor}{_why(event, data)}"


def _granted(event: Event, data: Mapping[str, Any]) -> str:
    on = f": {event.service} goes on with {data['before']}" if data.get("before") else ""
    why = f" ({event.reason})" if event.reason else ""
    return f"approved by {event.actor or 'somebody'}{on}{why}"


def _proved(event: Event, data: Mapping[str, Any]) -> str:
    return f"gap: {told(gap_of(data))}"


def _forced(event: Event, data: Mapping[str, Any]) -> str:
    return f"FORCED, health gates are skipped{_why(event, data)}"


def _contact_lost(event: Event, data: Mapping[str, Any]) -> str:
    limit = seconds(float(data.get("limit") or 0.0))
    return f"{_where(event)}  connection lost, trying for {limit}{_why(event, data)}"


def _contact_back(event: Event, data: Mapping[str, Any]) -> str:
    took = seconds(float(data.get("seconds") or 0.0))
    return f"{_where(event)}  connected again after {took}"


def _ended(event: Event, data: Mapping[str, Any]) -> str:
    outcome = str(data.get("outcome") or "failed").replace("_", " ")
    failed = len(texts(data.get("failed")))
    count = f", {plural(failed, 'failed instance')}" if failed else ""
    return f"rollout {event.rollout} ended: {outcome}{count}{_why(event, data)}"


_TELLERS: Mapping[str, _Teller] = {
    "rollout.planned": _planned,
    "rollout.started": _started,
    "rollout.paused": _rollout("paused"),
    "rollout.resumed": _resumed,
    "rollout.succeeded": _rollout("succeeded"),
    "rollout.failed": _ended,
    "rollout.refused": _rollout("refused"),
    "rollout.aborted": _rollout("aborted"),
    "rollout.interrupted": _rollout("interrupted"),
    "service.succeeded": _service("done"),
    "service.failed": _service("stopped"),
    "service.skipped": _service("skipped"),
    "batch.started": _batch,
    "step.succeeded": _step_done,
    "step.observed": _observed,
    "step.failed": _step_failed,
    "step.skipped": _step_skipped,
    "migration.started": _migration("started"),
    "migration.succeeded": _migration("done"),
    "migration.failed": _migration("FAILED"),
    "migration.skipped": _migration("skipped"),
    "migration.bumped": _bumped,
    "rollback.started": _undo("going back"),
    "rollback.succeeded": _undo("restored"),
    "rollback.failed": _undo("NOT RESTORED"),
    "instance.done": _instance_done,
    "instance.held": _held,
    "instance.left_out": _left_out,
    "instance.warned": _warned,
    "cluster.margin": _margin,
    "shift.confirmed": _given,
    "shift.returned": _returned,
    "lock.taken_over": _lock_taken_over,
    "lock.broken": _lock_broken,
    "abort.requested": _abort_asked,
    "approval.requested": _waits,
    "approval.granted": _granted,
    "contact.lost": _contact_lost,
    "contact.back": _contact_back,
    "prove.finished": _proved,
    "force.used": _forced,
}
