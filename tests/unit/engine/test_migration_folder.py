"""Where a migration runs: ``cwd``, else the new release, else the unit's WorkingDirectory."""

from __future__ import annotations

import pytest

from gapless.testing.virtual_time import run_virtual
from tests.unit.docs.seed_site import SeedSite


def folders(site: SeedSite) -> list[str | None]:
    assert run_virtual(site.restart()).exit_code == 0
    return [command.cwd for command in site.ran]


@pytest.mark.parametrize(
    ("shown", "cwd"),
    [
        ("/srv/api/current", "/srv/api/current"),
        ("!/srv/api", "/srv/api"),
        ("~", None),
        ("", None),
    ],
)
def test_without_a_release_it_is_the_units_own_working_directory(
    shown: str, cwd: str | None
) -> None:
    site = SeedSite({"migrate": {"run": "migrate deploy"}})
    site.unit("web1").extra["WorkingDirectory"] = shown
    assert folders(site) == [cwd]


def test_cwd_goes_first() -> None:
    site = SeedSite({"migrate": {"run": "migrate deploy", "cwd": "/opt/api"}})
    assert folders(site) == ["/opt/api"]


def test_a_deploy_runs_it_in_the_new_release() -> None:
    site = SeedSite({"migrate": {"run": "migrate deploy"}})
    assert run_virtual(site.deploy("v2")).exit_code == 0
    assert [command.cwd for command in site.ran] == ["/srv/api/releases/v2"]
