"""The link: exact commands, never missing, and links that others made."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.directory_host import target_of
from gapless.errors import ActionFailed
from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.release_suite import Bench
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.unit.drivers.releases.rig import LocalRig


class TestLink(LocalRig):
    def test_the_switch_is_one_rename(self, tmp_path: Path) -> None:
        release = self.release(tmp_path, Path("/srv/my app"))
        commands = release.activation(ReleaseRef("abc", path="/srv/my app/releases/abc"))
        assert [c.argv for c in commands] == [
            ("test", "-d", "/srv/my app/releases/abc"),
            ("ln", "-sfn", "--", "releases/abc", "/srv/my app/.current.abc"),
            ("mv", "-fT", "--", "/srv/my app/.current.abc", "/srv/my app/current"),
        ]

    def test_a_reader_never_finds_the_link_missing(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            refs = [await bench.deploy()]
            bench.write("a", "2")
            refs.append(await bench.deploy())
            over, seen, missing = threading.Event(), set(), []

            def read() -> None:
                while not over.is_set():
                    try:
                        seen.add((bench.live() / "a").read_text())
                    except OSError as error:
                        missing.append(error)

            reading = asyncio.create_task(asyncio.to_thread(read))
            for turn in range(60):
                await bench.activate(refs[turn % 2])
            over.set()
            await reading
            assert missing == []
            assert seen == {"1", "2"}

        self.play(tmp_path, case)

    def test_a_leftover_link_is_not_in_the_way(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            name = bench.release().resolve().name
            bench.to.mkdir(parents=True)
            (bench.to / f".current.{name}").symlink_to("/nowhere")
            await bench.deploy()
            assert os.readlink(bench.to / "current") == f"releases/{name}"
            assert not (bench.to / f".current.{name}").is_symlink()

        self.play(tmp_path, case)

    def test_a_link_that_others_made_is_what_we_go_back_to(self, tmp_path: Path) -> None:
        async def case(bench: Bench) -> None:
            elsewhere = tmp_path / "opt" / "v41"
            elsewhere.mkdir(parents=True)
            (elsewhere / "a").write_text("old")
            bench.to.mkdir(parents=True)
            (bench.to / "current").symlink_to(elsewhere)
            theirs = await bench.release().current(bench.transport)
            assert theirs is not None
            bench.write("a", "new")
            await bench.deploy()
            await bench.activate(ReleaseRef.from_json(theirs.to_json()))
            assert (bench.live() / "a").read_text() == "old"
            assert await bench.release().current(bench.transport) == theirs

        self.play(tmp_path, case)

    def test_prune_leaves_what_others_brought_and_sweeps_what_was_torn(
        self, tmp_path: Path
    ) -> None:
        async def case(bench: Bench) -> None:
            for number in range(3):
                bench.write("a", str(number))
                await bench.deploy()
            store = bench.to / "releases"
            for name in ("202401011200", "v41", ".x.incoming", ".y.removed"):
                (store / name).mkdir()
            assert len(await bench.release().prune(bench.transport, ())) == 1
            left = {name for name in os.listdir(store) if not name.endswith(".json")}
            assert {"202401011200", "v41"} < left
            assert not left & {".x.incoming", ".y.removed"}

        self.play(tmp_path, case, keep=1)


def test_a_link_that_cannot_be_read_does_not_look_like_a_first_deploy() -> None:
    """Its undo would take the link away."""

    async def cannot(host: FakeHost, command: Command) -> Answer:
        return 1, "", "readlink: /srv/shop/current: Permission denied\n"

    async def case() -> None:
        world = World()
        host = world.host("web1")
        transport = world.transport("web1")
        await transport.connect()
        assert await target_of(transport, "/srv/shop/current") == ""
        host.files.link("releases/1", "/srv/shop/current")
        assert await target_of(transport, "/srv/shop/current") == "releases/1"
        host.programs["readlink"] = cannot
        with pytest.raises(ActionFailed, match="is there and cannot be read") as raised:
            await target_of(transport, "/srv/shop/current")
        assert "Permission denied" in raised.value.evidence

    run_virtual(case())
