"""Submodules: their files come along, and their addresses lead nowhere they should not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.drivers.releases.git_export import _address
from gapless.errors import Refused
from gapless.hostside.files import digest_of
from tests.unit.drivers.releases.site import Site, files
from tests.unit.drivers.releases.sources import commit, git, make, picture


def link(site: Site, path: str, target: str, url: str) -> None:
    """A submodule in the work tree's repository, as ``git submodule add`` would note it."""
    where = (f"--git-dir={site.repository}", f"--work-tree={site.tree}")
    modules = site.tree / ".gitmodules"
    told = modules.read_text() if modules.exists() else ""
    modules.write_text(f'{told}[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    git(*where, "add", "--all")
    git(*where, "update-index", "--add", "--cacheinfo", f"160000,{target},{path}")
    git(*where, "commit", "--quiet", "-m", f"with {path}")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.write("app", "1")
    made.commit()
    return made


def library(site: Site, name: str, content: str) -> tuple[Path, str]:
    tree = site.folder / f"{name}-tree"
    tree.mkdir(exist_ok=True)
    (tree / "lib").write_text(content)
    repository = site.folder / f"{name}.git"
    return repository, commit(tree, repository, content)


@pytest.mark.parametrize("fetch", ["controller", "host"])
def test_their_files_come_along_at_the_commit_that_is_noted(site: Site, fetch: str) -> None:
    inner, inner_commit = library(site, "inner", "inner")
    outer = Site.__new__(Site)
    outer.folder, outer.repository, outer.tree = site.folder, site.folder / "outer.git", site.folder
    outer.tree = site.folder / "outer-tree"
    outer.tree.mkdir()
    (outer.tree / "lib").write_text("outer")
    make(outer.repository)
    link(outer, "deep/inner", inner_commit, "../inner.git")
    outer_commit = git(f"--git-dir={outer.repository}", "rev-parse", "HEAD")
    library(site, "inner", "newer than what is noted")
    link(site, "vendor/outer", outer_commit, str(outer.repository))
    before = [picture(repository) for repository in (site.repository, outer.repository, inner)]
    ref = site.deploy(fetch=fetch)
    assert files(site.live()) == [
        ".gitmodules", "app", "vendor/outer/.gitmodules", "vendor/outer/deep/inner/lib",
        "vendor/outer/lib",
    ]  # fmt: skip
    assert (site.live() / "vendor/outer/deep/inner/lib").read_text() == "inner"
    assert digest_of(str(site.live())) == ref.digest
    assert [picture(r) for r in (site.repository, outer.repository, inner)] == before


def test_they_can_be_left_out(site: Site) -> None:
    repository, noted = library(site, "inner", "inner")
    link(site, "inner", noted, str(repository))
    site.deploy(submodules=False)
    assert files(site.live()) == [".gitmodules", "app"]


def test_one_without_an_address_is_refused_with_its_name(site: Site) -> None:
    repository, noted = library(site, "inner", "inner")
    link(site, "inner", noted, str(repository))
    (site.tree / ".gitmodules").write_text('[submodule "other"]\n\tpath = other\n\turl = ../x\n')
    where = (f"--git-dir={site.repository}", f"--work-tree={site.tree}")
    git(*where, "add", ".gitmodules")
    git(*where, "commit", "--quiet", "-m", "torn")
    with pytest.raises(Refused, match="the submodule inner has no address"):
        site.resolve()


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c id", "git://host/x", "-oProxyCommand=x", "ssh://-oProxyCommand=x/y",
        "https://user:word@host/x", "--upload-pack=touch x",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_before_git_sees_it(site: Site, url: str) -> None:
    _, noted = library(site, "inner", "inner")
    link(site, "inner", noted, url)
    with pytest.raises(Refused, match="the address of the submodule inner is refused"):
        site.resolve()


def test_a_repository_elsewhere_does_not_lead_to_files_of_this_machine() -> None:
    for url in ("/srv/git/secret.git", "file:///srv/git/secret.git", "secret.git"):
        with pytest.raises(Refused, match="may not be followed"):
            _address("https://git.shop.example/shop.git", url, "lib")


@pytest.mark.parametrize(
    ("above", "written", "wanted"),
    [
        ("https://git.shop.example/team/shop.git", "../lib.git", "https://git.shop.example/team/lib.git"),
        ("https://git.shop.example/team/shop.git", "../../lib", "https://git.shop.example/lib"),
        ("git@git.shop.example:team/shop.git", "../lib.git", "git@git.shop.example:team/lib.git"),
        ("git@git.shop.example:shop.git", "../lib.git", "git@git.shop.example:lib.git"),
        ("/srv/git/shop.git", "../lib.git", "/srv/git/lib.git"),
        ("/srv/git/shop.git", "./lib.git", "/srv/git/shop.git/lib.git"),
    ],
)  # fmt: skip
def test_addresses_that_are_seen_from_the_repository_s_own(
    above: str, written: str, wanted: str
) -> None:
    assert _address(above, written, "lib") == wanted
