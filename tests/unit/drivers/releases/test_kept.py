"""What the controller keeps: the newest, and whatever a host runs or would go back to."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.kept_store import KeptStore, Record
from gapless.errors import Refused
from gapless.hostside.files import digest_of
from tests.unit.drivers.releases.site import Site


def kept(site: Site) -> set[str]:
    folder = site.shelf("releases")
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def artifacts(site: Site) -> set[str]:
    folder = site.shelf("artifacts")
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.write("build.sh", "mkdir deps; cp lock deps/lock")
    build = {"run": "sh build.sh", "key": "lock", "keep": "deps"}
    made.settings = {"keep": 2, "build": build}
    return made


def version(site: Site, number: int) -> ReleaseRef:
    """A commit that needs a build of its own."""
    site.write("lock", str(number))
    site.commit()
    return site.resolve()


def test_the_newest_are_kept_with_their_artifacts(site: Site) -> None:
    refs = [version(site, number) for number in range(5)]
    assert kept(site) == {ref.name for ref in refs[3:]}
    assert artifacts(site) == {ref.artifact for ref in refs[3:]}


def test_what_a_host_runs_or_would_go_back_to_is_kept_however_old(site: Site) -> None:
    first = version(site, 0)
    site.deploy("web1")
    second = version(site, 1)
    site.deploy("web2")
    newer = [version(site, number) for number in range(2, 6)]
    names = {first.name, second.name, *(ref.name for ref in newer[2:])}
    assert kept(site) == names
    assert {first.artifact, second.artifact} < artifacts(site)
    site.deploy("web1")  # now it needs the newest, and the first is nobody's
    last = [version(site, number) for number in range(6, 9)]
    assert first.name not in kept(site)
    assert kept(site) == {second.name, newer[-1].name, *(ref.name for ref in last[1:])}


def test_one_that_is_used_again_is_new_again(site: Site) -> None:
    refs = [version(site, number) for number in range(2)]
    site.resolve(refs[0].name)
    version(site, 2)
    assert refs[0].name in kept(site)
    assert refs[1].name not in kept(site)


def test_what_was_pruned_is_made_again_from_its_commit(site: Site) -> None:
    first = version(site, 0)
    for number in range(1, 4):
        version(site, number)
    assert first.name not in kept(site)
    assert site.deploy(name=first.name) == first
    assert (site.live() / "deps/lock").read_text() == "0"


def test_a_rollout_outlasts_what_others_make_meanwhile(site: Site) -> None:
    """Also when it planned long ago what nobody has by now."""
    first = version(site, 0)
    release = site.release()
    assert release.resolve(first.name) == first
    newer = [version(site, number) for number in range(1, 4)]
    assert first.name not in kept(site)

    async def stage() -> None:
        host = site.host("web1")
        await host.connect()
        try:
            await release.stage(host, first)
        finally:
            await host.close()

    asyncio.run(stage())
    assert digest_of(first.path) == first.digest
    version(site, 9)
    assert first.name in kept(site), "it was the last that was used"
    assert newer[-1].name not in kept(site)


def test_accepting_the_same_at_the_same_time_leaves_one_whole(tmp_path: Path) -> None:
    store = KeptStore(tmp_path)

    def accept() -> None:
        with store.incoming() as beside:
            files = beside / "files"
            files.mkdir()
            (files / "app").write_text("x")
            ref = ReleaseRef("v1", digest_of(str(files)))
            store.accept(files, Record(ref, "recipe"))
            assert store.named("v1") is not None

    threads = [threading.Thread(target=accept) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.named("v1") == store.made_by("recipe")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", ".v1.json", "v1"]


def test_a_place_that_cannot_be_written_is_named(site: Site) -> None:
    site.write("lock", "1")
    site.commit()
    (site.folder / "controller").write_text("not a folder")
    with pytest.raises(Refused, match="cannot be made on this machine") as caught:
        site.resolve()
    assert str(site.folder / "controller") in f"{caught.value.where} {caught.value.next}"
