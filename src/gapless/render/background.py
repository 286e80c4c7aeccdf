"""Events that are not news, in words: the facts they hold, not what their type means in general."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gapless.events.event import TYPES, Event
from gapless.render.words import hosts, plural, seconds
from gapless.report.parse import texts
from gapless.report.report import parse_verdict

_Facts = Callable[[Mapping[str, Any]], str]


def background(event: Event, where: str) -> str:
    """``where`` is the host, service and step it is about."""
    teller = _TELLERS.get(event.type)
    told = teller(event.data) if teller else ""
    told = told or _plain(event.data) or event.reason or TYPES.get(event.type, "unknown type")
    return f"{where}  {told}".strip()


def _check(data: Mapping[str, Any]) -> str:
    verdict = parse_verdict(data.get("verdict"))
    return f"{verdict.status.value}: {verdict}" if verdict else ""


def _step_started(data: Mapping[str, Any]) -> str:
    attempt = int(data.get("attempt") or 1)
    return "begun" + (f", attempt {attempt}" if attempt > 1 else "")


def _step_succeeded(data: Mapping[str, Any]) -> str:
    took = float(data.get("seconds") or 0.0)
    rest = _plain({key: value for key, value in data.items() if key != "seconds"})
    return ", ".join(
        word for word in (f"done in {seconds(took)}" if took else "done", rest) if word
    )


def _service_started(data: Mapping[str, Any]) -> str:
    return f"begun: {plural(int(data.get('instances') or 0), 'instance')} to replace"


def _batch_succeeded(data: Mapping[str, Any]) -> str:
    return f"{data.get('batch', 'batch')} done: {hosts(texts(data.get('hosts')))}"


def _lock_taken(data: Mapping[str, Any]) -> str:
    return f"owned now: {', '.join(texts(data.get('services')))}"


def _instance_failed(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    what = error.get("what", "") if isinstance(error, Mapping) else ""
    return ": ".join(word for word in (str(data.get("outcome") or "failed"), what) if word)


def _undo_step(data: Mapping[str, Any]) -> str:
    return f"failed: {data['what']}" if data.get("what") else ""


_TELLERS: Mapping[str, _Facts] = {
    "check.passed": _check,
    "check.failed": _check,
    "check.inconclusive": _check,
    "step.progress": _check,
    "step.started": _step_started,
    "step.succeeded": _step_succeeded,
    "step.failed": _undo_step,
    "service.started": _service_started,
    "batch.succeeded": _batch_succeeded,
    "lock.taken": _lock_taken,
    "lock.released": lambda data: "the services are given back",
    "instance.failed": _instance_failed,
}


def _plain(data: Mapping[str, Any]) -> str:
    return ", ".join(_facts(data))


def _facts(data: Mapping[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            value = " ".join(value)
        if isinstance(value, (str, int, float)) and value not in ("", None):
            yield f"{key} {value}"
