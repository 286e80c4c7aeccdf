"""Every step there is, by its kind."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.engine.steps.admit import Admit
from gapless.engine.steps.base import Step
from gapless.engine.steps.commit import Commit
from gapless.engine.steps.drain import Drain
from gapless.engine.steps.evacuate import Evacuate
from gapless.engine.steps.migrate import Migrate
from gapless.engine.steps.park import Park
from gapless.engine.steps.preflight import Preflight
from gapless.engine.steps.ready import Ready
from gapless.engine.steps.rejoin import Rejoin
from gapless.engine.steps.retire import Retire
from gapless.engine.steps.shift import Shift
from gapless.engine.steps.snapshot import Snapshot
from gapless.engine.steps.soak import Soak
from gapless.engine.steps.stage import Stage
from gapless.engine.steps.switch import Switch
from gapless.engine.steps.verify import Verify
from gapless.engine.steps.warm import Warm
from gapless.plans import StepKind

STEPS: Mapping[StepKind, Step] = {
    step.kind: step
    for step in (
        Preflight(),
        Snapshot(),
        Stage(),
        Migrate(),
        Drain(),
        Evacuate(),
        Switch(),
        Ready(),
        Rejoin(),
        Warm(),
        Shift(),
        Admit(),
        Park(),
        Retire(),
        Soak(),
        Verify(),
        Commit(),
    )
}
