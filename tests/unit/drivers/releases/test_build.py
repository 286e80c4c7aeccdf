"""Builds: once for each key, in a clean place, and what is left is what every host gets."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.releases.aside import cancellable
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.releases.directory import DirectoryRelease
from gapless.drivers.releases.telling import told
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import BuildFailed, StepError, UsageError
from gapless.hostside.files import digest_of
from gapless.model import Command, Completed
from tests.unit.drivers.releases.rig import config
from tests.unit.drivers.releases.site import Site

SCRIPT = """\
mkdir -p node_modules/.bin && cp package-lock.json node_modules/lock
ln -s ../lock node_modules/.bin/tool
env | sort > node_modules/environment
pwd > node_modules/place
echo built >> {log}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.write("app", "1")
    made.write("package-lock.json", '{"v": 1}')
    made.write("build.sh", SCRIPT.format(log=tmp_path / "log"))
    made.commit()
    made.settings = {"build": build()}
    return made


def build(**changes: Any) -> dict[str, Any]:
    given = {"run": "sh build.sh", "key": ["package-lock.json"], "keep": ["node_modules"]}
    return {**given, **changes}


def builds(site: Site) -> int:
    """How often it really ran."""
    log = site.folder / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def keys_of(site: Site) -> set[str]:
    return {path.name for path in site.shelf("artifacts").glob(".*.json")}


