"""Repositories and archives as others make them, by the programs that others use."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

AUTHOR = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@shop.example",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@shop.example",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file",
    "PATH": os.environ["PATH"],
}


def git(*words: str | Path, at: int = 1_700_000_000) -> str:
    """Run git as somebody who works with a repository; ``at`` is the time of what it makes."""
    times = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"}
    argv = ["git", *map(str, words)]
    done = subprocess.run(argv, env={**AUTHOR, **times}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make(repository: Path) -> Path:
    """An empty bare repository."""
    git("init", "--quiet", "--bare", "--initial-branch=main", repository)
    return repository


def commit(tree: Path, repository: Path, subject: str, at: int = 1_700_000_000) -> str:
    """Commit what lies in ``tree``, if that is anything new; the commit."""
    if not repository.exists():
        make(repository)
    where = (f"--git-dir={repository}", f"--work-tree={tree}")
    git(*where, "add", "--all", "--force")
    if git(*where, "status", "--porcelain"):
        git(*where, "commit", "--quiet", "-m", subject, at=at)
    return git(*where, "rev-parse", "HEAD")


def picture(repository: Path) -> dict[str, tuple[bytes, int, float]]:
    """Every byte, mode and time of a repository."""
    files = (path for path in sorted(repository.rglob("*")) if path.is_file())
    return {
        str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime) for path in files
    }


def pack(tree: Path, file: Path) -> Path:
    """An archive of what lies in ``tree``, by the end of its name."""
    file.unlink(missing_ok=True)
    if file.suffix == ".zip":
        _zip(tree, file)
    else:
        subprocess.run(["tar", "-C", tree, "-caf", file, "."], check=True)
    return file


def _zip(tree: Path, file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob("*")):
            name = str(path.relative_to(tree))
            if path.is_symlink():
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16
                archive.writestr(info, str(path.readlink()))
            else:
                archive.write(path, name)
