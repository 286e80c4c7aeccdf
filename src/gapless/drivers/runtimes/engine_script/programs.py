"""compose and docker as programs: what they answer, and what they say when they fail."""

from __future__ import annotations

import os
import sys

from gapless.hostside.faults import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from typing import Optional, Tuple

    Program = Tuple[Sequence[str], Optional[Mapping[str, str]]]

PLUGINS = tuple(
    f"/usr/{folder}/docker/cli-plugins"
    for folder in ("local/lib", "local/libexec", "lib", "libexec")
)
"""Where docker looks for its plugins after the folder of the user's own settings (docker's page on
``cliPluginsExtraDirs``)."""


def direct(argv: Sequence[str]) -> Program:
    """``docker --host X compose ...`` without docker, and its environment: before docker starts
    its plugin it asks each plugin that there is who it is, which takes longer than most of what
    compose is asked here. A docker that may choose otherwise chooses itself."""
    if os.path.basename(argv[0]) != "docker" or tuple(argv[1:4:2]) != ("--host", "compose"):
        return argv, None
    own = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    places = () if is_told_more(own) else (os.path.join(own, "cli-plugins"), *PLUGINS)
    for place in places:
        plugin = os.path.join(place, "docker-compose")
        if os.access(plugin, os.X_OK):
            return (plugin, *argv[4:]), {**os.environ, "DOCKER_HOST": argv[2]}
    return argv, None


def is_told_more(settings: str) -> bool:
    """Whether docker's settings may say where a plugin is, or what is done beside it."""
    try:
        with open(os.path.join(settings, "config.json")) as file:
            said = file.read()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return "cliPluginsExtraDirs" in said or '"plugins"' in said or '"aliases"' in said


def begin(argv: Sequence[str]) -> subprocess.Popen[str]:
    """Start a program whose output is wanted."""
    import subprocess

    words, env = direct(argv)
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=env)
    except FileNotFoundError:
        raise Fault(f"there is no program {argv[0]} on this host") from None


def answer(told: str, refused: str, status: int) -> str:
    """The output of compose, when it has ended well."""
    if status:
        raise Fault(refused.strip() or f"compose ended with status {status}")
    return told


def order(argv: Sequence[str]) -> None:
    """A command whose own words are told when it fails; who asked bounds its time."""
    import subprocess

    words, env = direct(argv)
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=sys.stderr, text=True, check=False, env=env
    )
    if done.returncode:
        sys.exit(done.returncode)
