"""What a plan says of the evidence: what warms an instance, what is asked of it, and for how long
its errors are watched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from gapless.config.judging import JudgeConfig
from gapless.config.services import ServiceConfig
from gapless.config.verify import VerifyConfig
from gapless.plans import StepKind


def evidence_notes(
    name: str, service: ServiceConfig, steps: Collection[StepKind], *, judged: bool
) -> Iterator[str]:
    """One sentence, where there is anything to say. ``judged``: whether its errors are."""
    parts = [*_warmed(service, steps)]
    if StepKind.VERIFY in steps:
        parts += [*_asked(service.verify)]
        parts += [*_watched(service.verify, service.soak or 0.0)] if judged else []
    if parts:
        yield f"{name}: {'; '.join(parts)}"


def _warmed(service: ServiceConfig, steps: Collection[StepKind]) -> Iterator[str]:
    times = sum(warm.times for warm in service.warm) if StepKind.WARM in steps else 0
    if times:
        yield f"warms with {_plural(times, 'request')}"


def _asked(verify: Sequence[VerifyConfig]) -> Iterator[str]:
    endpoints = sum(len(entry.endpoints.checks) for entry in verify if entry.endpoints)
    endpoints += sum(entry.http_check is not None for entry in verify)
    told = [_plural(endpoints, "endpoint")] if endpoints else []
    told += ["its OpenAPI examples"] if any(entry.openapi for entry in verify) else []
    if told:
        yield f"asks {_and(told)}"
    if more := sum(not entry.kind and entry.http_check is None for entry in verify):
        yield f"runs {_plural(more, 'check')}"
    if levels := [entry.level.title for entry in verify if entry.level]:
        yield f"waits until {_and(levels)} {'is' if len(levels) == 1 else 'are'} back"


def _watched(verify: Sequence[VerifyConfig], soak: float) -> Iterator[str]:
    """``soak`` seconds are watched anyway."""
    judges = {entry.kind: entry.judge for entry in verify if entry.judge is not None}
    if not judges:
        return
    longest = max(judge.extend for judge in judges.values())
    told = f"watches {_and([_RATES.get(kind, kind) for kind in judges])} for {_time(soak)}"
    more = f", with too little data up to {_time(soak + longest)}" if longest else ""
    yield f"{told}{more}; {'then' if longest else 'with too little data'} {_policy(judges)}"


def _policy(judges: Mapping[str, JudgeConfig]) -> str:
    """What too little data comes to: the same for all, or each by its name."""
    words = {kind: _INSUFFICIENT[judge.on_insufficient] for kind, judge in judges.items()}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return _and([f"{word} ({_RATES.get(kind, kind)})" for kind, word in words.items()])


_INSUFFICIENT = {
    "pause": "it waits for you",
    "fail": "the instance goes back",
    "pass": "it goes on as if all were well",
}
_RATES = {"balancer_errors": "balancer errors"}
_MINUTE = 60


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), _MINUTE)
    told = [f"{minutes} min"] if minutes else []
    return " ".join([*told, *([f"{rest} s"] if rest or not minutes else [])])


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _and(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
