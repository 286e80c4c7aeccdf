"""Releases from git with a build, by the real command: what is planned, refused, taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.simulation.faults.git_local import GitLocal
from tests.unit.drivers.releases.sources import picture

pytestmark = pytest.mark.real


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitLocal:
    monkeypatch.setenv("GAPLESS_STATE", f"{tmp_path}/state")
    return GitLocal(tmp_path)


def test_ref_that_does_not_exist(here: GitLocal) -> None:
    here.commit("1")
    here.edit("ref: main", "ref: mian")
    told = here.gapless("deploy", "--yes", code=2)
    assert "there is no branch, tag or commit 'mian'" in told
    assert "did you mean main?" in told
    assert f"where api, release from {here.repository}" in " ".join(told.split())
    assert here.untouched()
    told = " ".join(here.gapless("doctor", code=3).split())
    assert "there is no branch, tag or commit 'mian'; did you mean main?" in told


def test_build_that_fails(here: GitLocal) -> None:
    (here.tree / "build.sh").write_text("echo no compiler here; exit 9\n")
    here.commit("1")
    told = here.gapless("deploy", "--yes", code=3)
    assert "GL-207" in told
    assert "the build ended with status 9" in told
    assert "no compiler here" in told
    assert "Nothing was changed." in told
    assert here.untouched()


def test_what_was_planned_is_deployed_though_the_branch_moved(here: GitLocal) -> None:
    commit = here.commit("1")
    before = picture(here.repository)
    plan = here.gapless("plan", "deploy", "-o", "plan.json", code=0)
    assert f"commit {commit[:12]} (main): app 1" in plan
    assert "was built in" in plan
    moved = here.commit("2")
    assert moved != commit
    after = picture(here.repository)
    here.gapless("deploy", "plan.json", "--yes", code=0)
    assert here.live() == {"app": "1", "deps/lock": "lock 1"}
    assert here.note()["commit"] == commit
    rollout = json.loads(here.gapless("history", "--json", code=0))[0]["id"]
    events = here.gapless("events", rollout, "--json", code=0)
    assert commit in (here.folder / "plan.json").read_text()
    assert here.note()["artifact"] in (here.folder / "plan.json").read_text()
    assert here.note()["name"] in events
    assert picture(here.repository) == after != before, "only others changed it"


def test_rollback_has_the_artifact_and_builds_nothing(here: GitLocal) -> None:
    here.commit("1")
    here.gapless("deploy", "--yes", code=0)
    (here.tree / "lock").write_text("lock 2")
    here.commit("2")
    here.gapless("deploy", "--yes", code=0)
    assert here.live() == {"app": "2", "deps/lock": "lock 2"}
    here.gapless("rollback", "--yes", "--reason", "x", code=0)
    assert here.live() == {"app": "1", "deps/lock": "lock 1"}
    assert here.builds() == 2


def test_git_server_gone_in_mid_rollout(here: GitLocal) -> None:
    here.commit("1")
    here.edit("fetch: controller", "fetch: host")
    here.gapless("plan", "deploy", "-o", "plan.json", code=0)
    here.repository.rename(here.folder / "gone.git")
    told = here.gapless("deploy", "plan.json", "--yes", code=4)
    assert "git ended with status 128 on the host" in told
    assert "release.fetch: controller" in " ".join(told.split())
    assert here.live() == {"app": "0"}
    assert not list((here.folder / "srv" / "releases").glob("*.incoming"))


def test_git_server_gone_and_the_controller_has_it(here: GitLocal) -> None:
    here.commit("1")
    here.gapless("plan", "deploy", "-o", "plan.json", code=0)
    here.repository.rename(here.folder / "gone.git")
    here.gapless("deploy", "plan.json", "--yes", code=0)
    assert here.live() == {"app": "1", "deps/lock": "lock 1"}
    assert "cannot be read" in here.gapless("plan", "deploy", code=3)


def test_build_alone_is_what_the_deploy_uses(here: GitLocal) -> None:
    commit = here.commit("1")
    told = here.gapless("build", code=0)
    assert "built in" in told
    (row,) = json.loads(here.gapless("build", "api", "--json", code=0))
    assert (row["service"], row["commit"], row["built"]) == ("api", commit, False)
    assert row["size"] == len("lock 1")
    assert here.untouched()
    here.gapless("deploy", "--yes", code=0)
    assert here.builds() == 1
    assert here.note()["artifact"] == row["digest"]
    here.edit("project: loud", "project: louder")  # as an environment may be called
    (again,) = json.loads(here.gapless("build", "--json", code=0))
    assert (again["digest"], again["built"], here.builds()) == (row["digest"], False, 1)
    here.edit("      build: {run: sh build.sh, key: lock, keep: deps}\n", "")
    assert "release.build" in here.gapless("build", "api", code=2)
    assert "no service has release.build" in here.gapless("build", code=2)
