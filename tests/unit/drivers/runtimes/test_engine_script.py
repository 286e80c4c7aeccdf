"""What a container host is sent, and which program is compose there."""

from __future__ import annotations

import ast
import binascii
import marshal
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from gapless.drivers.runtimes.engine_script import VERBS, programs, script
from gapless.drivers.runtimes.engine_script.programs import direct
from gapless.hostside.bundle import byte_code_tag

SOCKET = "unix:///run/docker.sock"
ASKED = ("docker", "--host", SOCKET, "compose", "--file", "a.yaml", "config", "--hash", "web")


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own, with no plugin in it, on a host that has none elsewhere."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setattr(programs, "PLUGINS", (str(tmp_path / "usr"),))
    return folder


def plugin(folder: Path) -> str:
    file = folder / "docker-compose"
    folder.mkdir(exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return str(file)


def test_compose_is_asked_without_the_docker_command(settings: Path) -> None:
    found = plugin(settings / "cli-plugins")
    words, env = direct(ASKED)
    assert words == (found, *ASKED[4:])
    assert env is not None and env["DOCKER_HOST"] == SOCKET


def test_the_users_own_plugin_comes_before_that_of_the_host(settings: Path, tmp_path: Path) -> None:
    elsewhere = plugin(tmp_path / "usr")
    assert direct(ASKED)[0][0] == elsewhere
    own = plugin(settings / "cli-plugins")
    assert direct(ASKED)[0][0] == own


@pytest.mark.parametrize("said", ['{"cliPluginsExtraDirs": ["/x"]}', '{"aliases": {}}', None])
def test_a_docker_that_may_choose_another_is_asked(settings: Path, said: str | None) -> None:
    plugin(settings / "cli-plugins")
    if said is None:
        (settings / "config.json").mkdir()
    else:
        (settings / "config.json").write_text(said)
    assert direct(ASKED) == (ASKED, None)


def test_settings_that_say_nothing_of_plugins_change_nothing(settings: Path) -> None:
    found = plugin(settings / "cli-plugins")
    (settings / "config.json").write_text('{"auths": {}}')
    assert direct(ASKED)[0][0] == found


@pytest.mark.parametrize(
    "argv", [("podman", *ASKED[1:]), ("docker", "--host", SOCKET, "create", "x"), ASKED[:1]]
)
def test_what_is_not_compose_of_docker_stays_as_it_is(
    settings: Path, argv: tuple[str, ...]
) -> None:
    plugin(settings / "cli-plugins")
    assert direct(argv) == (argv, None)


def test_without_a_plugin_docker_is_asked() -> None:
    assert direct(ASKED) == (ASKED, None)


SERVICE = "com.docker.compose.service=web"
WORDS = {
    "project": ["web", "--", "no-compose"],
    "make": ["engine", SERVICE, "--", "a=b", "--", "no-compose"],
    "create": ["web-1", "a=b", "--", "no-docker", "--", "image"],
    "again": ["kept", "--", "a=b"],
    "end": ["x", "1"],
    "hook": ["pre_stop", "1", "--", "false"],
    **{order: ["x"] for order in ("disarm", "rearm", "account")},
}


@pytest.mark.parametrize("alike", [True, False], ids=["a Python like ours", "another Python"])
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_runs_alone_and_tells_what_it_cannot(
    verb: str, alike: bool, tmp_path: Path
) -> None:
    """Of an engine that is not there, by an interpreter that knows nothing of gapless."""
    argv = [sys.executable, "-I", "-S", "-", verb, str(tmp_path / "socket"), *WORDS[verb]]
    told = script(verb).decode()
    if not alike:
        told = told.replace(f"OURS = {byte_code_tag()!r}", "OURS = 'another'")
        told = re.sub("^CODE = .*", "CODE = 'unreadable'", told, flags=re.MULTILINE)
    done = subprocess.run(
        argv, input=told, capture_output=True, text=True, timeout=20, check=False, cwd=tmp_path
    )
    if verb == "hook":
        assert done.stdout.strip() == "note: pre_stop ended with status 1: it said nothing"
        return
    missing = "there is no program" if verb == "project" else "No such file or directory"
    assert done.returncode == 1 and missing in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_sent_is_for_every_python_a_host_may_have(verb: str) -> None:
    """Its parts are looked at in tests/unit/hostside/test_hosts_pythons.py."""
    ast.parse(script(verb), feature_version=(3, 8))


def test_a_host_is_sent_what_the_verb_needs_and_no_more() -> None:
    of_helper = ["container_engine", "faults", "http_message", "labels"]
    assert parts("account") == sorted([*of_helper, "arming", "entry"])
    assert parts("end") == sorted([*of_helper, "arming", "ending", "entry"])
    assert "container_body" in parts("make") and "container_body" not in parts("again")


def parts(verb: str) -> list[str]:
    """Those that a script brings along, whatever package they are of."""
    (text,) = re.findall(rb"^TEXT = '(.*)'$", script(verb), flags=re.MULTILINE)
    found = marshal.loads(zlib.decompress(binascii.a2b_base64(text)))
    return sorted(name.rpartition(".")[2] for name, _ in found)
