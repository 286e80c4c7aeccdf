"""What staging does when something is wrong, and what it shares with the live release."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gapless.drivers.transports.local import LocalTransport
from gapless.errors import ActionFailed, HostFault, Refused, StalePlan, StepError
from gapless.testing.release_suite import Bench
from tests.unit.drivers.releases.rig import LocalRig

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def hidden(bench: Bench) -> list[str]:
    store = bench.to / "releases"
    return [n for n in os.listdir(store) if n.endswith((".incoming", ".removed"))]


class TestStaging(LocalRig):
    def test_unchanged_files_are_links_to_the_live_release(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("same", "s" * 200_000)
            bench.write("other", "1")
            old = await bench.deploy()
            bench.write("other", "22")
            release = bench.release()
            new = release.resolve()
            assert await release.stage(bench.transport, new) < 20_000
            assert Path(new.path, "same").samefile(Path(old.path, "same"))
            assert not Path(new.path, "other").samefile(Path(old.path, "other"))

        self.play(tmp_path, case)

    @ROOT
    def test_another_owner_never_reaches_the_live_release(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("same", "s")
            old = await bench.deploy()
            bench.write("new", "n")
            new = await bench.deploy(owner="nobody:nogroup")
            assert Path(old.path, "same").owner() == "root"
            assert Path(new.path, "same").owner() == Path(new.path).owner() == "nobody"

        self.play(tmp_path, case)

    def test_an_unknown_owner_is_found_out_before_anything_is_sent(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            release = bench.release(owner="no-such-user-here")
            with pytest.raises(ActionFailed, match="chown"):
                await release.stage(bench.transport, release.resolve())
            assert hidden(bench) == []

        self.play(tmp_path, case)

    def test_a_torn_incoming_is_not_a_release_and_is_made_whole(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            release = bench.release()
            ref = release.resolve()
            torn = bench.to / "releases" / f".{ref.name}.incoming"
            torn.mkdir(parents=True)
            (torn / "left over").write_text("x")
            assert await release.current(bench.transport) is None
            assert await release.stage(bench.transport, ref) > 0
            assert os.listdir(ref.path) == ["a"]
            assert hidden(bench) == []

        self.play(tmp_path, case)

    def test_a_delta_fooled_by_times_is_sent_again_in_full(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            os.utime(bench.source / "a", (1e9, 1e9))
            await bench.deploy()
            bench.write("a", "2")
            os.utime(bench.source / "a", (1e9, 1e9))
            await bench.deploy()
            assert (bench.live() / "a").read_text() == "2"

        self.play(tmp_path, case)

    def test_a_kept_release_that_somebody_changed_is_brought_again(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            first = await bench.deploy()
            bench.write("a", "2")
            await bench.deploy()
            Path(first.path, "a").write_text("damaged")
            bench.write("a", "1")
            assert (await bench.deploy()).name == first.name
            assert (bench.live() / "a").read_text() == "1"

        self.play(tmp_path, case)

    def test_what_runs_may_write_into_its_folder(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            ref = await bench.deploy()
            (bench.live() / "cache").write_text("warm")
            assert await bench.release().stage(bench.transport, ref) == 0
            assert (bench.live() / "cache").exists()

        self.play(tmp_path, case)

    def test_a_source_that_changed_since_the_plan_is_refused(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            planned = bench.release().resolve()
            bench.write("a", "2")
            with pytest.raises(StalePlan):
                await bench.release().stage(bench.transport, planned)

        self.play(tmp_path, case)

    def test_a_source_that_changes_under_way_is_a_mismatch_that_says_so(
        self, tmp_path: Path
    ) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            release = bench.release()
            ref = release.resolve()
            bench.write("a", "2")
            with pytest.raises(StepError, match="digest mismatch: the source changed") as caught:
                await release.stage(bench.transport, ref)
            assert ref.digest in caught.value.evidence
            assert bench.release().resolve().digest in caught.value.evidence
            assert hidden(bench) == []

        self.play(tmp_path, case)

    def test_current_that_is_a_folder_is_refused_before_the_switch(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            (bench.to / "current").mkdir(parents=True)
            release = bench.release()
            with pytest.raises(Refused, match="is not a link"):
                await release.stage(bench.transport, release.resolve())

        self.play(tmp_path, case)


class Corrupting(LocalTransport):
    """A host on which one byte is never what was sent."""

    async def push(
        self, source: Path, target: str, *, exclude: Sequence[str] = (), link_from: str = ""
    ) -> int:
        sent = await super().push(source, target, exclude=exclude, link_from=link_from)
        Path(target, "a").write_text("flipped")
        return sent


class TestCorruption(LocalRig):
    def transport(self, folder: Path) -> LocalTransport:
        plain = super().transport(folder)
        plain.__class__ = Corrupting
        return plain

    def test_what_arrived_is_compared_with_what_was_sent(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            release = bench.release()
            ref = release.resolve()
            with pytest.raises(StepError, match="digest mismatch") as caught:
                await release.stage(bench.transport, ref)
            assert ref.digest in caught.value.evidence
            assert os.listdir(bench.to / "releases") == []

        self.play(tmp_path, case)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@ROOT
class TestFullDisk(LocalRig):
    @pytest.mark.parametrize("in_place", [False, True])
    def test_a_full_disk_is_named_and_left_as_it_was(self, tmp_path: Path, in_place: bool) -> None:
        disk = tmp_path / "disk"
        with small_disk(disk):

            async def case(bench: Bench) -> None:
                bench.to = disk / "api"
                bench.write("a", "1")
                old = await bench.deploy(in_place=in_place)
                before = shutil.disk_usage(disk).free
                bench.write("big", "x" * (2 << 20))
                release = bench.release(in_place=in_place)
                with pytest.raises(HostFault, match="the disk is full") as caught:
                    await release.stage(bench.transport, release.resolve())
                assert "No space left on device" in caught.value.evidence
                assert caught.value.next.startswith("df -h ")
                assert before - shutil.disk_usage(disk).free <= 32 << 10
                assert not list(disk.rglob("*.incoming"))
                assert await release.current(bench.transport) == old

            # the commands of the switch have to know that it is in place, too
            self.in_place = in_place
            self.play(tmp_path, case)
