"""What ``from gapless import …`` gives, whatever was imported before."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import gapless


def test_no_module_has_the_name_of_a_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(gapless.__path__)}
    assert not modules & set(gapless.__all__)


def test_plan_is_the_function_after_the_api_was_imported() -> None:
    program = (
        "import gapless.cli.rolling; from gapless import api, load, plan;"
        "import gapless; assert callable(plan) and plan is gapless.plan"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
