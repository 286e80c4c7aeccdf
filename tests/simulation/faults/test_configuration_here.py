"""Configuration files on a real file system, through the real command and the local transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.faults.pool import HOSTS, Pool

pytestmark = pytest.mark.real

CONFIG = """\
config:
      - template: TOP/conf.j2
        to: TOP/etc/new/FILE
        mode: 0640
        validate: grep -q ^workers {file}
    variables: {workers: 4}
    secrets: {db: "file:TOP/password"}
"""
PASSWORD = "0pen-sesame"


def configured(top: Path) -> Pool:
    """One instance: three on one machine would write one file."""
    (top / "password").write_text(PASSWORD)
    (top / "conf.j2").write_text(
        "{% if workers %}workers = {{ workers }}\n{% endif %}pw={{ secrets.db }}\n"
    )
    release = CONFIG.replace("TOP", str(top)).replace("FILE", "api.conf")
    pool = Pool(top, release=release)
    pool.edit("on: [h1, h2, h3]", "on: [h1]")
    return pool


def test_rolled_out_and_taken_back_on_a_real_file_system(tmp_path: Path) -> None:
    pool, conf = configured(tmp_path), tmp_path / "etc" / "new" / "api.conf"
    assert "not there yet; undo removes it" in pool.gapless("plan", "deploy", code=0)
    pool.gapless("deploy", "--yes", code=0)
    assert conf.read_text() == f"workers = 4\npw={PASSWORD}\n"
    assert conf.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in conf.parent.iterdir()] == ["api.conf"]
    first = pool.identity("h1")
    assert "Nothing to do" in pool.gapless("deploy", "--yes", code=0)
    conf.write_text("by hand\n")
    conf.chmod(0o604)
    assert "configuration is not what was verified last" in pool.gapless("status", code=0)
    pool.edit("workers: 4", "workers: 5")
    assert "+workers = 5" in pool.gapless("plan", "deploy", code=0)
    pool.gapless("deploy", "--yes", code=0)
    assert conf.read_text() == f"workers = 5\npw={PASSWORD}\n"
    assert pool.identity("h1") != first
    pool.gapless("rollback", "api", "--yes", code=0)
    assert conf.read_text() == "by hand\n"
    assert conf.stat().st_mode & 0o777 == 0o604
    pool.edit("workers: 5", "workers: 0")
    told = pool.gapless("deploy", "--yes", code=4)
    assert "was refused: grep -q" in told
    assert conf.read_text() == "by hand\n"
    kept = [path for place in ("state", "hosts") for path in (tmp_path / place).rglob("*")]
    with_it = [p for p in kept if p.is_file() and PASSWORD.encode() in p.read_bytes()]
    assert all("/snapshots/" in str(path) and path.name == "api.conf" for path in with_it)
    assert all(path.stat().st_mode & 0o007 == 0 for path in with_it)


def test_a_first_deploy_that_fails_leaves_no_file_and_no_folder(tmp_path: Path) -> None:
    pool = configured(tmp_path)
    pool.edit("soak: 100ms", "soak: 1s")
    pool.edit(
        f'health: {{command: "test -e {tmp_path}/run/{{name}}"',
        f'health: {{command: "test ! -e {tmp_path}/etc/new/api.conf"',
    )
    pool.gapless("deploy", "--yes", code=4)
    assert not (tmp_path / "etc").exists()
    assert pool.identity(HOSTS[0])
