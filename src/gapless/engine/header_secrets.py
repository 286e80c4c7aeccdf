"""Secrets of health questions, read before anything is claimed: an instance whose questions cannot
be asked would be taken for a sick one in the middle of the rollout, or of its way back."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.engine.context import RolloutContext


async def read_secrets(ctx: RolloutContext) -> None:
    """Read every reference once, also when resumed. Raises UsageError, which names the one that
    cannot be read."""
    await ctx.secrets.read(_references(ctx))


def _references(ctx: RolloutContext) -> Iterator[str]:
    for service in ctx.plan.services:
        config = ctx.assembly.service(service.name)
        health = () if ctx.plan.force else config.health  # force leaves these unasked
        for check in health:
            if check.http_check is not None:
                yield from check.http_check.secrets.values()
        for evidence in config.verify:
            yield from evidence.secret_references
