from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.handover.servers import Postgresql, Redis, postgresql_server, redis_server


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    with postgresql_server() as server:
        yield server
