"""Finding the machine's mirror, in both formats that apt reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import debian
from .debian import install_missing_packages, mirror
from .shell import LabError

DEB822 = """\
Types: deb deb-src
# the local one
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


def test_one_line_format(tmp_path: Path) -> None:
    lines = (
        "# deb http://old.example/debian bookworm main",
        "deb cdrom:[Debian]/ bookworm main",
        "deb http://security.example/debian bookworm-security main",
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib",
    )
    (tmp_path / "sources.list").write_text("\n".join(lines))
    assert mirror("bookworm", tmp_path) == "http://mirror.example/debian"


def test_deb822_format(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert mirror("bookworm", tmp_path) == "http://mirror.example/debian"


def test_a_disabled_source_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text("Enabled: no\n" + DEB822)
    with pytest.raises(LabError, match="no source for bookworm"):
        mirror("bookworm", tmp_path)


def test_what_another_worker_has_installed_meanwhile_is_not_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["haproxy"], []])
    ran: list[object] = []
    monkeypatch.setenv("GAPLESS_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(debian, "missing_packages", lambda: next(answers))
    monkeypatch.setattr(debian, "sh", lambda argv, **_: ran.append(argv))
    install_missing_packages()
    assert not ran
    assert next(answers, None) is None, "looked again, behind the lock"
