"""resolve(): names, schema versions, refusals, and the rules of rsync for what is left out."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.releases.directory import DirectoryRelease
from gapless.errors import Refused, UsageError
from gapless.hostside import files
from gapless.hostside.files import digest_of
from tests.unit.drivers.releases.rig import config, workshop


def release(source: Path, to: str = "/srv/api", **settings: Any) -> DirectoryRelease:
    return DirectoryRelease(config(source, Path(to), **settings), "shop.api", workshop(source))


def test_the_name_is_the_short_digest_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    ref = release(tmp_path).resolve()
    assert ref.digest == digest_of(str(tmp_path))
    assert ref.name == ref.digest[:12]
    assert ref.path == f"/srv/api/releases/{ref.name}"


@pytest.mark.parametrize(
    ("version", "prefix"),
    [("v42\nmore", "v42-"), ("../../etc x", "etc-x-"), ("\n", ""), ("-rf", "rf-"), ("é" * 99, "")],
)
def test_a_version_file_gives_the_name_a_prefix(tmp_path: Path, version: str, prefix: str) -> None:
    (tmp_path / "VERSION").write_text(version)
    ref = release(tmp_path).resolve()
    assert ref.name == prefix + ref.digest[:12]


def test_resolving_is_cached_for_the_process(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    one = release(tmp_path)
    ref = one.resolve()
    (tmp_path / "a").write_text("2")
    assert one.resolve() == ref != release(tmp_path).resolve()


def test_the_schema_version_comes_from_a_file_of_the_release(tmp_path: Path) -> None:
    (tmp_path / "schema").write_text(" 17\n")
    ref = release(tmp_path, schema={"file": "schema", "reads": [15, 17]}).resolve()
    assert (ref.schema, ref.reads) == (17, (15, 17))


@pytest.mark.parametrize("content", [None, "seventeen"])
def test_a_schema_file_that_does_not_tell_is_refused(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "a").write_text("1")
    if content is not None:
        (tmp_path / "schema").write_text(content)
    with pytest.raises(Refused, match="schema version") as caught:
        release(tmp_path, schema={"file": "schema"}).resolve()
    assert caught.value.next


def test_nothing_there_and_nothing_in_it_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, exclude in (("missing", []), ("empty", []), ("file", []), (".", ["*"])):
        with pytest.raises(Refused) as caught:
            release(tmp_path / name, exclude=exclude).resolve()
        assert caught.value.next


def test_set_id_bits_that_an_owner_would_take_away_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "a").chmod(0o4755)
    assert release(tmp_path).resolve()
    with pytest.raises(Refused, match="set-ID"):
        release(tmp_path, owner="shop").resolve()


@pytest.mark.parametrize("to", ["/", "srv/api", "/srv/../etc", "."])
def test_a_dangerous_place_is_refused(tmp_path: Path, to: str) -> None:
    with pytest.raises(UsageError):
        release(tmp_path, to, in_place=True)


NAMES = (
    "a.log", "d/a.log", "d/e/f", "e/f", "tmp/x", "d/tmp", "x/y/z", "[q]/r", "st*r", "star", "n1",
    "n2", "d/n1", "back\\slash",
)  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    ["*.log", "/a.log", "tmp/", "tmp", "e/f", "/e", "d/*", "d/**", "x/**/z", "x/*/z",
     "x/*z", "x**z", "n[12]", "n[!1]", "n[^1]", "?1", "st[*]r", "st*r", "d/e/", "/x/y",
     "back\\slash", "**/f", "nothing"],
)  # fmt: skip
def test_excludes_mean_what_they_mean_to_rsync(tmp_path: Path, pattern: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for name in NAMES:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    subprocess.run(["rsync", "-a", f"--exclude={pattern}", f"{source}/", f"{target}/"], check=True)
    assert os.listdir(target)
    assert release(source, exclude=[pattern]).resolve().digest == digest_of(str(target))


@pytest.mark.parametrize("pattern", ["+ a", "- b", "!", "/d/***", "st\\*r"])
def test_patterns_that_rsync_reads_in_another_way_are_refused(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a").write_text("1")
    with pytest.raises(UsageError, match="exclude: "):
        release(tmp_path, exclude=[pattern]).resolve()


def test_the_lines_of_a_tree_are_what_a_host_digests(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("content")
    total = hashlib.sha256()
    for name in ("a", "a/b"):
        total.update(files.tree_line(name, str(tmp_path / name)))
    assert total.hexdigest() == files.digest_of(str(tmp_path))
