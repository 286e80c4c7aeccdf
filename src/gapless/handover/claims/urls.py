"""Which store a url names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gapless.handover.claims.directory import DirectoryStore
from gapless.handover.claims.sqlite import SqliteStore
from gapless.handover.claims.store import Store
from gapless.handover.endings import BadVariable

_KNOWN = "sqlite:, sqlite:///path, dir:///path, redis://, redis+unix://, postgresql:// or none"


def store_of(
    url: str,
    folder: Path | None,
    namespace: str,
    owner: str,
    is_alive: Callable[[str], bool],
) -> Store | None:
    """None for ``none``. Connects to nothing yet. Raises BadVariable."""
    # the value may hold a password: it is not repeated
    scheme = url.partition(":")[0]
    try:
        if url == "none":
            return None
        if scheme == "sqlite":
            return _sqlite(url, folder, namespace, owner, is_alive)
        if scheme == "dir":
            return DirectoryStore(_path(url), namespace, owner, is_alive)
        if scheme in ("redis", "redis+unix"):
            from gapless.handover.claims.redis import RedisStore

            return RedisStore(url, namespace, owner)
        if scheme in ("postgresql", "postgres"):
            from gapless.handover.claims.postgresql import PostgresqlStore

            return PostgresqlStore(url, namespace, owner)
    except ImportError as error:
        raise BadVariable("HANDOVER_LOCK", f"{scheme}:…", f"{error}") from error
    except ValueError as error:
        raise BadVariable("HANDOVER_LOCK", f"{scheme}:…", f"{error}") from error
    raise BadVariable("HANDOVER_LOCK", f"{scheme}:…", f"must be {_KNOWN}")


def _sqlite(
    url: str,
    folder: Path | None,
    namespace: str,
    owner: str,
    is_alive: Callable[[str], bool],
) -> Store:
    if url == "sqlite:":
        if folder is None:
            raise ValueError("needs a path where HANDOVER_DIR is not set")
        return SqliteStore(folder / "claims.db", namespace, owner, is_alive, "OFF")
    return SqliteStore(_path(url), namespace, owner, is_alive, "NORMAL")


def _path(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc or parts.query or not path.is_absolute() or path == Path("/"):
        raise ValueError(f"must be {parts.scheme}:///absolute/path")
    return path
