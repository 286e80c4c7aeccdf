"""The file of a drop-in: where it is, whose it is, and whether it is still as it was written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from gapless.errors import Refused

NAME = "zz-gapless.conf"
"""The last of the drop-ins: they are read by name."""
FOLDER = Path("/etc/systemd/system")
_MARK = "# Written by gapless run adopt."
_SEAL = "# Seal: "


def path_of(unit: str) -> Path:
    """Where the drop-in of a unit is."""
    return FOLDER / f"{unit}.d" / NAME


def sealed(unit: str, body: str, made_of: Iterable[str]) -> str:
    """The whole file. The seal tells later whether all that it was made of is what it was, and
    nobody has changed it."""
    return "\n".join([_MARK, f"# To take it away: gapless run adopt --undo {unit}",
                      f"{_SEAL}{_seal(body, made_of)}", "", body])  # fmt: skip


def intact(text: str, made_of: Iterable[str]) -> bool:
    """Whether it would be written once more just like this."""
    head, _, body = text.partition("\n\n")
    return head.endswith(f"\n{_SEAL}{_seal(body, made_of)}")


def _seal(body: str, made_of: Iterable[str]) -> str:
    return sha256("\0".join((*made_of, body)).encode(errors="surrogateescape")).hexdigest()[:32]


def read(unit: str) -> str:
    """Its text; empty when there is none of ours."""
    try:
        text = path_of(unit).read_text(errors="surrogateescape")
    except OSError:
        return ""
    return text if text.startswith(_MARK) else ""


def write(unit: str, text: str, like: Iterable[str]) -> Path:
    """In one piece, for nobody's eyes who cannot read the files it is ``like``. Raises Refused when
    there is another's, or it is not allowed."""
    path = path_of(unit)
    if path.exists() and not read(unit):
        raise Refused(f"{path} is there and was not written by gapless", next=f"mv {path} …")
    fresh = path.with_name(f".{NAME}.{os.getpid()}")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)
        with fresh.open("w", errors="surrogateescape") as file:
            os.fchmod(file.fileno(), _mode(like))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise Refused(f"{path} cannot be written", evidence=error.strerror or "") from None
    return path


def _mode(like: Iterable[str]) -> int:
    mode = 0o644
    for file in like:
        with contextlib.suppress(OSError):
            mode &= Path(file).stat().st_mode
    return mode | 0o600


def remove(unit: str) -> bool:
    """Whether there was one. Raises Refused when it is not ours, or it is not allowed."""
    path = path_of(unit)
    if not path.exists():
        return False
    if not read(unit):
        raise Refused(f"{path} was not written by gapless", next=f"cat {path}")
    try:
        path.unlink()
    except OSError as error:
        raise Refused(f"{path} cannot be removed", evidence=error.strerror or "") from None
    with contextlib.suppress(OSError):
        path.parent.rmdir()
    return True
