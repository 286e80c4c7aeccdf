from __future__ import annotations

import json
import subprocess
import sys

_ASK = """
import json, sys
before = set(sys.modules)
import gapless.handover, gapless.handover.threads
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_an_application_gets_the_standard_library_and_nothing_else() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _ASK], capture_output=True, text=True, check=True
    ).stdout
    foreign = {
        name
        for name in json.loads(said)
        if name.split(".")[0] not in sys.stdlib_module_names
        and name != "gapless"
        and not name.startswith("gapless.handover")
    }
    assert foreign == set()
