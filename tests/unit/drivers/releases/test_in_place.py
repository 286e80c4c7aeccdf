"""In place: what was there comes back, what is excluded stays, and half a copy is never a lie."""

from __future__ import annotations

import os
from pathlib import Path

from gapless.drivers.releases.directory_in_place import BEFORE
from gapless.hostside.files import digest_of
from gapless.testing.release_suite import Bench
from tests.unit.drivers.releases.rig import InPlaceRig


class TestInPlace(InPlaceRig):
    def test_what_was_there_before_gapless_comes_back(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            (bench.to / "deep").mkdir(parents=True)
            (bench.to / "deep" / "old").write_text("by hand")
            (bench.to / "deep" / "old").chmod(0o640)
            (bench.to / "link").symlink_to("deep")
            before = digest_of(str(bench.to))
            kept = await bench.release().current(bench.transport)
            assert kept is not None
            assert kept.name == BEFORE
            bench.write("a", "new")
            new = await bench.deploy()
            assert os.listdir(bench.to) == ["a"]
            assert await bench.release().current(bench.transport) == new
            await bench.activate(kept)
            assert digest_of(str(bench.to)) == before
            assert await bench.release().current(bench.transport) == kept

        self.play(tmp_path, case)

    def test_changes_made_by_hand_come_back_too(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            old = await bench.deploy()
            (bench.to / "a").write_text("mended by hand")
            bench.write("a", "2")
            await bench.deploy()
            await bench.activate(old)
            assert (bench.to / "a").read_text() == "mended by hand"
            bench.write("a", "1")
            assert (await bench.deploy()).name == old.name
            assert (bench.to / "a").read_text() == "1"

        self.play(tmp_path, case)

    def test_excluded_names_on_the_host_stay_both_ways(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            old = await bench.deploy()
            (bench.to / "uploads").mkdir()
            (bench.to / "uploads" / "cat.jpg").write_text("cat")
            bench.write("a", "2")
            await bench.deploy()
            (bench.to / "uploads" / "dog.jpg").write_text("dog")
            await bench.activate(old)
            assert sorted(os.listdir(bench.to / "uploads")) == ["cat.jpg", "dog.jpg"]

        self.play(tmp_path, case, exclude=["/uploads"])

    def test_excluded_names_stay_when_none_is_live_again(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            await bench.deploy()
            (bench.to / "uploads").mkdir()
            (bench.to / "uploads" / "cat.jpg").write_text("cat")
            await bench.deactivate()
            assert os.listdir(bench.to) == ["uploads"]
            live = await bench.release().current(bench.transport)
            assert live is not None
            assert live.name == BEFORE

        self.play(tmp_path, case, exclude=["/uploads"])

    def test_half_a_copy_is_neither_the_old_nor_the_new(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            old = await bench.deploy()
            bench.write("a", "2")
            release = bench.release()
            new = release.resolve()
            await release.stage(bench.transport, new)
            for command in release.activation(new)[:3]:
                await bench.transport.run(command)
            half = await release.current(bench.transport)
            assert half is not None
            assert half.name == f"{old.name}+unfinished"
            assert await release.stage(bench.transport, new) == 0  # keeps no half aside
            assert await release.prune(bench.transport, (half.name,)) == ()
            await bench.activate(half)
            assert (bench.to / "a").read_text() == "1"
            assert await release.current(bench.transport) == old
            await bench.activate(new)
            assert await release.current(bench.transport) == new

        self.play(tmp_path, case)

    def test_unstage_of_a_first_deploy_leaves_no_trace(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.to.mkdir(parents=True)
            (bench.to / "old").write_text("o")
            bench.write("a", "1")
            release = bench.release()
            ref = release.resolve()
            await release.stage(bench.transport, ref)
            await release.unstage(bench.transport, ref)
            beside = [path for path in bench.to.parent.rglob("*") if path != bench.to]
            assert [path.name for path in beside] == ["old", "api.gapless-previous"] or [
                path.name for path in beside
            ] == ["api.gapless-previous", "old"]

        self.play(tmp_path, case)
