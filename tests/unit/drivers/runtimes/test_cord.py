"""The health check with a cord in it, as the engine runs it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers import cord
from gapless.drivers.runtimes.engine_script.cording import CHECK, CORD, SECOND, corded
from gapless.hostside import container_check
from gapless.hostside.faults import Fault


def made(**check: Any) -> dict[str, Any]:
    config = {"HostConfig": {"ReadonlyRootfs": False}, **({"Healthcheck": check} if check else {})}
    return corded(config, 0.5)


def ran(test: list[str], file: Path) -> int:
    """With another file in the place of the cord."""
    argv = [str(file) if word == CORD else word for word in test[1:]]
    return subprocess.run(argv, timeout=20, check=False).returncode


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    file = tmp_path / "cord"
    file.write_text("in\n")
    return file


def test_one_look_without_a_cord_is_enough() -> None:
    check = made()
    assert check["Interval"] == SECOND // 2 and check["Retries"] == 1
    assert check["Test"][:3] == ["CMD", "/bin/sh", "-c"] and check["Test"][3] == CHECK


def test_without_a_check_of_its_own_the_cord_is_all(whole: Path, tmp_path: Path) -> None:
    test = made()["Test"]
    assert ran(test, whole) == 0
    assert ran(test, tmp_path / "none") == 1
    whole.write_text("")
    assert ran(test, whole) == 1


@pytest.mark.parametrize("kind", [["CMD", "test", "-e"], ["CMD-SHELL", "test -e '{}'"]])
def test_its_own_check_is_asked_after_the_cord(
    whole: Path, tmp_path: Path, kind: list[str]
) -> None:
    there = tmp_path / "it's well; $(no shell)"
    own = [*kind, str(there)] if kind[0] == "CMD" else [f"{kind[0]}", f'test -e "{whole}.well"']
    well = there if kind[0] == "CMD" else Path(f"{whole}.well")
    test = made(Test=own, Interval=SECOND, Retries=1)["Test"]
    assert ran(test, whole) == 1
    well.touch()
    assert ran(test, whole) == 0
    whole.write_text("")
    assert ran(test, whole) == 1


def test_its_own_check_may_fail_as_often_as_before(whole: Path, tmp_path: Path) -> None:
    """Its tries are made within one look: the engine itself has but one, for the cord."""
    count = tmp_path / "count"
    counted = f'echo x >> "{count}"; [ "$(wc -l < "{count}")" -ge 3 ]'
    check = made(Test=["CMD-SHELL", counted], Interval=SECOND, Retries=3, Timeout=2 * SECOND)
    assert check["Timeout"] == 3 * 2 * SECOND + 2 * SECOND
    began = time.monotonic()
    assert ran(check["Test"], whole) == 0
    assert count.read_text() == "x\n" * 3 and time.monotonic() - began >= 2.0
    count.unlink()
    fewer = made(Test=["CMD-SHELL", counted], Interval=SECOND, Retries=2)
    assert ran(fewer["Test"], whole) == 1


def test_a_check_that_has_a_cord_gets_no_second_one() -> None:
    check = made(Test=["CMD", "true"])
    assert corded({"HostConfig": {}, "Healthcheck": check}, 2.0) == check


def test_what_cannot_be_written_to_is_refused() -> None:
    with pytest.raises(Fault, match="read_only"):
        corded({"HostConfig": {"ReadonlyRootfs": True}}, 1.0)


def test_everybody_means_the_same_file() -> None:
    assert CORD == f"/{cord.FILE}" == container_check.CORD
    assert cord.is_whole(cord.archive(whole=True)) and not cord.is_whole(cord.archive(whole=False))
    with pytest.raises(ValueError):
        cord.is_whole(b"xyzzy")


def test_readiness_is_asked_of_its_own_check_and_not_of_the_cord() -> None:
    """A new copy has a cut one until it is admitted."""
    own = container_check.argv_of({"Healthcheck": made(Test=["CMD", "test", "-e", "/x"])})
    assert own == ["test", "-e", "/x"]
    shell = container_check.argv_of({"Healthcheck": made(Test=["CMD-SHELL", "a && b"])})
    assert shell == ["/bin/sh", "-c", "a && b"]
    assert container_check.argv_of({"Healthcheck": made()}) == []
