"""handover/1 for Python programs: two copies change places without losing or doubling an event.

``gapless.handover.Handover`` is for asyncio, ``gapless.handover.threads.Handover`` for threads. The
protocol is described in docs/reference/handover.md. Standard library only.
"""

from gapless.handover.endings import BadVariable, Obsolete
from gapless.handover.handover import Handover
from gapless.handover.left import Left
from gapless.handover.units import Unit
from gapless.handover.work import Level, Outcome

__all__ = ["BadVariable", "Handover", "Left", "Level", "Obsolete", "Outcome", "Unit"]
