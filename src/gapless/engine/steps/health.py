"""How steps ask health questions and judge the answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gapless.config.health import HealthConfig
from gapless.drivers.checks import asking
from gapless.drivers.transports.base import Probe, Transport
from gapless.engine.context import InstanceContext
from gapless.model import Verdict, VerdictStatus

_EVENTS = {
    VerdictStatus.PASS: "check.passed",
    VerdictStatus.FAIL: "check.failed",
    VerdictStatus.INCONCLUSIVE: "check.inconclusive",
}


async def ask(
    ctx: InstanceContext,
    probes: Sequence[Probe],
    *,
    passes: int,
    every: float,
    within: float,
    eager: bool = False,
) -> tuple[Verdict, ...]:
    """Ask each question from where it is to be asked: the host, or this machine."""
    here = await side_here(ctx, probes)
    return await asking.ask(
        ctx.transport,
        lambda: here,
        probes,
        passes=passes,
        every=every,
        within=within,
        eager=eager,
        kept=ctx.rollout.secrets,
    )


async def side_here(ctx: InstanceContext, probes: Sequence[Probe]) -> Transport:
    """The transport of this machine, connected when a question needs it."""
    if not any(asking.is_from_here(probe) for probe in probes):
        return ctx.transport
    here = ctx.rollout.assembly.transport("")
    await here.connect()
    return here


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict that decides: a FAIL, else an INCONCLUSIVE, else None."""
    found = sorted(
        (v for v in verdicts if not v.passed),
        key=lambda v: v.status is not VerdictStatus.FAIL,
    )
    return found[0] if found else None


def tell(ctx: InstanceContext, step: str, verdicts: Sequence[Verdict]) -> None:
    """One event per verdict."""
    for verdict in verdicts:
        ctx.emit(_EVENTS[verdict.status], step, verdict=verdict.to_json())


def timing(checks: Sequence[HealthConfig]) -> HealthConfig:
    """The timing all checks of a service are asked with: the most patient of each."""
    if not checks:
        return HealthConfig()
    return checks[0].model_copy(
        update={
            "timeout": max(check.timeout for check in checks),
            "passes": max(check.passes for check in checks),
            "retries": max(check.retries for check in checks),
            "retry_delay": max(check.retry_delay for check in checks),
            "interval": min(check.interval for check in checks),
            "poll": min(check.poll for check in checks),
        }
    )
