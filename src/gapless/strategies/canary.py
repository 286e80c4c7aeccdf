"""Canary: what goes first shows that it is well, with few of the requests, before the rest.

1. Each instance has two slots, as in start-first. ``canary`` instances go first, one after another,
   one where nothing is said; the rest follows only if they pass.
2. By counts: without ``shift`` each of them is replaced as in start-first, and then has the part of
   the traffic that an instance has.
3. By shares: with ``shift`` its new copy, once it is ready and warm, gets the first share of the
   requests of the whole service, and the old copy so much less; what all other instances get stays
   as it is. At each share it is watched and judged for the time of ``hold``, beside the old copy,
   which serves the same clients at the same time.
4. What is wrong, or a person who wants out, gives the old copy all of its part back at once; then
   the new one is ended. The old one never stopped to serve.
5. After the last share all weights are again what they were. From there on it goes as in
   start-first: the new copy is in traffic, the old one is drained, and the new one soaks.
6. The rest goes as in start-first, without shares. So does every way back.
"""

from __future__ import annotations

from gapless.config.services import ServiceConfig
from gapless.plans import StepKind, Verb
from gapless.strategies.lifecycle import applied
from gapless.strategies.start_first import BESIDE

FIRST = 1
"""Instances that go first where nothing else is said."""


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Those of start-first; between warm and admit the shares (rule 3)."""
    admit = BESIDE.index(StepKind.ADMIT)
    order = (*BESIDE[:admit], StepKind.SHIFT, *BESIDE[admit:])
    return applied(order, service, verb, migrate=migrate)
