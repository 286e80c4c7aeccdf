"""Releases out of git: which commit, what of it, and a repository that nobody touches."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gapless.drivers.releases.removing import remove
from gapless.errors import Refused, ReleaseGone, StalePlan, UsageError
from gapless.hostside.files import digest_of
from tests.unit.drivers.releases.site import Site
from tests.unit.drivers.releases.sources import git, picture


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.write("bin/run", "#!/bin/sh\n", 0o755)
    made.write("app", "1")
    return made


def tag(site: Site, name: str, *more: str) -> None:
    git(f"--git-dir={site.repository}", "tag", *more, name)


class TestRefs:
    def test_a_branch_a_tag_a_commit_and_its_beginning_are_one_commit(self, site: Site) -> None:
        commit = site.commit("First words")
        tag(site, "v1", "-m", "annotated")
        tag(site, "light")
        for ref in (None, "main", "refs/heads/main", "v1", "light", commit, commit[:9]):
            found = site.resolve(ref=ref)
            assert found.commit == commit, ref
            assert found.name.startswith(f"{commit[:12]}-")

    def test_a_branch_is_not_older_than_the_question(self, site: Site) -> None:
        first = site.commit()
        assert site.resolve(ref="main").commit == first
        site.write("app", "2")
        second = site.commit()
        assert site.resolve(ref="main").commit == second != first

    def test_what_does_not_exist_is_a_usage_error_with_the_nearest_names(self, site: Site) -> None:
        site.commit()
        tag(site, "v2.4.1")
        with pytest.raises(UsageError, match="no branch, tag or commit 'mian'") as caught:
            site.resolve(ref="mian")
        assert "did you mean main?" in caught.value.evidence
        assert caught.value.next == f"git ls-remote {site.repository}"
        assert caught.value.where == f"shop.api, release from {site.repository}"
        with pytest.raises(UsageError) as caught:
            site.resolve(ref="v2.4")
        assert "v2.4.1" in caught.value.evidence

    @pytest.mark.parametrize("ref", ["deadbeef", "deadbeef" * 5])
    def test_a_commit_that_is_not_there(self, site: Site, ref: str) -> None:
        site.commit()
        with pytest.raises(UsageError, match=ref[:8]):
            site.resolve(ref=ref)

    def test_a_name_that_is_a_tag_and_a_branch_is_not_guessed(self, site: Site) -> None:
        site.commit()
        tag(site, "both")
        site.write("app", "2")
        git(f"--git-dir={site.repository}", "branch", "both", site.commit())
        with pytest.raises(UsageError, match="a tag and a branch") as caught:
            site.resolve(ref="both")
        assert "refs/heads/both" in caught.value.next
        assert (
            site.resolve(ref="refs/heads/both").commit != site.resolve(ref="refs/tags/both").commit
        )

    def test_an_empty_repository_and_none_at_all(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="empty"):
            site.resolve()
        with pytest.raises(Refused, match="cannot be read") as caught:
            site.resolve(git=str(tmp_path / "nowhere.git"))
        assert "nowhere.git" in caught.value.evidence
        assert caught.value.where == f"shop.api, release from {tmp_path / 'nowhere.git'}"

    def test_the_plan_is_told_the_subject_and_nothing_a_terminal_obeys(self, site: Site) -> None:
        commit = site.commit("Words\x1b[31m that are\tfine")
        (note,) = site.resolve(ref="main").notes
        assert note == f"commit {commit[:12]} (main): Words[31m that arefine"


class TestVersions:
    def test_a_version_comes_back_though_its_branch_moved_and_forgot_it(self, site: Site) -> None:
        site.commit()
        first = site.deploy()
        site.write("app", "2")
        site.commit()
        git(f"--git-dir={site.repository}", "update-ref", "refs/heads/main", _orphan(site))
        git(f"--git-dir={site.repository}", "gc", "--prune=now", "--quiet")
        assert site.resolve().commit != first.commit
        (mirror,) = site.store("git").glob("*.git")
        git(f"--git-dir={mirror}", "gc", "--prune=now", "--quiet")
        again = site.resolve(first.name)
        assert again == first
        for kept in site.store("releases").rglob(f"*{first.name}*"):
            remove(kept)
        assert site.resolve(first.name) == first, "from the controller's own copy of the history"
        assert site.deploy(host="web2", name=first.name).digest == first.digest
        assert (site.live("web2") / "app").read_text() == "1"

    def test_a_version_nobody_has_is_gone_with_the_next_command(self, site: Site) -> None:
        site.commit()
        with pytest.raises(ReleaseGone, match="deadbeefdead-12345678") as caught:
            site.resolve("deadbeefdead-12345678")
        assert caught.value.next == "gapless plan deploy shop.api"

    def test_a_version_that_other_settings_made_is_gone(self, site: Site) -> None:
        site.commit()
        first = site.resolve()
        for kept in site.store("releases").rglob(f"*{first.name}*"):
            remove(kept)
        with pytest.raises(ReleaseGone) as caught:
            site.resolve(first.name, exclude=["app"])
        assert "with today's settings gives" in caught.value.evidence

    def test_a_release_that_was_planned_otherwise_is_stale(self, site: Site) -> None:
        site.commit()
        release = site.release()
        planned = replace(release.resolve(), digest="0" * 64)

        async def stage() -> None:
            host = site.host("web1")
            await host.connect()
            try:
                await release.stage(host, planned)
            finally:
                await host.close()

        with pytest.raises(StalePlan):
            asyncio.run(stage())

    def test_a_damaged_copy_is_made_anew(self, site: Site) -> None:
        site.commit()
        first = site.resolve()
        kept = site.shelf("releases") / first.name / "app"
        kept.write_text("damaged")
        assert site.deploy() == first
        assert (site.live() / "app").read_text() == "1"

    def test_commit_and_artifact_are_told_where_there_are_any(self, site: Site) -> None:
        commit = site.commit()
        ref = site.deploy()
        (note,) = (site.to("web1") / "releases").glob(".*.json")
        told = json.loads(note.read_text())
        assert told["commit"] == commit
        assert "artifact" not in told
        assert type(ref).from_json(ref.to_json()) == ref


class TestFiles:
    def test_every_way_to_a_host_gives_the_same_files(self, site: Site) -> None:
        site.write(".gitattributes", "subst export-subst\nhidden export-ignore\n*.bat eol=crlf\n")
        site.write("subst", "$Format:%H %D %h$ $Id$\n")
        site.write("hidden", "not exported")
        site.write("x.bat", "a\nb\n")
        (site.tree / "link").symlink_to("bin/run")
        (site.tree / "dangling").symlink_to("/no/such")
        site.commit(at=1_600_000_000)
        sent, fetched = site.deploy("web1"), site.deploy("web2", fetch="host")
        assert sent.digest == fetched.digest
        for host, ref in (("web1", sent), ("web2", fetched)):
            live = site.live(host)
            assert digest_of(str(live)) == ref.digest
            assert (live / "subst").read_text() == "$Format:%H %D %h$ $Id$\n"
            assert (live / "x.bat").read_bytes() == b"a\r\nb\r\n"
            assert not (live / "hidden").exists()
            assert os.readlink(live / "dangling") == "/no/such"
            assert (live / "bin/run").stat().st_mode & 0o7777 == 0o755
            for name in ("app", "bin/run", "bin"):
                assert (live / name).stat().st_mtime == 1_600_000_000, name

    @pytest.mark.parametrize("fetch", ["controller", "host"])
    def test_what_is_excluded_is_nowhere(self, site: Site, fetch: str) -> None:
        for name in ("tests/a", "deep/x.map", "deep/keep"):
            site.write(name, "x")
        site.commit()
        ref = site.deploy(fetch=fetch, exclude=["/tests", "*.map"])
        assert {path.name for path in site.live().rglob("*") if path.is_file()} == {
            "app", "run", "keep",
        }  # fmt: skip
        assert digest_of(str(site.live())) == ref.digest

    def test_the_repository_is_the_same_byte_for_byte(self, site: Site) -> None:
        site.write("package-lock.json", "{}")
        site.commit()
        tag(site, "v1", "-m", "annotated")
        before = picture(site.repository)
        build = {"run": "mkdir node_modules", "key": "package-lock.json", "keep": "node_modules"}
        first = site.deploy("web1", build=build)
        site.deploy("web2", fetch="host")
        site.resolve(first.name, build=build)
        site.resolve(ref="v1")
        assert picture(site.repository) == before

    def test_a_user_s_settings_of_git_do_not_change_the_files(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.commit()
        plain = site.resolve()
        (site.folder / ".gitconfig").write_text(
            "[tar]\n\tumask = 0077\n[core]\n\tautocrlf = true\n\tattributesFile = ~/attributes\n"
        )
        (site.folder / "attributes").write_text("* export-ignore\n")
        monkeypatch.setenv("HOME", str(site.folder))
        monkeypatch.setenv("GIT_DIR", "/nowhere")
        for kept in site.store("releases").rglob(f"*{plain.name}*"):
            remove(kept)
        assert site.resolve() == plain


class TestSafety:
    def test_nothing_that_a_repository_brings_is_run(self, site: Site) -> None:
        site.write(".gitattributes", "app filter=evil diff=evil\n")
        site.commit()
        hook = site.repository / "hooks" / "post-upload-pack"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {site.folder}/ran\n")
        hook.chmod(0o755)
        site.deploy(fetch="host")
        assert not (site.folder / "ran").exists()

    def test_all_that_is_kept_is_private(self, site: Site) -> None:
        site.commit()
        site.deploy()
        folders = [*map(site.store, ("", "git", "releases")), site.shelf("releases")]
        assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


def _orphan(site: Site) -> str:
    where = f"--git-dir={site.repository}"
    tree = git(where, "rev-parse", "HEAD^{tree}")
    return git(where, "commit-tree", tree, "-m", "all anew")
