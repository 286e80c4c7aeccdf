"""What the first requirements fix in numbers and names, and the documentation promises to keep."""

from __future__ import annotations

from gapless.config.health import HealthConfig
from gapless.config.services import DefaultsConfig, SystemdConfig
from gapless.config.source import load_config
from gapless.planning.make import make_plan
from gapless.plans import Verb

from .pages import ROOT, blocks


def test_seed_timings_are_the_defaults() -> None:
    health = HealthConfig()
    assert (health.timeout, health.interval) == (30.0, 2.0)
    assert (health.retries, health.retry_delay) == (3, 5.0)
    assert DefaultsConfig().soak == 30.0
    assert SystemdConfig(unit="a").command_timeout == 10.0


def test_the_order_of_the_example(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """sso.postgresql and sso.redis, then sso.api, merchant.api, marketplace.api."""
    page = ROOT / "docs" / "how-to" / "dependency-order.md"
    example = next(block for block in blocks("yaml") if block.page == page)
    file = tmp_path / "gapless.yaml"
    file.write_text(example.text)
    plan = make_plan(load_config(file), verb=Verb.RESTART)
    assert [(service.wave, service.name) for service in plan.services] == [
        (1, "sso.postgresql"),
        (1, "sso.redis"),
        (2, "sso.api"),
        (3, "merchant.api"),
        (4, "marketplace.api"),
    ]
