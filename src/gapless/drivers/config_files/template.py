"""Templates: sandboxed Jinja2 in which nothing is undefined by accident.

1. A name that does not exist is an error with the line it stands in and the names that come close.
2. Whitespace is as Ansible has it: the line break after a block is dropped, the last one kept.
3. true, false and null are written as in gapless.yaml, not as Python has them.
4. What is not the same each time (random, lipsum) is not there: a plan is compared with what is
   staged later.
5. include, import and extends find files in the template's own folder, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from gapless.config.problems import did_you_mean
from gapless.drivers.config_files.asked import NotRendered, SecretNames
from gapless.errors import Problem


class _NoSuchName(UndefinedError):
    """A name nobody gave; ``owner`` is where it was looked for, or nothing at the top."""

    def __init__(self, owner: Any, name: Any, message: str | None = None) -> None:
        super().__init__(message)
        self.owner = owner
        self.wanted = name


class _Strict(StrictUndefined):
    """Tells what was looked for, and where."""

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None
    ) -> None:
        told: Any = exc if hint else partial(_NoSuchName, obj, name)
        super().__init__(hint, obj, name, told or UndefinedError)


@dataclass(frozen=True, slots=True)
class LoadedTemplate:
    """One template, compiled once for all hosts."""

    path: str
    compiled: Template

    @classmethod
    def read(cls, path: str) -> LoadedTemplate:
        """Raises NotRendered where it cannot be read or is no template."""
        place = Path(path)
        try:
            return cls(path, _environment(place.parent).from_string(place.read_text("utf-8")))
        except OSError as error:
            raise NotRendered(Problem(path, 1, 1, f"{error.strerror}"), "template") from None
        except UnicodeDecodeError:
            what = "a template must be UTF-8 text; copy other files with file:"
            raise NotRendered(Problem(path, 1, 1, what)) from None
        except TemplateSyntaxError as error:
            file = error.filename or path
            raise NotRendered(Problem(file, error.lineno, 1, error.message or "")) from None

    def render(self, names: Mapping[str, Any], secrets: SecretNames) -> str:
        """Raises NotRendered."""
        try:
            return self.compiled.render({**names, "secrets": secrets})
        except Exception as error:  # a template may do anything to its values
            raise NotRendered(self._problem(error, names)) from None

    def _problem(self, error: Exception, names: Mapping[str, Any]) -> Problem:
        if isinstance(error, TemplateSyntaxError):  # of one that it includes
            return Problem(error.filename or self.path, error.lineno, 1, error.message or "")
        file, line = self._place(error.__traceback__)
        if isinstance(error, _NoSuchName):
            top = error.owner is missing
            known = (*names, "secrets") if top else _members(error.owner)
            where = "" if top else f" in {_kind(error.owner)}"
            text = f"'{error.wanted}' is undefined{where}"
            return Problem(file, line, 1, text, did_you_mean(str(error.wanted), known))
        said = str(error) if isinstance(error, TemplateError) else f"{error}"
        return Problem(file, line, 1, said.partition("\n")[0] or type(error).__name__)

    def _place(self, trace: TracebackType | None) -> tuple[str, int]:
        """The innermost line of a template in a traceback."""
        found = self.path, 1
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if file == "<template>":
                found = self.path, trace.tb_lineno
            elif "__jinja_template__" in trace.tb_frame.f_globals or file.startswith(
                f"{Path(self.path).parent}/"
            ):
                found = file, trace.tb_lineno
            trace = trace.tb_next
        return found


def _members(owner: Any) -> Iterable[str]:
    return [str(key) for key in owner] if isinstance(owner, (Mapping, SecretNames)) else ()


def _kind(owner: Any) -> str:
    if isinstance(owner, SecretNames):
        return "secrets"
    words = {"dict": "mapping", "list": "list", "str": "text", "int": "number", "float": "number"}
    return f"this {words.get(type(owner).__name__, 'value')}"


def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=_Strict,
        trim_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        finalize=_as_written,
    )
    made.filters.pop("random")
    made.globals.pop("lipsum")
    made.filters["to_json"] = to_json
    made.filters["to_nice_json"] = to_nice_json
    made.filters["to_yaml"] = to_yaml
    return made


def _as_written(value: Any) -> Any:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value


def to_json(value: Any) -> str:
    """On one line, keys in order."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def to_nice_json(value: Any, indent: int = 4) -> str:
    """On several lines."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=indent)


def to_yaml(value: Any) -> str:
    """As a block, without the last line break."""
    import yaml

    text = yaml.safe_dump(value, sort_keys=True, allow_unicode=True, default_flow_style=False)
    return text.removesuffix("\n").removesuffix("\n...")