class TestOnce:
    def test_the_same_locks_are_built_once_and_used_by_the_next_commit(self, site: Site) -> None:
        first = site.deploy()
        site.write("app", "2")
        site.commit()
        second = site.deploy()
        assert builds(site) == 1
        assert first.artifact == second.artifact != ""
        assert first.name != second.name
        assert "was built in" in first.notes[1]
        assert "is used again: same key" in second.notes[1]
        assert (site.live() / "node_modules/.bin/tool").read_text() == '{"v": 1}'
        assert (site.live() / "app").read_text() == "2"

    def test_other_locks_are_another_build_and_both_are_had(self, site: Site) -> None:
        first = site.deploy()
        site.write("package-lock.json", '{"v": 2}')
        site.commit()
        second = site.deploy()
        assert builds(site) == 2
        assert first.artifact != second.artifact
        assert site.deploy(name=first.name) == first
        assert (site.live() / "node_modules/lock").read_text() == '{"v": 1}'
        assert builds(site) == 2

    @pytest.mark.parametrize(
        "change",
        [
            {"run": "sh ./build.sh"}, {"env": {"MODE": "x"}}, {"platform": "node22"},
            {"secrets": {"TOKEN": "command:echo x"}}, {"keep": ["node_modules", "app"]},
        ],
    )  # fmt: skip
    def test_command_environment_and_platform_are_part_of_the_key(
        self, site: Site, change: dict[str, Any]
    ) -> None:
        site.resolve()
        site.resolve(build=build(**change))
        assert len(keys_of(site)) == 2
        assert builds(site) == 2

    def test_two_at_the_same_time_are_one(self, site: Site) -> None:
        script = (site.tree / "build.sh").read_text()
        site.write("build.sh", f"sleep 0.7\n{script}")
        site.commit()
        found: list[ReleaseRef] = []
        words: list[str] = []

        def resolve() -> None:
            with told(words.append):
                found.append(site.resolve())

        threads = [threading.Thread(target=resolve) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert builds(site) == 1
        assert len({ref.artifact for ref in found}) == 1 == len({ref.digest for ref in found})
        assert any("is being built already" in text for text in words)

    def test_what_was_damaged_is_built_anew(self, site: Site) -> None:
        site.resolve()
        (kept,) = site.shelf("artifacts").glob("[0-9a-f]*")
        (kept / "node_modules/lock").write_text("damaged")
        site.write("app", "2")
        site.commit()
        site.deploy()
        assert builds(site) == 2
        assert (site.live() / "node_modules/lock").read_text() == '{"v": 1}'


class TestPlace:
    def test_nothing_of_our_environment_is_there(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NPM_TOKEN", "inherited")
        site.resolve(build=build(env={"MODE": "production"}))
        (kept,) = site.shelf("artifacts").glob("[0-9a-f]*")
        lines = (kept / "node_modules/environment").read_text().splitlines()
        told_ = dict(line.split("=", 1) for line in lines)
        assert told_["MODE"] == "production"
        assert told_["SOURCE_DATE_EPOCH"] == "1700000000"
        assert "NPM_TOKEN" not in told_
        place = Path((kept / "node_modules/place").read_text().strip()).parent
        assert Path(told_["HOME"]).parent == Path(told_["TMPDIR"]).parent == place
        assert not place.exists(), "it is clean, and it is gone"

    def test_it_works_on_a_copy(self, site: Site) -> None:
        site.write("build.sh", "echo changed > app; mkdir node_modules; mkdir other\n")
        site.commit()
        ref = site.deploy()
        assert (site.live() / "app").read_text() == "1"
        assert not (site.live() / "other").exists()
        assert (site.live() / "node_modules").is_dir()
        assert digest_of(str(site.live())) == ref.digest

    def test_a_secret_is_there_and_nowhere_else(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GL_TOKEN", "sesame-open")
        site.write("build.sh", 'test "$TOKEN" = sesame-open && echo "$TOKEN" && exit 7\n')
        site.commit()
        with pytest.raises(BuildFailed, match="ended with status 7") as caught:
            site.resolve(build=build(secrets={"TOKEN": "env:GL_TOKEN"}))
        assert "***" in caught.value.evidence
        assert "sesame" not in caught.value.evidence
        for path in site.store("").rglob("*"):
            assert not path.is_file() or b"sesame" not in path.read_bytes(), path

    def test_a_secret_that_a_build_writes_down_is_not_brought_anywhere(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GL_TOKEN", "sesame-open")
        filler = "head -c 1048570 /dev/zero > node_modules/.rc"  # a piece ends inside it
        script = f'mkdir node_modules; {filler}; printf "token=$TOKEN" >> node_modules/.rc'
        site.write("build.sh", script)
        site.commit()
        with pytest.raises(BuildFailed, match="holds the value of the secret TOKEN") as caught:
            site.resolve(build=build(secrets={"TOKEN": "env:GL_TOKEN"}))
        assert "sesame" not in str(caught.value) + caught.value.evidence
        assert keys_of(site) == set()

    def test_what_is_kept_is_private(self, site: Site) -> None:
        site.resolve()
        for folder in (site.store("artifacts"), site.shelf("artifacts")):
            assert folder.stat().st_mode & 0o777 == 0o700


class TestFailures:
    @pytest.mark.parametrize(
        ("script", "what", "evidence"),
        [
            ("echo line 1; echo line 2 >&2; exit 3", "ended with status 3", "line 1\nline 2"),
            ("true", "left no node_modules", "build.keep"),
            ("mkdir node_modules; ln -s $PWD/app node_modules/x", "x is a link to", "relative"),
            ("ln -s app node_modules", "node_modules is a link", "files and folders"),
            ("mkfifo node_modules", "neither file, folder nor link", "remove"),
        ],
    )
    def test_one_that_fails_is_told_and_nothing_is_kept_of_it(
        self, site: Site, script: str, what: str, evidence: str
    ) -> None:
        site.write("build.sh", script)
        site.commit()
        with pytest.raises(BuildFailed, match=what) as caught:
            site.resolve()
        assert evidence in caught.value.evidence
        assert caught.value.next == "gapless build shop.api"
        assert keys_of(site) == set()
        for kind in ("artifacts", "releases"):
            left = {path.name for path in site.shelf(kind).iterdir()}
            assert not [name for name in left if not name.endswith(".lock")]

    def test_one_that_does_not_end_is_ended_with_all_it_started(self, site: Site) -> None:
        marker = f"300.{time.time_ns()}"
        site.write("build.sh", f"setsid sleep {marker} & sleep {marker} & sleep {marker}")
        site.commit()
        with pytest.raises(BuildFailed, match=r"did not end within 0\.5 s"):
            site.resolve(build=build(timeout="500ms"))
        assert running(marker) == 0

    def test_who_gives_up_waiting_ends_it(self, site: Site) -> None:
        marker = f"300.{time.time_ns()}"
        site.write("build.sh", f"sleep {marker}")
        site.commit()

        async def give_up() -> None:
            asking = asyncio.create_task(cancellable(site.resolve))
            until = time.monotonic() + 20
            while not running(marker):
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

        asyncio.run(give_up())
        assert running(marker) == 0

    def test_a_lock_file_that_is_not_there_is_named(self, site: Site) -> None:
        with pytest.raises(UsageError) as caught:
            site.resolve(build=build(key=["package-lock.json", "*.lock"]))
        error = caught.value
        assert error.what == "release.build.key: nothing in the release matches *.lock"
        assert error.where == "shop.api"
        looked, held = error.evidence.splitlines()
        assert looked == "looked for package-lock.json, *.lock"
        assert held.startswith("the release holds ") and "package-lock.json" in held
        assert error.next == "correct release.build.key, then gapless build shop.api"


class TestHosts:
    @pytest.mark.parametrize("fetch", ["controller", "host"])
    def test_every_host_gets_the_same_and_is_compared(self, site: Site, fetch: str) -> None:
        refs = [site.deploy(host, fetch=fetch) for host in ("web1", "web2")]
        assert builds(site) == 1
        for host, ref in zip(("web1", "web2"), refs, strict=True):
            assert digest_of(str(site.live(host))) == ref.digest
            (note,) = (site.to(host) / "releases").glob(".*.json")
            assert json.loads(note.read_text())["artifact"] == ref.artifact
            kept = site.shelf("artifacts") / ref.artifact
            assert digest_of(str(site.live(host) / "node_modules")) == digest_of(
                str(kept / "node_modules")
            )

    @pytest.mark.parametrize("fetch", ["controller", "host"])
    def test_an_artifact_that_arrives_as_something_else_is_no_release(
        self, site: Site, fetch: str
    ) -> None:
        class Flipping(LocalTransport):
            async def push(self, source: Path, target: str, **more: Any) -> int:
                sent = await super().push(source, target, **more)
                for file in Path(target).rglob("lock"):
                    file.unlink()
                    file.write_text("flipped")
                return sent

        state = str(site.folder / "state")
        host = Flipping("web1", HostConfig(transport="local", state_dir=state))
        with pytest.raises(StepError, match="digest mismatch"):
            site.on(host, fetch=fetch)
        assert not site.live().exists()

    def test_a_host_can_build(self, site: Site) -> None:
        ref = site.deploy(build=build(on="builder"))
        assert builds(site) == 1
        place = (site.live() / "node_modules/place").read_text()
        assert "gapless-build." in place
        assert not Path(place.strip()).parent.exists()
        assert digest_of(str(site.live())) == ref.digest
        assert (site.live() / "node_modules/.bin/tool").read_text() == '{"v": 1}'

    def test_what_comes_back_from_a_host_is_compared(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Lying(LocalTransport):
            async def run(self, command: Command) -> Completed:
                if command.argv[0] == "tar":
                    (file,) = Path(command.argv[4]).rglob("node_modules/lock")
                    file.write_text("flipped")
                return await super().run(command)

        def lying(name: str) -> LocalTransport:
            state = str(site.folder / "state")
            return Lying(name, HostConfig(transport="local", state_dir=state))

        monkeypatch.setattr(site, "host", lying)
        with pytest.raises(BuildFailed, match="came back as something else"):
            site.resolve(build=build(on="builder"))


def test_a_directory_is_built_from_a_copy(tmp_path: Path, site: Site) -> None:
    (site.tree / "node_modules").mkdir()
    (site.tree / "node_modules" / "stale").write_text("local")
    settings = config(site.tree, tmp_path / "to", exclude=["node_modules"], build=build())
    release = DirectoryRelease(settings, "shop.api", site.workshop())
    ref = release.resolve()
    kept = site.shelf("releases") / ref.name
    assert digest_of(str(kept)) == ref.digest
    assert (kept / "node_modules" / "lock").exists()
    assert not (kept / "node_modules" / "stale").exists()
    assert (site.tree / "node_modules" / "stale").exists(), "the source is left alone"
    (site.tree / "app").write_text("2")
    assert release.resolve(ref.name) == ref, "what was brought once is kept"


def running(marker: str) -> int:
    """Processes with this word among their arguments."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found += marker.encode() in (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
    return found
