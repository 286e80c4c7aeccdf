"""Archives that somebody hostile made: refused with the name, and nothing is left outside."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.drivers.releases.removing import remove
from gapless.drivers.releases.unpack import Rules
from gapless.drivers.releases.unpack_formats import unpack_tar, unpack_zip
from gapless.errors import Refused

Change = Callable[[tarfile.TarInfo], None]


def entry(name: str, content: bytes = b"", **settings: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    for key, value in settings.items():
        setattr(info, key, value)
    return info, content


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    file.seek(0)
    return file


def unpack(folder: Path, *entries: tuple[tarfile.TarInfo, bytes], **rules: int | bool) -> Path:
    into = folder / "into"
    into.mkdir()
    unpack_tar(tar_of(*entries), into, Rules("x.tar", **rules))  # type: ignore[arg-type]
    return into


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([entry("/etc/cron.d/x", b"x")], "leads outside"),
        ([entry("../x", b"x")], "leads outside"),
        ([entry("a/../../x", b"x")], "leads outside"),
        ([symlink("a", "/etc")], "is a link that leads outside"),
        ([symlink("a", "../..")], "is a link that leads outside"),
        ([symlink("a/b", "../../x")], "is a link that leads outside"),
        ([symlink("a", "b"), entry("a/x", b"x")], "below something that is no folder"),
        ([symlink("a", "."), entry("a", b"x")], "is there twice"),
        ([entry("a", b"1"), entry("./a", b"2")], "is there twice"),
        ([entry("a", b"x", mode=0o4755)], "has a set-ID bit"),
        ([entry("a", b"x", mode=0o2755)], "has a set-ID bit"),
        ([entry("a", type=tarfile.CHRTYPE)], "neither file, folder nor link"),
        ([entry("a", type=tarfile.FIFOTYPE)], "neither file, folder nor link"),
        ([entry("a", type=tarfile.LNKTYPE, linkname="/etc/passwd")], "leads outside"),
        ([entry("a", type=tarfile.LNKTYPE, linkname="../x")], "leads outside"),
        ([entry("a", type=tarfile.LNKTYPE, linkname="later")], "which is no file"),
        ([symlink("l", "x"), entry("a", type=tarfile.LNKTYPE, linkname="l")], "which is no file"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]], why: str
) -> None:
    with pytest.raises(Refused, match=why) as caught:
        unpack(tmp_path, *entries)
    assert caught.value.where == "x.tar"
    assert [path.name for path in tmp_path.iterdir()] == ["into"]


def test_what_is_written(tmp_path: Path) -> None:
    into = unpack(
        tmp_path,
        entry("./d", type=tarfile.DIRTYPE, mode=0o500, mtime=1_000),
        entry("d/run", b"#!", mode=0o755, mtime=2_000),
        entry("d/same", type=tarfile.LNKTYPE, linkname="./d/run", mode=0o644),
        symlink("d/link", "../deep/x"),
        entry("deep/x", b"x", mode=0o666),
    )
    assert (into / "d").stat().st_mode & 0o7777 == 0o700, "it can be removed again"
    assert (into / "d").stat().st_mtime == 1_000
    assert (into / "d/run").stat().st_mode & 0o7777 == 0o755
    assert (into / "d/run").stat().st_mtime == 2_000
    assert (into / "d/same").read_bytes() == b"#!"
    assert not (into / "d/same").samefile(into / "d/run")
    assert (into / "d/link").read_text() == "x"
    assert (into / "deep/x").stat().st_mode & 0o7777 == 0o666


def test_limits_are_counted_while_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="more than 10 bytes"):
        unpack(tmp_path, entry("a", b"x" * 6), entry("b", b"x" * 6), most_bytes=10)
    remove(tmp_path / "into")
    with pytest.raises(Refused, match="one of more than 3"):
        unpack(tmp_path, *(entry(f"f{n}") for n in range(9)), most_entries=3)


def test_links_of_a_commit_may_lead_anywhere(tmp_path: Path) -> None:
    into = unpack(tmp_path, symlink("a", "/srv/shared"), links_outside=True)
    assert os.readlink(into / "a") == "/srv/shared"
    remove(into)
    with pytest.raises(Refused, match="no folder"):
        unpack(tmp_path, symlink("a", "/tmp"), entry("a/x", b"x"), links_outside=True)


def zip_of(name: str, content: str, mode: int) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("name", "content", "mode", "why"),
    [
        ("../x", "x", 0o100644, "leads outside"),
        ("/x", "x", 0o100644, "leads outside"),
        ("a", "/etc/passwd", stat.S_IFLNK | 0o777, "is a link that leads outside"),
        ("a", "x", 0o104755, "has a set-ID bit"),
        ("a", "", stat.S_IFIFO | 0o644, "neither file, folder nor link"),
    ],
)
def test_a_zip_is_not_trusted_more(
    tmp_path: Path, name: str, content: str, mode: int, why: str
) -> None:
    (tmp_path / "into").mkdir()
    with pytest.raises(Refused, match=why):
        unpack_zip(zip_of(name, content, mode), tmp_path / "into", Rules("x.zip"))
    assert list((tmp_path / "into").iterdir()) == []


def test_removing_takes_what_nobody_may_write_into(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_text("x")
    (tmp_path / "a/b").chmod(0o500)
    remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
