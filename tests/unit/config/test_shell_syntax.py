"""Commands written for a shell that does not run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.checking import checked
from gapless.config.shell_syntax import shell_word
from gapless.errors import ConfigError
from tests.unit.config.shop import problems, service, write

COMMANDS = "{{start: {0}, stop: {0}, status: {0}}}"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("x $FOO | cat", "$FOO"),
        ("x a | cat", "|"),
        ("cd /srv && ./run", "&&"),
        ("cd /srv; ./run", "/srv;"),
        ("./run >log 2>&1", ">log"),
        ("./run 2>&1", "2>&1"),
        ("./run &", "&"),
        ('kill "${PID}"', "${…"),
        ("kill $(cat pid)", "$(…"),
        ("kill `cat pid`", "`"),
    ],
)
def test_what_needs_a_shell(line: str, found: str) -> None:
    assert shell_word(line) == found


@pytest.mark.parametrize(
    "line",
    [
        "sh -c 'x $FOO | cat'",
        'bash -lc "kill $(cat pid)"',
        "env A=1 sh -c 'a && b'",
        "awk '{print $1}' /x",
        "grep -E 'a|b' /x",
        "grep '|' /x",
        "grep 'a;' /x",
        r"find /x -exec rm {} \;",
        "curl http://a/?b=1&c=2",
        r"echo \$FOO",
        "grep foo$ /x",
        "pool out {name}",
    ],
)
def test_what_needs_none(line: str) -> None:
    assert shell_word(line) == ""


def test_check_tells_it_with_its_place(tmp_path: Path) -> None:
    commands = '{start: s, stop: "x $FOO | cat", status: [s, "|"], reload: "r > log"}'
    text = service(command=commands, health="{command: 'a | b'}").replace("    systemd: api\n", "")
    file = write(tmp_path, text)
    assert problems(tmp_path, text) == []  # a rollout does what is written
    with pytest.raises(ConfigError) as caught:
        checked(file)
    told = [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
    assert told == [
        "7:31: stop: no shell runs this, so '$FOO' means nothing — write it as: sh -c '…'",
        "7:73: reload: no shell runs this, so '>' means nothing — write it as: sh -c '…'",
        "8:23: command: no shell runs this, so '|' means nothing — write it as: sh -c '…'",
    ]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("{hosst}", "did you mean '{host}'?"), ("{instance}", "")],
)
def test_unknown_placeholders_of_a_service(tmp_path: Path, word: str, hint: str) -> None:
    text = service(command=COMMANDS.format("'ctl {host} " + word + "'"))
    told = problems(tmp_path, text.replace("    systemd: api\n", ""))
    assert len(told) == 3
    assert all(f"unknown placeholder {word}" in line and hint in line for line in told)


def test_other_braces_are_left_alone(tmp_path: Path) -> None:
    text = service(command=COMMANDS.format("\"sh -c 'echo {a} ${hosst} {print}'\""))
    assert problems(tmp_path, text.replace("    systemd: api\n", "")) == []
