from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gapless.hostside.files import digest_of
from gapless.testing.fake_files import FakeFiles
from gapless.testing.fake_source import digest_source, read_source


def test_digests_are_those_of_real_hosts(tmp_path: Path) -> None:
    (tmp_path / "a b" / "c").mkdir(parents=True)
    (tmp_path / "a b" / "c" / "ünder.sh").write_text("x")
    (tmp_path / "a b" / "c" / "ünder.sh").chmod(0o755)
    (tmp_path / "a").write_text("before 'a b'")
    (tmp_path / "link").symlink_to("a b/c")
    assert digest_source(tmp_path, ()) == digest_of(str(tmp_path))
    (tmp_path / "skipped").mkdir()
    (tmp_path / "skipped" / "file").write_text("no")
    assert digest_source(tmp_path, ("skipped/",)) != digest_of(str(tmp_path))
    assert digest_source(tmp_path, ("skipped/",)) == digest_source(tmp_path, ("/skipped",))


def test_memory_and_disk_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir(mode=0o755)
    (tmp_path / "sub" / "file").write_bytes(b"x")
    (tmp_path / "sub" / "file").chmod(0o644)
    (tmp_path / "sub").chmod(0o755)
    assert read_source({"sub/file": b"x"}, ()) == read_source(tmp_path, ())


def test_links_are_followed_and_renamed_over() -> None:
    files = FakeFiles()
    files.write("/srv/releases/1/app", "one")
    files.write("/srv/releases/2/app", "two")
    files.link("releases/1", "/srv/current")
    assert files.read("/srv/current/app") == b"one"
    files.link("releases/2", "/srv/.new")
    files.rename("/srv/.new", "/srv/current")
    assert files.read("/srv/current/app") == b"two"
    assert not files.exists("/srv/.new")
    files.write("/srv/current/log", "written through the link")
    assert files.exists("/srv/releases/2/log")


def test_a_loop_of_links_and_what_is_missing_are_errors() -> None:
    files = FakeFiles()
    files.link("/b", "/a")
    files.link("/a", "/b")
    with pytest.raises(OSError, match="links"):
        files.read("/a")
    with pytest.raises(FileNotFoundError):
        files.read("/c")
    with pytest.raises(FileNotFoundError):
        files.rename("/c", "/d")


def test_a_link_does_not_take_the_place_of_a_folder() -> None:
    files = FakeFiles()
    files.mkdir("/srv/current")
    files.link("releases/1", "/srv/.new")
    with pytest.raises(OSError, match="directory") as caught:
        files.rename("/srv/.new", "/srv/current")
    assert caught.value.errno == errno.EISDIR


def test_a_full_disk_takes_nothing_and_gives_all() -> None:
    files = FakeFiles()
    files.write("/a", "1")
    files.full = True
    with pytest.raises(OSError, match="No space"):
        files.write("/b", "2")
    assert files.read("/a") == b"1"
    files.remove("/a")
    assert not files.exists("/a")


def test_trees_move_and_go_whole() -> None:
    files = FakeFiles()
    files.fill("/x", {"a": b"1", "sub/b": b"2"})
    files.rename("/x", "/y")
    assert files.children("/y") == ["a", "sub"]
    assert not files.exists("/x/a")
    files.copy("/y", "/z")
    files.remove("/y")
    assert files.read("/z/sub/b") == b"2"
    assert files.digest("/y") == ""
