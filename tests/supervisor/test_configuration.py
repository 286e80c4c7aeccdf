"""The configuration that is read at a flip: what it changes, and when it cannot be had."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.config.compiling import compile_words
from tests.supervisor.configured import COMPILES, compiler, configure, configured
from tests.supervisor.rig import Rig, until

Web = Callable[..., Rig]

SOON = 6.0


def test_environment_files_of_a_command_line_are_read_at_each_flip(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "one.env"
    file.write_text("COLOUR=one\n")
    rig = web()
    said = ([rig.address], rig.spec.command, "web", "notify", "200ms", ["env_files=one.env"])
    rig.spec = compile_words(*said)
    rig.start(cwd=tmp_path)
    assert b"COLOUR=one" in given(rig)
    file.write_text("COLOUR=two, and more\n")
    assert rig.flip()["ok"]
    assert b"COLOUR=two, and more" in given(rig)
    file.unlink()
    told = rig.flip()
    assert (told["code"], told["what"]) == (4, "an environment file is not right")
    assert f"--set env_files: there is no {file}" in told["evidence"]
    assert b"COLOUR=two, and more" in given(rig)


def given(rig: Rig) -> list[bytes]:
    """The environment of the active copy."""
    return Path(f"/proc/{rig.active()}/environ").read_bytes().split(b"\0")


def test_a_configuration_compiled_by_newer_code(web: Web, tmp_path: Path) -> None:
    """It has a key that the code which runs does not know yet."""
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    old = rig.active()
    fresh = {**json.loads(rig.spec.to_json()), "a_new_key": 1}
    Path(rig.spec.source).write_text(json.dumps(fresh))
    assert rig.flip()["code"] == 4
    assert rig.active() == old


def test_a_compiler_that_says_something_else(web: Web, tmp_path: Path) -> None:
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    Path(rig.spec.source).write_text("a warning\n")
    assert rig.flip()["code"] == 4


def test_the_compiler_is_not_led_astray_by_the_working_directory(web: Web, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    rig = configured(web, tmp_path)
    fake = tmp_path / "fake" / "gapless" / "config" / "compiling.py"
    fake.write_text("import json\n" + COMPILES)
    rig.start(environment=compiler(tmp_path), cwd=here)
    (here / "json.py").write_text("raise RuntimeError('not the library')\n")
    configure(rig)
    assert rig.flip()["ok"]


def test_a_failed_configuration_changes_no_signal(web: Web, tmp_path: Path) -> None:
    rig = configured(web, tmp_path).start(environment=compiler(tmp_path))
    configure(rig, flip_signal=int(signal.SIGUSR2))
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    rig.publish("3")
    rig.signal(signal.SIGHUP)
    until(lambda: rig.version() == "3", limit=SOON)


def test_a_pidfile_that_moves_leaves_none(web: Web, tmp_path: Path) -> None:
    one, two = tmp_path / "one.pid", tmp_path / "two.pid"
    rig = configured(web, tmp_path, pidfile=str(one)).start(environment=compiler(tmp_path))
    configure(rig, pidfile=str(two))
    rig.publish("2", "import-error")
    assert rig.flip()["code"] == 4
    assert one.exists()
    rig.publish("3")
    assert rig.flip()["ok"]
    assert two.exists()
    assert not one.exists()
    rig.signal(signal.SIGTERM)
    rig.ended()
    assert not two.exists()


def test_a_plain_flip_does_not_forget_what_there_was_before(web: Web, tmp_path: Path) -> None:
    """Configuration one, two, two again: what there is to go back to is one."""
    rig = configured(web, tmp_path, environment={"COLOUR": "one"})
    rig.start(environment=compiler(tmp_path))
    two = {"COLOUR": "two"}
    configure(rig, environment=two)
    assert rig.flip()["ok"]
    assert rig.flip()["ok"]
    assert rig.ask("rollback").reply()["ok"]
    assert b"COLOUR=one" in given(rig)
