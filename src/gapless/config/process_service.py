"""``services.X.process`` — a run file inside gapless.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_serializer,
    model_validator,
)

from gapless.config.process import ProcessConfig
from gapless.config.releases import ReleaseConfig
from gapless.config.slots import differs


def parse_account(value: Any) -> Any:
    """A name or number; whether the host knows it is asked there."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_WATCHED_BY_THE_ROLLOUT = {"ready": {"alive": "500ms"}, "settle": "0s"}
"""Of a pair, unless written: health, stability and soak are asked of it before the other copy ends,
so that a supervisor that waits as well would only be waited for."""

Account = Annotated[str, BeforeValidator(parse_account)]
"""A user or group of the host."""


class ProcessRuntimeConfig(ProcessConfig):
    """A process that ``gapless run`` supervises on the host and ``gapless flip`` replaces: the keys
    of a run file."""

    gapless: Annotated[str, Field(min_length=1)] = "gapless"
    """The program on the host: a name on PATH, or a path."""
    user: Account | None = None
    """Run as this user of the host, by name or number, with its HOME, USER, LOGNAME and SHELL."""
    group: Account | None = None
    """Run as this group of the host; default: the user's."""

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """What was written goes to the host: the supervisor there reads it as a run file."""
        if isinstance(data, dict) and differs(str(data.get("name", ""))):
            data = {**_WATCHED_BY_THE_ROLLOUT, **data}
        made = handler(data)
        if isinstance(data, dict):
            made._written = dict(data)
        return made

    @model_serializer(mode="plain")
    def _as_written(self) -> dict[str, Any]:
        return self._written

    def run_file(
        self, name: str, release: ReleaseConfig | None, *, hands_over: bool = False
    ) -> bytes:
        """The run file of a service. What is not absolute lies in its release; only the variables
        of a copy that hands over lie beside it."""
        live = live_folder(release)
        written = {key: value for key, value in self._written.items() if key != "gapless"}
        whole = {"name": self.name or name, **written}
        if live:
            whole["directory"] = _inside(live, self.directory or "")
        if live and self.pidfile:
            whole["pidfile"] = _inside(live, self.pidfile)
        if live and self.env_files:
            whole["env_files"] = [_env_file(live, word) for word in self.env_files]
        if hands_over:
            given = whole.get("env_files", self.env_files)
            whole["env_files"] = [*given, f"-{whole['name']}.env"]
        return (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode()


def live_folder(release: ReleaseConfig | None) -> str:
    """Where on the host the live release lies, "" when there is none."""
    if release is None:
        return ""
    return release.to if release.in_place else f"{release.to}/current"


def relative_paths(config: ProcessRuntimeConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Paths that mean something only inside a release, and their keys."""
    for key in ("directory", "pidfile"):
        path = getattr(config, key)
        if path and not PurePosixPath(path).is_absolute():
            yield (key,), path
    for index, word in enumerate(config.env_files):
        if not PurePosixPath(word.removeprefix("-")).is_absolute():
            yield ("env_files", index), word


def _inside(folder: str, path: str) -> str:
    return str(PurePosixPath(folder, path))


def _env_file(folder: str, word: str) -> str:
    path = word.removeprefix("-")
    return f"{'-' if path != word else ''}{_inside(folder, path)}"
