"""Before a failed rollout says that all is as before: what it did not touch is asked, too.

It was fit when the rollout began. Since then its host may have rebooted and brought it back bad;
then it is told as what it is, and nobody is sent away with "restored".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.opening import AT_ONCE
from gapless.engine.perform import failure_data, reconnect
from gapless.engine.replacing import InstanceOutcome, Replaced
from gapless.engine.servicing import ServiceResult
from gapless.engine.steps.health import worst
from gapless.engine.steps.preflight import examine, unfit
from gapless.errors import GaplessError, LostContact, TransportError


async def look_again(ctx: RolloutContext, results: Mapping[str, ServiceResult]) -> bool:
    """Ask every instance of the plan that was not touched; notes and tells those that do not
    serve. Whether there are any."""
    gate = asyncio.Semaphore(AT_ONCE)
    left = [
        InstanceContext(ctx, service, host)
        for service, host in ctx.plan.instances()
        if host not in service.installs and _untouched(results[service.name], host)
    ]
    errors = await asyncio.gather(*(_ask(instance, gate) for instance in left))
    for instance, error in zip(left, errors, strict=True):
        if error is None:
            continue
        gone = isinstance(error, TransportError)
        outcome = InstanceOutcome.LOST if gone else InstanceOutcome.DOWN
        found = Replaced(instance.host, outcome, failure_data(error))
        results[instance.service.name].instances[instance.host] = found
        instance.emit("instance.failed", outcome=outcome.value, error=dict(found.error))
    return any(errors)


def _untouched(result: ServiceResult, host: str) -> bool:
    replaced = result.instances.get(host)
    return replaced is None or replaced.outcome is InstanceOutcome.UNTOUCHED


async def _ask(ctx: InstanceContext, gate: asyncio.Semaphore) -> GaplessError | None:
    async with gate:
        try:
            try:
                finding = worst(await examine(ctx))
            except LostContact as lost:
                await reconnect(ctx, lost)
                finding = worst(await examine(ctx))
        except GaplessError as error:
            return error
    return unfit(ctx, finding) if finding is not None else None
