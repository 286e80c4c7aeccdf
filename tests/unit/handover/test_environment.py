from __future__ import annotations

from pathlib import Path

import pytest

from gapless.handover.endings import BadVariable
from gapless.handover.environment import read
from tests.unit.handover.site import variables


def test_defaults(tmp_path: Path) -> None:
    found = read(variables(tmp_path, "bot-1"))
    assert (found.role, found.max_age, found.buffer) == ("auto", 300.0, 10.0)
    assert (found.lock_when, found.lock_fail) == ("window", "closed")
    assert found.namespace == tmp_path.name
    assert found.listen is None


def test_nothing_set_is_a_program_alone() -> None:
    assert read({}).folder is None


def test_empty_is_not_set(tmp_path: Path) -> None:
    assert read(variables(tmp_path, "bot-1", ROLE="", EPOCH="", BUFFER="")).role == "auto"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROLE", "leader"),
        ("EPOCH", "-1"),
        ("EPOCH", "six"),
        ("EPOCH", "1.5"),
        ("EPOCH", "٧"),
        ("ID", "a/b"),
        ("ID", "a b"),
        ("ID", "x" * 65),
        ("DIR", "/nowhere/at/all"),
        ("STARTED_AT", "yesterday"),
        ("MAX_AGE", "-1"),
        ("MAX_AGE", "inf"),
        ("BUFFER", "ten"),
        ("LOCK_WHEN", "never"),
        ("LOCK_FAIL", "maybe"),
        ("LISTEN", "0.0.0.0:8080"),
        ("LISTEN", "127.0.0.1:0"),
        ("LISTEN", "127.0.0.1"),
        ("LISTEN", "localhost:http"),
        ("PROTOCOL", "handover/2"),
    ],
)
def test_a_value_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    with pytest.raises(BadVariable) as ended:
        read(variables(tmp_path, "bot-1", **{name: value}))
    assert ended.value.code == 78
    assert f"HANDOVER_{name}={value}" in capsys.readouterr().err


def test_a_folder_without_an_id(tmp_path: Path) -> None:
    with pytest.raises(BadVariable, match="78") as ended:
        read({"HANDOVER_DIR": str(tmp_path)})
    assert ended.value.name == "HANDOVER_ID"


@pytest.mark.parametrize(("text", "address"), [
    ("127.0.0.1:8080", ("127.0.0.1", 8080)),
    ("127.3.2.1:1", ("127.3.2.1", 1)),
    ("[::1]:80", ("::1", 80)),
])  # fmt: skip
def test_loopback(tmp_path: Path, text: str, address: tuple[str, int]) -> None:
    assert read(variables(tmp_path, "bot-1", LISTEN=text)).listen == address


def test_a_clock_behind_is_no_age(tmp_path: Path) -> None:
    found = read(variables(tmp_path, "bot-1", STARTED_AT=2000))
    assert found.age(1000) == 0
    assert found.age(5000) == 3
    assert read(variables(tmp_path, "bot-1")).age(0) == float("inf")
