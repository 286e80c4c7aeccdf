"""The gap of a rollout: probes through the front door before, during and after the change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from gapless.config.project import ProveConfig
from gapless.engine.worker import Worker
from gapless.errors import UsageError
from gapless.events.event import Event

if TYPE_CHECKING:
    from gapless.project import Project
    from gapless.prove.prover import Prover

BASELINE = 2.0
"""Seconds measured before the first step, to compare with."""

EVERY = 1.0
"""Seconds between two readings shown."""


@contextlib.asynccontextmanager
async def proved(
    config: ProveConfig | None, project: Project, worker: Worker, rollout: str
) -> AsyncIterator[None]:
    """Measure while the body runs and journal the gap at its end; None measures nothing."""
    if config is None:
        yield
        return
    from gapless.prove.prover import Prover  # few rollouts are measured

    prover = Prover(config, project.clock)
    async with prover:
        await project.clock.sleep(BASELINE)
        prover.mark("change")
        showing = asyncio.create_task(_show(prover, project, worker, rollout))
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    event = _event("prove.finished", prover, project, rollout)
    worker.observer(project.journal.append(event))


async def _show(prover: Prover, project: Project, worker: Worker, rollout: str) -> None:
    while True:
        await project.clock.sleep(EVERY)
        worker.observer(_event("prove.reading", prover, project, rollout))


def _event(kind: str, prover: Prover, project: Project, rollout: str) -> Event:
    return Event(kind, rollout=rollout, ts=project.clock.now(), data=prover.gap().to_json())


def wanted(project: Project) -> ProveConfig:
    """What ``--prove`` sends; UsageError when the file does not say."""
    if project.config.prove is None:
        raise UsageError(
            "--prove needs to know what to ask: the file has no prove section",
            where=str(project.path),
            next="add for example   prove: {url: http://shop.example/, rate: 20}",
        )
    return project.config.prove
