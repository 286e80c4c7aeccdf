"""Full disks and files that are not what they should be: nothing that is live changes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import HostFault, Refused, StepError
from gapless.model import Command, Completed
from tests.unit.drivers.releases.site import Site
from tests.unit.drivers.releases.sources import git
from tests.unit.drivers.releases.test_staging import ROOT, small_disk


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.write("app", "1")
    made.commit()
    return made


class Flipping(LocalTransport):
    """A host on which one file is never what was brought."""

    async def run(self, command: Command) -> Completed:
        done = await super().run(command)
        if command.argv[0] == "tar":
            self._flip(command.argv[-1])
        return done

    async def push(
        self, source: Path, target: str, *, exclude: Sequence[str] = (), link_from: str = ""
    ) -> int:
        sent = await super().push(source, target, exclude=exclude, link_from=link_from)
        self._flip(target)
        return sent

    def _flip(self, folder: str) -> None:
        Path(folder, "app").unlink()
        Path(folder, "app").write_text("flipped")


@pytest.mark.parametrize("fetch", ["controller", "host"])
def test_what_arrived_is_compared_whichever_way_it_came(site: Site, fetch: str) -> None:
    old = site.deploy(fetch=fetch)
    site.write("app", "2")
    site.commit()
    wanted = site.resolve()
    host = Flipping("web1", HostConfig(transport="local", state_dir=str(site.folder / "state")))
    with pytest.raises(StepError, match="digest mismatch: what arrived on the host") as caught:
        site.on(host, fetch=fetch)
    assert wanted.digest in caught.value.evidence
    assert site.live().resolve().name == old.name
    assert not (site.to("web1") / "releases" / wanted.name).exists()


@ROOT
@pytest.mark.parametrize("fetch", ["controller", "host"])
def test_a_full_disk_of_a_host_is_named_and_nothing_live_changes(site: Site, fetch: str) -> None:
    disk = site.folder / "srv"
    with small_disk(disk):
        old = site.deploy(fetch=fetch)
        git(f"--git-dir={site.repository}", "config", "core.compression", "0")
        site.write("big", "x" * (2 << 20))
        site.commit()
        with pytest.raises((HostFault, StepError)) as caught:
            site.deploy(fetch=fetch)
        assert "No space left on device" in caught.value.evidence
        assert site.live().resolve().name == old.name
        assert (site.live() / "app").read_text() == "1"
        assert not list(disk.rglob("*.incoming"))


@ROOT
def test_a_full_disk_of_the_controller_is_named_before_any_host(site: Site) -> None:
    disk = site.folder / "controller"
    with small_disk(disk):
        site.write("big", "x" * (2 << 20))
        site.commit()
        with pytest.raises(Refused) as caught:
            site.resolve()
        assert "space" in f"{caught.value.what} {caught.value.evidence}"
        assert shutil.disk_usage(disk).free > 300 << 10, "what was begun is gone"
        assert not site.to("web1").exists()
