"""A file is replaced under the lock of its folder, which programs take with flock(1)."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gapless.hostside.calls import Call
from gapless.hostside.faults import Cancelled
from gapless.hostside.replacing import replace
from gapless.hostside.wire import pack_bytes

_PATIENCE = 20.0


def call(file: Path, content: bytes) -> Call:
    old = hashlib.sha256(file.read_bytes()).hexdigest()
    asked = {"path": str(file), "old": old, "content": pack_bytes(content), "fence": None}
    return Call(0, "replace", asked)


class Replacing:
    """One that goes on beside the test."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.told: list[object] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def end(self) -> object:
        self.thread.join(_PATIENCE)
        (told,) = self.told
        return told

    def _run(self) -> None:
        try:
            self.told.append(replace(self.call))
        except Cancelled as error:
            self.told.append(type(error))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """By a program, until it is told to end."""
    with subprocess.Popen(
        ["flock", "-o", "-x", str(folder), "sh", "-c", "echo in; read -r _"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        assert holder.stdout and holder.stdin
        assert holder.stdout.readline() == b"in\n"
        yield
        holder.stdin.write(b"\n")
        holder.stdin.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yml"
    file.write_bytes(b"old")
    return file


def test_a_program_that_is_at_it_is_waited_for(file: Path) -> None:
    with locked(file.parent):
        replacing = Replacing(call(file, b"new"))
        replacing.thread.join(0.2)
        assert replacing.thread.is_alive() and file.read_bytes() == b"old"
    assert replacing.end() is True
    assert file.read_bytes() == b"new"


def test_what_that_program_wrote_stays(file: Path) -> None:
    with locked(file.parent):
        replacing = Replacing(call(file, b"new"))
        file.write_bytes(b"theirs")
    assert replacing.end() is False
    assert file.read_bytes() == b"theirs"
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_nobody_waits_on_when_the_answer_is_no_longer_wanted(file: Path) -> None:
    with locked(file.parent):
        replacing = Replacing(call(file, b"new"))
        replacing.call.cancelled.set()
        assert replacing.end() is Cancelled
    assert file.read_bytes() == b"old"
