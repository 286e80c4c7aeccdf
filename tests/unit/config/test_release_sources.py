# ruff: noqa: E501 - one line a case
"""Where releases come from: one source, addresses that are none are refused, builds that fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.git_url import parse_git_url, parse_ref, protocol_of
from gapless.config.local_files import missing_files
from gapless.config.source import load_config
from tests.unit.config.shop import problems, service


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("/srv/git/shop.git", "file"), (".", "file"), ("../shop", "file"), ("file:///srv/git/x", "file"),
        ("git@git.shop.example:shop/api.git", "ssh"), ("git.shop.example:/srv/git/shop.git", "ssh"),
        ("ssh://git@git.shop.example:2222/shop.git", "ssh"), ("ssh://git@[::1]:22/x", "ssh"),
        ("https://git.shop.example/shop.git", "https"), ("http://git.shop.example/x", "http"),
    ],
)  # fmt: skip
def test_addresses(url: str, protocol: str) -> None:
    assert parse_git_url(url) == url
    assert protocol_of(url) == protocol


@pytest.mark.parametrize(
    "url",
    [
        "", "-u", "--upload-pack=touch x", "ext::sh -c id", "fd::7", "EXT::sh", "git://git.shop.example/x",
        "ftp://x/y", "ssh://-oProxyCommand=id/x", "ssh://git@-oProxyCommand=id/x", "a\nb", "a\0b", 7,
        "https://user:word@git.shop.example/x", "https://token@git.shop.example/x", None,
    ],
)  # fmt: skip
def test_what_is_no_address(url: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_git_url(url)


@pytest.mark.parametrize(
    "ref", ["main", "v2.4.1", "refs/heads/feature/x", "3f2a9c81d0aa", "a-b_c", "HEAD"]
)
def test_refs(ref: str) -> None:
    assert parse_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "-x",
        "--upload-pack=x",
        "a b",
        "a..b",
        "a~1",
        "a^",
        "a:b",
        "a*",
        "@{1}",
        "a@{1}",
        "a/",
        "a.",
        "a\n",
        7,
        1e3,
    ],
)
def test_what_is_no_ref(ref: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_ref(ref)


@pytest.mark.parametrize(
    ("release", "told"),
    [
        (
            "git: /x, directory: y",
            "8:5: release: give exactly one source of the release: directory, git, archive",
        ),
        ("directory: y, ref: main", "8:5: release: ref belongs to git"),
        ("archive: y.tar, fetch: host", "8:5: release: fetch belongs to git"),
        ("git: /x, sha256: " + "0" * 64, "8:5: release: sha256 belongs to archive"),
        (
            "archive: https://shop.example/x.tar",
            "8:5: release: an archive from an address needs its sha256",
        ),
        (
            "archive: http://shop.example/x.tar",
            "8:5: release: an archive comes from a file or an https address",
        ),
        ("git: /x, fetch: hosts", "8:31: fetch: 'hosts' is not possible — did you mean 'host'?"),
        ("git: /x, ref: 1234567", "8:29: ref: 1234567 reads as a number here; put it in quotes"),
        (
            "git: /x, ref: --all",
            "8:29: ref: '--all' cannot be the name of a branch, a tag or a commit",
        ),
        (
            "git: 'ext::id'",
            "8:20: git: 'ext::id' would run a program; write a path or file://, ssh://, https://, http://",
        ),
    ],
)
def test_one_source_and_what_belongs_to_it(tmp_path: Path, release: str, told: str) -> None:
    assert problems(tmp_path, service(release=f"{{{release}, to: /srv/x}}")) == [told]


@pytest.mark.parametrize(
    ("build", "told"),
    [
        ("run: x, key: [], keep: d", "key: name at least one"),
        ("run: x, key: a", "missing key 'keep' in 'build'"),
        ("run: '', key: a, keep: d", "run: the command is empty"),
        ("run: x, key: a, keep: ../d", "keep: '../d' is not a name inside the release"),
        ("run: x, key: /a, keep: d", "key: '/a' is not a name inside the release"),
        ("run: x, key: a, keep: .", "keep: '.' is not a name inside the release"),
        ("run: x, key: a, keep: d, secrets: {T: word}", "a secret is a reference"),
        ("run: x, key: a, keep: d, timeout: 0", "0 leaves no time at all"),
        ("run: x, key: a, keep: d, on: wbe1", "unknown host 'wbe1' — did you mean 'web1'?"),
        ("run: x, key: a, keep: d, env: {'': x}", "cannot be the name of a variable"),
    ],
)
def test_builds_that_do_not_fit(tmp_path: Path, build: str, told: str) -> None:
    found = problems(tmp_path, service(release=f"{{git: /x, to: /srv/x, build: {{{build}}}}}"))
    assert len(found) == 1
    assert told in found[0]


def test_in_place_does_not_bring_what_is_excluded(tmp_path: Path) -> None:
    build = "build: {run: x, key: a, keep: node_modules}"
    settings = f"{{git: /x, to: /srv/x, in_place: true, exclude: [node_modules/], {build}}}"
    (told,) = problems(tmp_path, service(release=settings))
    assert "keep: 'node_modules' is excluded" in told


def test_local_sources_are_seen_from_the_file_and_missed_by_check(tmp_path: Path) -> None:
    file = tmp_path / "gapless.yaml"
    file.write_text(
        "project: shop\nhosts: {web1: {}}\nservices:\n"
        "  a: {on: web1, systemd: a, release: {git: repo, to: /srv/a}}\n"
        "  b: {on: web1, systemd: b, release: {archive: b.tar, to: /srv/b}}\n"
        "  c: {on: web1, systemd: c, release: {git: 'git@h:c.git', to: /srv/c}}\n"
    )
    loaded = load_config(file)
    releases = {name: one.release for name, one in loaded.project.services.items()}
    assert releases["a"] and releases["a"].git == str(tmp_path / "repo")
    assert releases["b"] and releases["b"].archive == str(tmp_path / "b.tar")
    assert releases["c"] and releases["c"].git == "git@h:c.git"
    assert [problem.text for problem in missing_files(loaded)] == [
        f"git: '{tmp_path}/repo' does not exist",
        f"archive: '{tmp_path}/b.tar' is not a file on this machine",
    ]
