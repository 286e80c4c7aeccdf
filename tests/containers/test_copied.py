"""Secrets and configs that no file holds: compose copies them into a container, and so do we on the
way back."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from .shop import Shop

TOKEN, LATER = "xyzzy-token-1", "xyzzy-token-2"
INSIDE = ("/run/secrets/token", "/etc/shop/token", "/banner")


@pytest.fixture
def copied(shop: Shop) -> Shop:
    """Version 1, made by compose alone, has three such files."""
    shop.service["secrets"] = ["token", {"source": "token", "target": "/etc/shop/token"}]
    shop.service["configs"] = ["banner"]
    shop.more = {
        "secrets": {"token": {"environment": "TOKEN"}},
        "configs": {"banner": {"content": "version ${TOKEN}"}},
    }
    token(shop, TOKEN)
    shop.write()
    shop.up()
    return shop


def token(shop: Shop, value: str) -> None:
    (shop.folder / ".env").write_text(f"TOKEN={value}\n")


def inside(shop: Shop) -> list[str]:
    """What the one container that runs has in these files."""
    (one,) = shop.ids()
    return [shop.docker("exec", one, "/bin/cat", path) for path in INSIDE]


def holding(folder: Path, text: str) -> list[Path]:
    """All files below a folder in which it stands."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


def test_each_copy_has_its_own_and_the_way_back_brings_them(copied: Shop) -> None:
    first, second = [TOKEN, TOKEN, f"version {TOKEN}"], [LATER, LATER, f"version {LATER}"]
    told = ""
    token(copied, LATER)
    for version, values in (("2", second), ("3", second)):
        copied.write(VERSION=version)
        told += copied.run("deploy", "--yes", "--reason", version)
        assert inside(copied) == values
    token(copied, TOKEN)
    copied.write(VERSION="4")
    told += copied.run("deploy", "--yes", "--reason", "4")
    assert inside(copied) == first
    told += copied.run("rollback", "web", "--yes", "--reason", "back")
    assert inside(copied) == second, "of one that we made"
    told += copied.run("restart", "web", "--yes", "--reason", "fresh")
    assert inside(copied) == first, "a restart makes one as the project is now"
    assert "xyzzy" not in told
    assert holding(copied.folder / "state", "xyzzy") == []
    for path in holding(copied.folder / "host", "xyzzy"):
        assert path.name == "container.json" and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_way_back_to_one_that_compose_made_alone_brings_them(copied: Shop) -> None:
    token(copied, LATER)
    copied.service["secrets"] = [copied.service["secrets"][1]]
    copied.write(VERSION="2")
    copied.run("deploy", "--yes", "--reason", "one fewer")
    copied.run("rollback", "web", "--yes", "--reason", "back")
    assert inside(copied) == [TOKEN, TOKEN, f"version {TOKEN}"]
    modes = copied.docker("exec", *copied.ids(), *MODES, *INSIDE).split()
    assert modes == ["0o444", "0o444", "0o444"]


MODES = (
    *("/usr/bin/python3", "-c"),
    "import os, sys; print(*(oct(os.stat(path).st_mode & 0o777) for path in sys.argv[1:]))",
)


def test_one_that_is_gone_is_named_before_anything_changes(copied: Shop) -> None:
    copied.write(VERSION="2")
    copied.run("deploy", "--yes", "--reason", "ours")
    before = copied.ids()
    copied.docker("exec", *before, "/bin/rm", "/run/secrets/token")
    copied.write(VERSION="3")
    told = copied.run("deploy", "--yes", "--reason", "x", check=None)
    assert "/run/secrets/token" in told and "not in it any more" in told, told
    assert copied.ids() == before


def test_where_nobody_may_write_it_is_refused(copied: Shop) -> None:
    copied.service["read_only"] = True
    copied.write(VERSION="2")
    before = copied.ids()
    told = copied.run("deploy", "--yes", "--reason", "x", check=3)
    assert "/run/secrets/token comes from no file" in " ".join(told.split())
    assert copied.ids() == before
