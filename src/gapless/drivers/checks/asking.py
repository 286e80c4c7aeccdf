"""Asking health questions from where they are to be asked: on the host, or from here.

A check with ``from: controller`` is asked by the machine gapless runs on, through the transport of
that machine: the same helper, the same words, another point of view. Both sides are asked at the
same time; the answers come back in the order of the questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gapless.drivers.checks.secret_headers import KeptSecrets, revealed
from gapless.drivers.transports.base import Probe, Transport
from gapless.model import Verdict, VerdictStatus

FROM = "from"
"""Key in a probe's spec: ``controller`` when it is asked from here."""
Here = Callable[[], Transport]
"""Gives the transport of the machine gapless runs on; called only when it is needed."""


def is_from_here(probe: Probe) -> bool:
    """Whether the machine gapless runs on asks it."""
    return probe.spec.get(FROM) == "controller"


async def ask(
    transport: Transport,
    here: Here,
    probes: Sequence[Probe],
    *,
    passes: int,
    every: float,
    within: float,
    eager: bool = False,
    kept: KeptSecrets | None = None,
) -> tuple[Verdict, ...]:
    """``Transport.ask`` from both sides. A side without questions is not asked. Raises UsageError
    when a secret header cannot be read and is not ``kept`` either."""
    probes, veil = await revealed(probes, kept)

    def side(asking: Transport, questions: Sequence[Probe]) -> Awaitable[tuple[Verdict, ...]]:
        return asking.ask(questions, passes=passes, every=every, within=within, eager=eager)

    ours, theirs = _split(probes)
    if not ours:
        return veil(await side(transport, theirs))
    sides = [side(here(), ours), *([side(transport, theirs)] if theirs else [])]
    answers = await _together(*sides)
    return veil(_in_order(probes, answers[0], answers[1] if theirs else ()))


async def once(transport: Transport, here: Here, probes: Sequence[Probe]) -> tuple[Verdict, ...]:
    """Ask each question one time; the transport of this machine is connected when it is needed."""
    if not probes:
        return ()
    if any(is_from_here(probe) for probe in probes):
        await here().connect()
    return await ask(transport, here, probes, passes=1, every=0.1, within=0.0)


async def watch(
    transport: Transport,
    here: Here,
    unit: str,
    probes: Sequence[Probe],
    *,
    seconds: float,
    every: float,
    retries: int,
    retry_delay: float,
    identity: Mapping[str, str],
    kept: KeptSecrets | None = None,
) -> tuple[Verdict, ...]:
    """``Transport.watch`` from both sides; the first failure on either side ends both."""
    probes, veil = await revealed(probes, kept)

    def side(
        asking: Transport, name: str, questions: Sequence[Probe]
    ) -> Awaitable[tuple[Verdict, ...]]:
        return asking.watch(
            name,
            questions,
            seconds=seconds,
            every=every,
            retries=retries,
            retry_delay=retry_delay,
            identity=identity if name else {},
        )

    ours, theirs = _split(probes)
    if not ours:
        return veil(await side(transport, unit, theirs))
    away, near = await _until_failure(side(transport, unit, theirs), side(here(), "", ours))
    first = (away[:1] or (_not_answered("unit"),)) if unit else ()
    return veil(first + _in_order(probes, near, away[len(first) :]))


def _split(probes: Sequence[Probe]) -> tuple[list[Probe], list[Probe]]:
    return (
        [probe for probe in probes if is_from_here(probe)],
        [probe for probe in probes if not is_from_here(probe)],
    )


def _in_order(
    probes: Sequence[Probe], near: Sequence[Verdict], away: Sequence[Verdict]
) -> tuple[Verdict, ...]:
    """The answers of both sides as the questions stand; a question whose side was stopped before
    it answered is INCONCLUSIVE, for it says nothing."""
    answers = {True: list(near), False: list(away)}
    found = []
    for probe in probes:
        side = answers[is_from_here(probe)]
        found.append(side.pop(0) if side else _not_answered(probe.name))
    return tuple(found)


def _not_answered(check: str) -> Verdict:
    answer = "not answered before the watch ended"
    return Verdict(VerdictStatus.INCONCLUSIVE, check, check, answer, "an answer")


async def _together(*sides: Awaitable[tuple[Verdict, ...]]) -> list[tuple[Verdict, ...]]:
    """All results; when one raises, the others are cancelled before the error goes on."""
    tasks = [_begin(side) for side in sides]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _end(tasks)


async def _until_failure(
    one: Awaitable[tuple[Verdict, ...]], other: Awaitable[tuple[Verdict, ...]]
) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
    """Both results; what still runs when one fails or raises is cancelled and gives ()."""
    tasks = [_begin(one), _begin(other)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if all(verdict.passed for task in done for verdict in task.result()):
            await asyncio.gather(*tasks)
    finally:
        await _end(tasks)
    first, second = (() if task.cancelled() else task.result() for task in tasks)
    return first, second


def _begin(side: Awaitable[tuple[Verdict, ...]]) -> asyncio.Task[tuple[Verdict, ...]]:
    async def answers() -> tuple[Verdict, ...]:
        return await side

    return asyncio.create_task(answers())


async def _end(tasks: Sequence[asyncio.Task[tuple[Verdict, ...]]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
