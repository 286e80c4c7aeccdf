"""A file from an https address, once, compared with its sha256 before anybody opens it."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO

from gapless.clock import within
from gapless.drivers.releases.telling import tell
from gapless.errors import Refused

LIMIT = 3600.0
_SILENCE = 30.0
"""Seconds a server may be silent."""
_CHUNK = 1 << 20


async def download(url: str, sha256: str, file: Path) -> Path:
    """The file, which is had already when its content is right."""
    if await asyncio.to_thread(_sha256, file) == sha256:
        return file
    tell(f"fetching {url}")
    try:
        async with within(LIMIT):
            found = await asyncio.to_thread(_fetch, url, sha256, file)
    except TimeoutError:
        raise _failed(url, f"it did not come within {LIMIT:g} s") from None
    if found != sha256:
        raise Refused(
            "the archive is not what sha256 says",
            where=url,
            evidence=f"wanted {sha256}, came {found}",
            next="compare with what its publisher says",
        )
    return file


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows a server to another address, but not out of TLS."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage | Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it leads to {newurl.partition(':')[0]}, not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _fetch(url: str, sha256: str, file: Path) -> str:
    """The digest of what came; only what is right gets the file's name."""
    total = hashlib.sha256()
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            _pour(url, out, total.update)
            out.flush()
            os.fsync(out.fileno())
        if total.hexdigest() == sha256:
            Path(name).rename(file)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(url, str(getattr(error, "reason", "") or error)) from error
    finally:
        Path(name).unlink(missing_ok=True)
    return total.hexdigest()


def _pour(url: str, out: IO[bytes], also: Callable[[bytes], object]) -> None:
    opener = urllib.request.build_opener(_OnlyHttps)
    request = urllib.request.Request(url, headers={"User-Agent": "gapless"})  # noqa: S310 - https
    with opener.open(request, timeout=_SILENCE) as answer:
        while data := answer.read(_CHUNK):
            out.write(data)
            also(data)


def _sha256(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _failed(url: str, why: str) -> Refused:
    return Refused(
        "the archive cannot be fetched", where=url, evidence=why, next=f"curl -fIL {url}"
    )
