from __future__ import annotations

import os

from tests.simulation.run import play
from tests.simulation.scenario import scenario
from gapless.testing.virtual_time import run_virtual

def test_one():
    course = run_virtual(play(scenario(int(os.environ.get("SEED", "1")))))
    print(course.outcomes)
