"""``services.NAME.config`` — files that a deploy brings beside the release."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv

OPEN = 0o644
"""Mode of a file that says nothing else."""
CLOSED = 0o600
"""The same for one with a secret in it."""


def parse_mode(value: Any) -> int:
    """Permission bits as chmod takes them: 0640, 640."""
    text = str(value)
    if isinstance(value, (bool, float)) or not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError("write permission bits in octal, for example 0640")
    return int(text, 8)


def format_mode(mode: int | None) -> str | None:
    """As it is read."""
    return None if mode is None else f"{mode:04o}"


FileMode = Annotated[
    int,
    BeforeValidator(parse_mode),
    PlainSerializer(format_mode, return_type=str),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["0640"]}),
]
"""Permission bits of a file."""


class ConfigFileConfig(Section):
    """One file on each host of the service: rendered from a template, or copied as it stands."""

    template: str | None = None
    """Jinja2 template on the machine gapless runs on."""
    file: str | None = None
    """File on the machine gapless runs on, copied as it stands."""
    to: Annotated[str, Field(min_length=1)]
    """Where it lies on the host: an absolute path."""
    mode: FileMode | None = None
    """Permission bits; default: 0644, for a template with a secret in it 0600."""
    owner: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.-]*(:[A-Za-z0-9_.-]+)?$")] = None
    """user:group on the host; default: the login's (root's with sudo)."""
    validate_: Annotated[Argv | None, Field(alias="validate")] = None
    """Command on the host that looks at the new file, {file}, before anything is activated; its
    refusal fails the instance before it is taken out of traffic. {folder} is the folder of the new
    release, which is on the host by then."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.template is None) == (self.file is None):
            raise ValueError("give exactly one of template, file")
        return self

    @property
    def source(self) -> str:
        """The template or file."""
        return self.template or self.file or ""
