"""The driver of CONTRIBUTING.md is written down completely: it runs as it stands there."""

import inspect
import sys
import types
from pathlib import Path
from unittest import SkipTest

import pytest

from gapless.config import balancers

from .pages import ROOT, blocks

CONFIG = "src/gapless/config/balancer_varnish.py"
SECTION = "gapless.config.balancer_varnish"
DRIVER = "src/gapless/drivers/balancers/varnish.py"
SUITE = "tests/unit/drivers/balancers/test_varnish.py"


def _block(path: str) -> str:
    found = [
        block.text
        for block in blocks("python")
        if block.page == ROOT / "CONTRIBUTING.md" and block.text.startswith(f"# {path}\n")
    ]
    assert len(found) == 1, path
    return found[0]


def _module(name: str, text: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, name, "exec"), vars(module))
    return module


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Step 1 to 4, done."""
    for name in (SECTION, "gapless.drivers.balancers.varnish", "docs_contributing_suite"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    section_class = _module(SECTION, _block(CONFIG)).VarnishConfig

    class Extended(balancers.BalancerConfig):
        varnish: section_class | None = None  # type: ignore[valid-type]

    monkeypatch.setattr(balancers, "BalancerConfig", Extended)
    _module("gapless.drivers.balancers.varnish", _block(DRIVER))
    return _module("docs_contributing_suite", _block(SUITE))


def _cases() -> list[str]:
    from gapless.testing.balancer_suite import BalancerSuite

    return [name for name, _ in inspect.getmembers(BalancerSuite) if name.startswith("test_")]


@pytest.mark.parametrize("case", _cases())
def test_the_worked_example_passes_the_contract_suite(
    suite: types.ModuleType, case: str, tmp_path: Path
) -> None:
    mine = suite.TestVarnish()
    mine.folder = tmp_path
    try:
        getattr(mine, case)()
    except SkipTest as skip:
        pytest.skip(str(skip))


def test_the_files_it_names_exist() -> None:
    assert (ROOT / CONFIG).parent.is_dir()
    assert "class BalancerConfig" in (ROOT / "src/gapless/config/balancers.py").read_text()
    assert (ROOT / DRIVER).parent.is_dir()
    assert (ROOT / SUITE).parent.is_dir()
    assert "BALANCERS" in (ROOT / "src/gapless/drivers/registry.py").read_text()
