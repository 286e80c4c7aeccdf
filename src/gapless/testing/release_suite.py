"""The conformance suite of releases: subclass it, say how to reach a host, run it with
pytest. It needs a transport whose host has a real file system.

class TestMine(ReleaseSuite):
    def transport(self, folder): return MyTransport(folder)
    def release(self, source, to, **settings): return MyRelease(...)

A source that is not a plain folder says how a folder becomes one (``publish``).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.releases.base import Release, ReleaseRef
from gapless.drivers.transports.base import Transport
from gapless.hostside.files import digest_of
from gapless.model import Command

ODD = 'it\'s a "test" $HOME `id` \\ *?'
"""A name that a shell would trip over."""


@dataclass
class Bench:
    """A source and a place on the host, and the release between them."""

    rig: ReleaseRig
    transport: Transport
    source: Path
    to: Path
    settings: dict[str, Any]

    def release(self, **settings: Any) -> Release:
        """A driver as a new process would have it, for what the source holds now."""
        self.rig.publish(self.source)
        return self.rig.release(self.source, self.to, **{**self.settings, **settings})

    def write(self, name: str, content: str, mode: int = 0o644) -> None:
        """A file of the source."""
        file = self.source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)

    def live(self) -> Path:
        """The folder a service would run from."""
        return self.to if self.rig.in_place else self.to / "current"

    async def activate(self, ref: ReleaseRef) -> None:
        """Run the commands of the switch, as the critical action would."""
        await self._run(self.release().activation(ref))

    async def deactivate(self) -> None:
        """Run the commands of the way back to where there was none."""
        await self._run(self.release().deactivation())

    async def deploy(self, **settings: Any) -> ReleaseRef:
        """Resolve, stage, activate."""
        release = self.release(**settings)
        ref = release.resolve()
        await release.stage(self.transport, ref)
        await self.activate(ref)
        return ref

    async def _run(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            done = await self.transport.run(command)
            assert done.ok or not command.check, done


def there(ref: ReleaseRef) -> bool:
    """Whether its folder is on the host."""
    return Path(ref.path).is_dir()


Case = Callable[[Bench], Awaitable[None]]


class ReleaseRig:
    """A host, a driver, and how to play a case on them; it has no cases of its own."""

    in_place = False
    every_mode = True
    """Whether all permission bits travel, and empty folders."""
    links_outside = True
    """Whether links may lead anywhere."""

    def transport(self, folder: Path) -> Transport:
        """A host whose state lies in ``folder``."""
        raise NotImplementedError

    def release(self, source: Path, to: Path, **settings: Any) -> Release:
        """The driver; settings as ReleaseConfig has them."""
        raise NotImplementedError

    def publish(self, source: Path) -> None:
        """Make what lies in ``source`` what a release would be made of."""

    @asynccontextmanager
    async def bench(self, folder: Path, **settings: Any) -> AsyncIterator[Bench]:
        """A connected host and an empty source, at paths with odd names."""
        source, to = folder / f"src {ODD}", folder / f"srv {ODD}" / "api"
        source.mkdir(parents=True)
        transport = self.transport(folder / "state")
        await transport.connect()
        try:
            yield Bench(self, transport, source, to, settings)
        finally:
            await transport.close()

    def play(self, folder: Path, case: Case, **settings: Any) -> None:
        """Run one case on a bench."""

        async def run() -> None:
            async with self.bench(folder, **settings) as bench:
                await case(bench)

        asyncio.run(run())


class ReleaseSuite(ReleaseRig):
    """What every way to bring a release to a host promises."""

    def test_what_is_brought_is_what_the_source_holds(self, tmp_path: Path) -> None:
        """Names, modes, contents and links, compared by the host's own digest."""

        async def case(bench: Bench) -> None:
            bench.write("run.sh", "#!/bin/sh\n", 0o755)
            bench.write(f"deep/{ODD}/file {ODD}", "odd")
            if self.every_mode:
                bench.write("secret", "s", 0o600)
                (bench.source / "empty").mkdir(mode=0o700)
            (bench.source / "link").symlink_to(f"deep/{ODD}")
            dangling = "/no/such/place" if self.links_outside else "no/such/place"
            (bench.source / "dangling").symlink_to(dangling)
            ref = await bench.deploy()
            assert digest_of(str(bench.live())) == ref.digest == digest_of(str(bench.source))
            assert os.readlink(bench.live() / "dangling") == dangling  # noqa: PTH115

        self.play(tmp_path, case)

    def test_nothing_is_live_before_and_the_release_is_live_after(self, tmp_path: Path) -> None:
        """current() tells name, digest and schema of what was activated."""

        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            assert await bench.release().current(bench.transport) is None
            ref = await bench.deploy(schema={"version": 7})
            assert await bench.release().current(bench.transport) == ref
            assert ref.schema == 7

        self.play(tmp_path, case)

    def test_staging_changes_nothing_that_is_live(self, tmp_path: Path) -> None:
        """Neither what current() tells nor what is in it."""

        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            old = await bench.deploy()
            bench.write("a", "2")
            release = bench.release()
            await release.stage(bench.transport, release.resolve())
            assert await release.current(bench.transport) == old
            assert (bench.live() / "a").read_text() == "1"

        self.play(tmp_path, case)

    def test_staging_again_sends_nothing(self, tmp_path: Path) -> None:
        """Idempotent: by the same process, by another one, and after the switch."""

        async def case(bench: Bench) -> None:
            bench.write("a", "1" * 9999)
            release = bench.release()
            ref = release.resolve()
            assert await release.stage(bench.transport, ref) > 0
            assert await release.stage(bench.transport, ref) == 0
            assert await bench.release().stage(bench.transport, ref) == 0
            await bench.activate(ref)
            assert await bench.release().stage(bench.transport, ref) == 0

        self.play(tmp_path, case)

    def test_the_way_back_restores_every_byte(self, tmp_path: Path) -> None:
        """Also when sizes and times are equal, as in builds that fix them."""

        async def case(bench: Bench) -> None:
            for name in ("a", "gone/later"):
                bench.write(name, "1")
                os.utime(bench.source / name, (1e9, 1e9))
            old = await bench.deploy()
            before = digest_of(str(bench.live()))
            bench.write("a", "2", 0o755)
            os.utime(bench.source / "a", (1e9, 1e9))
            (bench.source / "gone/later").unlink()
            bench.write("new", "2")
            kept = await bench.release().current(bench.transport)
            new = await bench.deploy()
            assert (bench.live() / "a").read_text() == "2"
            assert not (bench.live() / "gone/later").exists()
            assert kept is not None
            assert (kept.name, new.name) == (old.name, bench.release().resolve().name)
            await bench.activate(kept)
            assert digest_of(str(bench.live())) == before
            assert await bench.release().current(bench.transport) == old

        self.play(tmp_path, case)

    def test_the_way_back_from_the_first_leaves_none_live(self, tmp_path: Path) -> None:
        """Nor anything of it where a service would look; twice is fine, and so is deploying it
        again."""

        async def case(bench: Bench) -> None:
            bench.write("a/b", "1")
            ref = await bench.deploy()
            for _ in range(2):
                await bench.deactivate()
                assert await bench.release().current(bench.transport) is None
                assert not bench.live().is_symlink()
                assert not bench.live().exists()
            assert await bench.deploy() == ref
            assert await bench.release().current(bench.transport) == ref

        self.play(tmp_path, case)

    def test_excluded_names_do_not_travel(self, tmp_path: Path) -> None:
        """The digest is that of the rest, here and on the host."""

        async def case(bench: Bench) -> None:
            for name in ("a.map", "deep/b.map", ".git/x", "tmp/cache/y", "keep/z", "d/x/q"):
                bench.write(name, "x")
            ref = await bench.deploy()
            names = {path.name for path in bench.live().rglob("*")}
            assert names == {"deep", "tmp", "keep", "z", "d"}
            assert digest_of(str(bench.live())) == ref.digest

        self.play(tmp_path, case, exclude=["*.map", ".git/", "tmp/cache", "/d/x"])

    def test_unstage_removes_what_is_not_live_and_only_that(self, tmp_path: Path) -> None:
        """Twice is fine."""

        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            old = await bench.deploy()
            bench.write("a", "2")
            release = bench.release()
            new = release.resolve()
            await release.stage(bench.transport, new)
            for _ in range(2):
                await release.unstage(bench.transport, new)
                await release.unstage(bench.transport, old)
            assert not there(new)
            assert await release.current(bench.transport) == old
            await bench.activate(old)

        self.play(tmp_path, case)

    def test_going_live_with_what_is_not_there_changes_nothing(self, tmp_path: Path) -> None:
        """The first command that matters fails; the live one stays."""

        async def case(bench: Bench) -> None:
            bench.write("a", "1")
            old = await bench.deploy()
            bench.write("a", "2")
            new = bench.release().resolve()
            with pytest.raises(AssertionError):
                await bench.activate(new)
            assert await bench.release().current(bench.transport) == old

        self.play(tmp_path, case)

    def test_prune_keeps_the_newest_the_named_and_the_live(self, tmp_path: Path) -> None:
        """And returns what it removed."""

        async def case(bench: Bench) -> None:
            refs = []
            for number in range(6):
                bench.write("a", str(number))
                refs.append(await bench.deploy())
            await bench.activate(refs[1])
            removed = await bench.release().prune(bench.transport, (refs[0].name,))
            assert set(removed) == {refs[2].name, refs[3].name}
            assert {ref.name for ref in refs if there(ref)} == {refs[n].name for n in (0, 1, 4, 5)}
            assert await bench.release().prune(bench.transport, (refs[0].name,)) == ()

        self.play(tmp_path, case, keep=2)
