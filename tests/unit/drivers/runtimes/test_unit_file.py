"""The unit file that a deploy brings, and the one that a host has."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.services import ServiceConfig, SystemdConfig
from gapless.drivers.runtimes.brought import brought_digest
from gapless.drivers.runtimes.unit_file import digest_in, read_unit_file
from gapless.errors import Refused
from tests.unit.drivers.runtimes.bench import DROPIN, FILE, Bench, play


def digest(path: Path | None) -> str:
    unit = SystemdConfig(unit="shop.service", file=str(path) if path else None)
    return brought_digest("shop", ServiceConfig(on=("web1",), systemd=unit))


def test_a_host_with_the_same_unit_file_shows_the_same_digest(tmp_path: Path) -> None:
    file = tmp_path / "shop.service"

    async def case(bench: Bench) -> None:
        file.write_bytes(bench.host.files.read(FILE))
        seen = await bench.runtime.fingerprint(bench.transport)
        assert digest_in(seen) == digest(file)
        bench.host.files.write(DROPIN, "[Service]\nNice=5\n")
        bench.unit.load()
        other = await bench.runtime.fingerprint(bench.transport)
        assert digest_in(other) == digest_in(seen)
        assert other != seen
        bench.host.files.write(FILE, "[Service]\nExecStart=/other\n")
        assert digest_in(await bench.runtime.fingerprint(bench.transport)) != digest_in(seen)

    play(case)


def test_no_unit_file_has_no_digest() -> None:
    assert digest(None) == ""
    assert read_unit_file(SystemdConfig(unit="shop")) is None


def test_one_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read: No such file"):
        digest(tmp_path / "gone.service")
