"""The project that is rolled, once for each contestant: the same program, another front door."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.containers.engine import Engine
from tests.containers.shop import Shop

PROGRAM = Path(__file__).with_name("program.py")
INSIDE = 8080


@contextlib.contextmanager
def shop(engine: Engine, name: str) -> Iterator[Shop]:
    """A project of its own; nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix=f"gapless-bench-{name}-"))
    made = Shop(engine, folder / "shop")
    shutil.copy(PROGRAM, made.folder / "app" / "program.py")
    made.settings = {"soak": "0s"}
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def times(shop: Shop) -> dict[str, float]:
    """When the engine started the container that serves, and what its program has told since; wall
    clock."""
    (one,) = shop.ids()
    started = shop.docker("inspect", "--format", "{{.State.StartedAt}}", one)
    lines = (line.split() for line in shop.docker("logs", "--timestamps", one).splitlines())
    told = {words[1]: _moment(words[0]) for words in lines if len(words) == 2}
    return {**told, "started": _moment(started)}


def _moment(told: str) -> float:
    """The engine tells nanoseconds."""
    return datetime.fromisoformat(f"{told.strip().rstrip('Z')[:26]}+00:00").timestamp()


def await_answer(url: str, version: str, seconds: float = 60.0) -> None:
    """Until it is this version that answers."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as reply:
            if f'"{version}"' in reply.read().decode():
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"{url} does not answer as version {version}")
        time.sleep(0.02)


def labelled(service: dict[str, Any]) -> dict[str, Any]:
    """As those need it who have no other control over traffic than Traefik's reading of labels."""
    asked = "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health', timeout=2)"
    return {
        **service,
        "labels": {
            "traefik.enable": "true",
            "traefik.http.routers.web.rule": "PathPrefix(`/`)",
            "traefik.http.services.web.loadbalancer.server.port": str(INSIDE),
        },
        "healthcheck": {
            "test": ["CMD", "/usr/bin/python3", "-c", asked],
            "interval": "1s",
            "retries": 3,
        },
    }
